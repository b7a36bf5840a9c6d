"""What a failed probe says for an alert."""

from dataclasses import replace

import pytest

from sidecar.checks.http import HttpCheck
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.labels import Labels
from sidecar.secrets import Secret
from sidecar.services.evidence import evidence

CHECK = HttpCheck(type="http", name="gateway", url="http://gateway/", every=30.0, timeout=10.0)
FIRING = Alert(RuleKey("group", "Down"), Labels(alertname="Down", check="gateway"), AlertState.FIRING, 1000.0, 1.0)
ENDED = replace(FIRING, state=AlertState.ENDED, ended_at=2000.0, end_reason=EndReason.RECOVERED)
WORKED = ProbeResult(1010.0, 0.1)
FAILED = ProbeResult(998.0, 0.1, "connect", "connection refused")
SAID = "connect: connection refused"


def failed(message: str, **notes: str | float) -> CheckState:
    failure = ProbeResult(1000.0, 0.1, "auth", message, notes)
    return CheckState(CheckStatus.DOWN, last=failure, last_failure=failure)


@pytest.mark.parametrize(
    ("alert", "state", "expected"),
    [
        pytest.param(FIRING, CheckState(CheckStatus.DOWN, last=FAILED, last_failure=FAILED), SAID, id="down"),
        pytest.param(
            FIRING, CheckState(CheckStatus.DOWN, last=WORKED, last_failure=FAILED), SAID, id="down, one worked"
        ),
        pytest.param(FIRING, CheckState(CheckStatus.UNKNOWN, last_failure=FAILED), SAID, id="unknown"),
        pytest.param(FIRING, CheckState(CheckStatus.UP, last=FAILED, last_failure=FAILED), SAID, id="up, one failed"),
        pytest.param(FIRING, CheckState(CheckStatus.UP, last=WORKED, last_failure=FAILED), "", id="up again"),
        pytest.param(FIRING, CheckState(), "", id="nothing failed"),
        pytest.param(ENDED, CheckState(CheckStatus.UP, last=WORKED, last_failure=FAILED), SAID, id="ended"),
        pytest.param(
            replace(ENDED, active_at=5000.0),
            CheckState(CheckStatus.UP, last=WORKED, last_failure=FAILED),
            "",
            id="ended, and the failure was of another time",
        ),
    ],
)
def test_the_failure_speaks_while_it_matters(alert, state, expected):
    """A failure is evidence while the check is not well, and for an end when it is of the alert's time."""
    assert evidence(alert, CHECK, state) == expected


@pytest.mark.parametrize(
    ("message", "notes", "expected"),
    [
        pytest.param("invalid x-api-key", {}, "auth: invalid x-api-key", id="no request id"),
        pytest.param("no", {"request_id": "req_1"}, "auth: no (request id req_1)", id="a request id"),
        pytest.param("no, req_1", {"request_id": "req_1"}, "auth: no, req_1", id="the message names it"),
        pytest.param("", {}, "auth", id="no message"),
        pytest.param("a\r\nRECOVERED\x1b", {}, "auth: a ⏎ RECOVERED‹U+001B›", id="words that would be obeyed"),
        pytest.param(
            "x" * 5000, {"request_id": "r" * 5000}, f"auth: {'x' * 199}… (request id {'r' * 79}…)", id="too much"
        ),
    ],
)
def test_the_words_are_one_bounded_line(message, notes, expected):
    """The kind of failure, the message and the request id, in at most 300 characters."""
    found = evidence(FIRING, CHECK, failed(message, **notes))

    assert len(found) <= 300
    assert found == expected


def test_no_secret_is_evidence():
    """A secret in a probe's words is masked, whatever the check let through."""
    secret = Secret("sk-ant-evidence-0123456789")

    found = evidence(FIRING, CHECK, failed(f"invalid {secret.reveal()}", request_id=secret.reveal()))

    assert found == "auth: invalid ***"
