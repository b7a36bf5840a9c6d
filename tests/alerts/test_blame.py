"""Whose fault it is that a check is down."""

from typing import Any

import pytest

from sidecar.alerts.blame import Witness, blame
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult

NOON = 1767614400.0
REQUEST: dict[str, Any] = {"request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


def down(word: str, fault: str = "", duration: float = 0.1, at: float = NOON + 5, **notes: str) -> CheckState:
    """The state of a check that went down at noon, or a second before its last failure *at* an earlier time."""
    noted = notes | ({"fault": fault} if fault else {})
    failure = ProbeResult(at, duration, word, "no", noted)
    return CheckState(CheckStatus.DOWN, since=min(NOON, at - 1), failures=3, last=failure, last_failure=failure)


def up(at: float = NOON + 5) -> CheckState:
    """The state of a check whose last probe was a success that ended at *at*."""
    return CheckState(CheckStatus.UP, since=NOON - 3600, successes=9, last=ProbeResult(at, 0.1))


def api(state: CheckState, name: str = "direct", **changes: object) -> Witness:
    """A check that asks the API itself."""
    fields = {"type": "claude.messages", "host": "api.anthropic.com", "model": "haiku", "api": True}
    return Witness(name=name, state=state, **fields | changes)  # type: ignore[arg-type]  # a table's words


def gateway(state: CheckState, **changes: object) -> Witness:
    """A check that asks through a gateway."""
    return api(state, "gw", **{"host": "gateway", "api": False} | changes)


def other(state: CheckState, host: str, **changes: object) -> Witness:
    """A check of something else."""
    return Witness(host, "tcp", state, host, **changes)  # type: ignore[arg-type]  # a table's words


UNREACHED = down("connect")
CANCELLED = CheckState(CheckStatus.UP, since=NOON - 3600, failures=1, last=ProbeResult(NOON + 5, 0.1, "timeout", "no"))


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        # What the API itself says.
        pytest.param(api(down("overloaded", "provider")), (), ("provider", "Anthropic"), id="the API is overloaded"),
        pytest.param(api(down("server_error", "provider")), (), ("provider", "Anthropic"), id="the API is broken"),
        pytest.param(
            api(down("spend_cap", "our_account")), (), ("our_account", "your account"), id="the API says a spend limit"
        ),
        pytest.param(api(down("auth", "our_key")), (), ("our_key", "your key"), id="the API refuses the key"),
        pytest.param(
            api(down("not_found", "our_request")),
            (),
            ("our_request", "this check's own request"),
            id="the API knows no such model",
        ),
        pytest.param(api(down("not_json", "gateway")), (), None, id="a page in front of the API may be anybody's"),
        pytest.param(api(down("timeout")), (), None, id="no answer in time says nothing"),
        pytest.param(api(down("truncated", "gateway")), (), None, id="a stream that broke off says nothing"),
        # What comes through a gateway with the API's own id.
        pytest.param(
            gateway(down("overloaded", "provider", **REQUEST)), (), ("provider", "Anthropic"), id="the API's words"
        ),
        pytest.param(
            gateway(down("overloaded", "provider", **REQUEST)),
            (api(up()),),
            ("provider", "Anthropic"),
            id="the API's words count more than another check's luck",
        ),
        pytest.param(
            gateway(down("throttled", "our_account", **REQUEST)),
            (),
            ("our_account", "your account"),
            id="the API's rate limit",
        ),
        pytest.param(
            gateway(down("auth", "our_key", **REQUEST)),
            (),
            ("our_key", "your key at Anthropic"),
            id="the API refuses the gateway's key",
        ),
        pytest.param(
            gateway(down("overloaded", "provider", request_id="0123-abcd")), (), None, id="an id that is not the API's"
        ),
        pytest.param(
            gateway(down("bad_request", "our_request", **REQUEST)),
            (),
            None,
            id="a request that the gateway may have spoiled",
        ),
        # What the gateway answers for itself, perhaps because it cannot reach the API.
        pytest.param(
            gateway(down("not_json", "gateway")),
            (),
            None,
            id="an answer that is not the API's, and nobody to compare with",
        ),
        pytest.param(
            gateway(down("server_error", "gateway")),
            (api(UNREACHED),),
            None,
            id="an answer of its own: it cannot reach it",
        ),
        pytest.param(
            gateway(down("not_json", "gateway")),
            (api(up()),),
            ("gateway", "the gateway, or the way to it"),
            id="an answer that is not the API's",
        ),
        pytest.param(
            gateway(down("not_json", "gateway")),
            (api(up(NOON - 299)),),
            ("gateway", "the gateway, or the way to it"),
            id="an answer that is not the API's, which was well minutes before",
        ),
        pytest.param(
            gateway(down("not_json", "gateway")),
            (api(up(NOON - 301)),),
            None,
            id="an answer that is not the API's, which was well long before",
        ),
        pytest.param(gateway(down("truncated", "gateway")), (), None, id="a broken stream and nobody to compare with"),
        # What a check that asks the API itself adds.
        pytest.param(
            gateway(UNREACHED), (api(up()),), ("gateway", "the gateway, or the way to it"), id="only it is unreachable"
        ),
        pytest.param(
            gateway(down("truncated", "gateway")),
            (api(up()),),
            ("gateway", "the gateway, or the way to it"),
            id="only its streams break off",
        ),
        pytest.param(
            gateway(down("timeout")),
            (api(up(), type="claude.stream"),),
            ("gateway", "the gateway, or the way to it"),
            id="a stream of the same model is a witness for messages",
        ),
        pytest.param(
            gateway(down("server_error", "provider")),
            (api(down("server_error", "provider")),),
            ("provider", "Anthropic"),
            id="both are told the same",
        ),
        pytest.param(
            gateway(down("throttled", "our_account")),
            (api(down("throttled", "our_account")),),
            ("our_account", "your account"),
            id="both hit the rate limit",
        ),
        pytest.param(
            gateway(down("server_error", "provider")),
            (api(down("server_error", "provider", at=NOON - 299)),),
            ("provider", "Anthropic"),
            id="both were told the same within minutes",
        ),
        pytest.param(
            gateway(down("server_error", "provider")),
            (api(down("server_error", "provider", at=NOON - 301)),),
            None,
            id="the API said the same long ago",
        ),
        pytest.param(gateway(down("tls")), (api(up()),), None, id="its certificate, or whom we trust"),
        pytest.param(gateway(down("throttled", "our_account")), (api(up()),), None, id="the gateway's limit, or ours"),
        pytest.param(gateway(down("auth", "our_key")), (api(up()),), None, id="the gateway's key, or the check's"),
        pytest.param(gateway(down("overloaded", "provider")), (api(up()),), None, id="another supplier may be full"),
        pytest.param(gateway(down("timeout")), (api(down("timeout")),), None, id="both wait in vain"),
        pytest.param(gateway(down("timeout")), (api(up(), model="opus"),), None, id="another model is no witness"),
        pytest.param(
            gateway(down("timeout")), (api(up(), type="claude.models"),), None, id="a list of models is no witness"
        ),
        pytest.param(
            gateway(down("timeout"), type="claude.models", model=""),
            (api(up(), type="claude.models", model=""),),
            ("gateway", "the gateway, or the way to it"),
            id="a list of models is a witness for a list of models",
        ),
        pytest.param(
            gateway(down("timeout")),
            (api(up()), api(down("timeout"), "second", model="opus")),
            ("gateway", "the gateway, or the way to it"),
            id="another model is slow everywhere",
        ),
        pytest.param(
            gateway(UNREACHED),
            (api(up(), type="claude.models"),),
            ("gateway", "the gateway, or the way to it"),
            id="a list of models is a witness for the way to the API",
        ),
        pytest.param(gateway(UNREACHED), (api(up(NOON - 1)),), None, id="a success from before it went down"),
        pytest.param(
            gateway(down("timeout", duration=10.0)),
            (api(up(NOON - 9)),),
            ("gateway", "the gateway, or the way to it"),
            id="a success while the probe ran that took it down",
        ),
        pytest.param(gateway(UNREACHED), (api(CANCELLED),), None, id="a witness whose last probe failed"),
        pytest.param(
            gateway(down("timeout")), (api(up()), api(down("dns"), "second")), None, id="witnesses who disagree"
        ),
        pytest.param(
            gateway(down("timeout")), (api(up()), api(CANCELLED, "second")), None, id="a witness who begins to doubt"
        ),
        pytest.param(
            gateway(UNREACHED), (api(up(), negative=True),), None, id="a check that has to fail is no witness"
        ),
        pytest.param(gateway(UNREACHED), (), None, id="nobody asks the API itself"),
        # The pod's own network.
        pytest.param(
            api(UNREACHED),
            (other(down("dns"), "redis"), other(UNREACHED, "postgres")),
            ("network", "this pod's network"),
            id="nothing is reached",
        ),
        pytest.param(
            other(UNREACHED, "redis"),
            (api(UNREACHED), other(down("reset"), "postgres")),
            ("network", "this pod's network"),
            id="nothing is reached, seen from a dependency",
        ),
        pytest.param(
            api(UNREACHED),
            (other(UNREACHED, "redis"), other(UNREACHED, "postgres"), other(up(), "localhost", local=True)),
            ("network", "this pod's network"),
            id="what is on this machine is no witness for the network",
        ),
        pytest.param(
            api(UNREACHED),
            (other(UNREACHED, "redis"), other(UNREACHED, "postgres"), other(up(), "dns")),
            None,
            id="something is reached",
        ),
        pytest.param(
            api(UNREACHED),
            (other(UNREACHED, "redis"), other(UNREACHED, "postgres"), other(CANCELLED, "dns")),
            None,
            id="something answered late",
        ),
        pytest.param(
            api(down("tls")),
            (other(down("tls"), "redis"), other(down("tls"), "postgres")),
            None,
            id="no certificate is trusted: the network, or what we trust",
        ),
        pytest.param(
            api(UNREACHED),
            (other(UNREACHED, "redis"), other(down("connect", at=NOON - 301), "postgres")),
            None,
            id="one was away long before",
        ),
        pytest.param(api(UNREACHED), (other(UNREACHED, "redis"),), None, id="two hosts may be down by chance"),
        pytest.param(
            api(UNREACHED),
            (api(UNREACHED, "second"), other(UNREACHED, "redis")),
            None,
            id="two checks of one host are one witness",
        ),
        pytest.param(
            other(UNREACHED, "localhost", local=True),
            (other(UNREACHED, "redis"), other(UNREACHED, "postgres")),
            None,
            id="the network does not explain what is on this machine",
        ),
        # Nothing to blame anybody for.
        pytest.param(api(up()), (api(down("overloaded", "provider")),), None, id="it is up"),
        pytest.param(api(CheckState()), (), None, id="it was never probed"),
        pytest.param(other(down("assertion"), "shop"), (api(up()),), None, id="what is not Claude has no such words"),
        pytest.param(api(down("assertion")), (), None, id="a word of our own"),
        pytest.param(api(down("somebody's own word")), (), None, id="a word that nobody knows"),
    ],
)
def test_somebody_is_blamed_only_when_it_is_known(own: Witness, others: tuple[Witness, ...], expected: object):
    """What an answer says of itself comes first, what others find at the same time is the witness, and else nobody."""
    found = blame(own, others)

    assert (found and (found.fault, found.who)) == expected


def test_the_ground_is_told():
    """Whoever is blamed, it is said by what."""
    found = [
        blame(api(down("spend_cap", "our_account")), ()),
        blame(gateway(UNREACHED), (api(up(NOON + 61)),)),
        blame(gateway(down("overloaded", "provider")), (api(down("overloaded", "provider")),)),
        blame(api(UNREACHED), (other(UNREACHED, "redis"), other(UNREACHED, "postgres"))),
    ]

    assert [each.ground if each else "" for each in found] == [
        "spend limit, says the API itself",
        "connect; direct reached the API itself at 12:01 UTC",
        "overloaded; direct hears the same from the API itself",
        "connect; postgres, redis cannot be reached from here either",
    ]
