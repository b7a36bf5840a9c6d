"""Whose fault alerts are, by what all checks find."""

from dataclasses import replace

import pytest

from sidecar.checks.claude.messages import ClaudeMessagesCheck
from sidecar.checks.redis import RedisCheck
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.labels import Labels
from sidecar.secrets import Secret
from sidecar.services.culprits import Culprits

FIRING = Alert(RuleKey("group", "Down"), Labels(alertname="Down", check="gateway"), AlertState.FIRING, 1000.0, 1.0)
ENDED = replace(FIRING, state=AlertState.ENDED, ended_at=2000.0, end_reason=EndReason.RECOVERED)
WORKED = ProbeResult(1010.0, 0.1)
FAILED = ProbeResult(998.0, 0.1, "connect", "connection refused")


THROUGH = ClaudeMessagesCheck(name="gateway", base_url="http://llm:4000", api_key=Secret("sk-ant-none-012345"))
DIRECT = ClaudeMessagesCheck(name="direct", api_key=Secret("sk-ant-none-012345"))
LOCAL = RedisCheck(name="cache", url="redis://127.0.0.1:6379")
REFUSED = CheckState(CheckStatus.DOWN, since=995.0, failures=2, last=FAILED, last_failure=FAILED)
WELL = CheckState(CheckStatus.UP, since=1.0, successes=9, last=WORKED)


@pytest.mark.parametrize(
    ("alert", "states", "expected"),
    [
        pytest.param(
            FIRING,
            {"gateway": REFUSED, "direct": WELL, "cache": WELL},
            "connect; direct reached the API itself at 00:16 UTC",
            id="the check of the API itself is the witness",
        ),
        pytest.param(FIRING, {"gateway": REFUSED, "cache": WELL}, None, id="a witness whose check has just been added"),
        pytest.param(ENDED, {"gateway": REFUSED, "direct": WELL, "cache": WELL}, None, id="over"),
        pytest.param(
            replace(FIRING, labels=Labels(alertname="Down", check="gone")),
            {"gateway": REFUSED, "direct": WELL, "cache": WELL},
            None,
            id="a check that is gone",
        ),
        pytest.param(
            replace(FIRING, labels=Labels(alertname="Down")),
            {"gateway": REFUSED, "direct": WELL, "cache": WELL},
            None,
            id="an alert about no check",
        ),
    ],
)
def test_the_checks_are_the_witnesses(alert, states, expected):
    """Whose fault a check's outage is follows from all checks: what each asks, and what it found."""
    found = Culprits().of(alert, (THROUGH, DIRECT, LOCAL), states)

    assert (found and found.ground) == expected


def test_what_is_remembered_is_never_old():
    """A check's new state, and a check of the same name that asks somebody else, are seen at once."""
    culprits = Culprits()
    states = {"gateway": REFUSED, "direct": WELL}

    def ground(direct: ClaudeMessagesCheck) -> str:
        found = culprits.of(FIRING, (THROUGH, direct), states)
        return found.ground if found else ""

    assert ground(DIRECT) == ground(DIRECT) == "connect; direct reached the API itself at 00:16 UTC"
    states["direct"] = replace(WELL, last=replace(WORKED, at=1090.0))
    assert ground(DIRECT) == "connect; direct reached the API itself at 00:18 UTC"
    assert ground(THROUGH.model_copy(update={"name": "direct"})) == ""
    assert ground(DIRECT)
    states.pop("direct")
    assert ground(DIRECT) == ""
