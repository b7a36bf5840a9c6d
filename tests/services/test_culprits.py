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
from tests.rules.helpers import alerting

FIRING = Alert(RuleKey("group", "Down"), Labels(alertname="Down", check="gateway"), AlertState.FIRING, 1000.0, 1.0)
ENDED = replace(FIRING, state=AlertState.ENDED, ended_at=2000.0, end_reason=EndReason.RECOVERED)
WORKED = ProbeResult(1010.0, 0.1)
FAILED = ProbeResult(998.0, 0.1, "connect", "connection refused")


THROUGH = ClaudeMessagesCheck(name="gateway", base_url="http://llm:4000", api_key=Secret("sk-ant-none-012345"))
DIRECT = ClaudeMessagesCheck(name="direct", api_key=Secret("sk-ant-none-012345"))
LOCAL = RedisCheck(name="cache", url="redis://127.0.0.1:6379")
REFUSED = CheckState(CheckStatus.DOWN, since=995.0, failures=2, last=FAILED, last_failure=FAILED)
WELL = CheckState(CheckStatus.UP, since=1.0, successes=9, last=WORKED)


DOWN = alerting("sidecar_check_up == 0")


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
    found = Culprits().of(alert, DOWN, (THROUGH, DIRECT, LOCAL), states)

    assert (found and found.ground) == expected


def test_what_is_remembered_is_never_old():
    """A check's new state, and a check of the same name that asks somebody else, are seen at once."""
    culprits = Culprits()
    states = {"gateway": REFUSED, "direct": WELL}

    def ground(direct: ClaudeMessagesCheck) -> str:
        found = culprits.of(FIRING, DOWN, (THROUGH, direct), states)
        return found.ground if found else ""

    assert ground(DIRECT) == ground(DIRECT) == "connect; direct reached the API itself at 00:16 UTC"
    states["direct"] = replace(WELL, last=replace(WORKED, at=1090.0))
    assert ground(DIRECT) == "connect; direct reached the API itself at 00:18 UTC"
    assert ground(THROUGH.model_copy(update={"name": "direct"})) == ""
    assert ground(DIRECT)
    states.pop("direct")
    assert ground(DIRECT) == ""


@pytest.mark.parametrize(
    ("expr", "known"),
    [
        pytest.param("avg_over_time(probe_success[5m]) < 0.9", True, id="the share of successes"),
        pytest.param("sidecar_check_down_reason == 1", True, id="the reason"),
        pytest.param("rate(probe_failures_total[5m]) > 0 unless on (check) ALERTS", True, id="the failures"),
        pytest.param("probe_ssl_earliest_cert_expiry < 86400", False, id="a certificate"),
        pytest.param(
            "probe_duration_seconds > 3 unless on (check) sidecar_check_up == 0", False, id="how long it took"
        ),
        pytest.param('{check="gateway"} > 0', False, id="whatever it may be"),
    ],
)
def test_only_failures_are_somebodys_fault(expr, known):
    """An alert over something else of the same check is not explained by whatever the check fails with."""
    states = {"gateway": REFUSED, "direct": WELL}

    assert (Culprits().of(FIRING, alerting(expr), (THROUGH, DIRECT), states) is not None) is known
    assert Culprits().of(FIRING, None, (THROUGH, DIRECT), states) is None


def test_a_check_that_has_to_fail_is_no_witness():
    """It is well also when it reached nobody."""
    states = {"gateway": REFUSED, "direct": WELL}
    refused = DIRECT.model_copy(update={"negative": True})

    assert Culprits().of(FIRING, DOWN, (THROUGH, refused), states) is None
