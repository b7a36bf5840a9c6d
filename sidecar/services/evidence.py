"""What a failed probe says for an alert, in one line for a person."""

from typing import Final

from sidecar.checks import Check
from sidecar.model.alerts import Alert
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult, max_age
from sidecar.secrets import redact
from sidecar.templating import safe

_LONGEST: Final = 300
_LONGEST_ID: Final = 80


def evidence(alert: Alert, check: Check, state: CheckState) -> str:
    """The failure that speaks for *alert* about *check*, such as `auth: invalid x-api-key (request id req_1)`.

    While it fires, that is the last failed probe of a check that is not well; once it has ended, the last one of its
    time. Empty when there is none.
    """
    failure = state.last_failure
    if failure is None:
        return ""
    if alert.firing:
        speaks = state.status is not CheckStatus.UP or (state.last is not None and not state.last.ok)
    else:
        # The probe came before the turn that saw it, and nothing tells whether the next one was a failure.
        speaks = failure.at >= alert.active_at - max_age(check)
    return _words(failure) if speaks else ""


def _words(failure: ProbeResult) -> str:
    said = ": ".join(filter(None, (failure.error_type, redact(failure.message))))
    request_id = safe.line(redact(str(failure.notes.get("request_id", ""))), _LONGEST_ID)
    behind = f" (request id {request_id})" if request_id and request_id not in said else ""
    return safe.line(said, _LONGEST - len(behind)) + behind
