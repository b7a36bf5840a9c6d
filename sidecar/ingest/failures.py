"""Why a reported request failed, in our words."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sidecar.claude.errors import ErrorType, classify, classify_event
from sidecar.ingest.rejecting import Rejected, amount, shown, text
from sidecar.store import Reason

_WORDS: Final = frozenset(ErrorType)
_REMEMBERED: Final = 1024
_ABSENT: Final = object()

# What SDKs call their exceptions, and what they put into spans; only where no type of the API's is told.
_CLASSES: Final[Mapping[str, str]] = {
    "BadRequestError": "invalid_request_error",
    "AuthenticationError": "authentication_error",
    "PermissionDeniedError": "permission_error",
    "NotFoundError": "not_found_error",
    "RequestTooLargeError": "request_too_large",
    "RateLimitError": "rate_limit_error",
    "InternalServerError": "api_error",
    "ServiceUnavailableError": "api_error",
    "OverloadedError": "overloaded_error",
    "ContextWindowExceededError": ErrorType.CONTEXT_EXCEEDED,
    "APITimeoutError": ErrorType.TIMEOUT,
    "Timeout": ErrorType.TIMEOUT,
    "APIConnectionError": ErrorType.CONNECT,
    "client_timeout_error": ErrorType.TIMEOUT,
    "connection_error": ErrorType.CONNECT,
}

_Key = tuple[object, ...]


class Failures:
    """Tells failures apart, and remembers the last kinds."""

    def __init__(self) -> None:
        self._known: dict[_Key, str] = {}

    def word(self, event: Mapping[str, Any]) -> str:
        """The `error_type` of the request that *event* reports; empty when it went well. Raises Rejected."""
        status, given = event.get("status"), event.get("error_type")
        if given is None and "error" not in event and "error_code" not in event and (status == 200 or status is None):
            return ""  # the usual case
        status = _status(status)
        given, code, said = text(event, "error_type"), text(event, "error_code"), ""
        error = event.get("error")
        if isinstance(error, dict):  # the API's own object
            given, said = given or text(error, "type"), text(error, "message", 100_000)
            details = error.get("details")
            code = code or (text(details, "error_code") if isinstance(details, dict) else "")
        elif error is not None:
            said = text(event, "error", 100_000)
        said = said[:1000]
        if not given and not code and not said and 200 <= status < 400:
            return ""
        if given in _WORDS:
            return given
        key = (status, given, code, said, event.get("retry_after", _ABSENT) is None)
        word = self._known.get(key)
        if word is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            word = self._known[key] = _classified(event, status, given, code, said)
        return word


def _status(status: object) -> int:
    if status is None:
        return 0
    if type(status) is int and 0 <= status < 1000:
        return status
    if isinstance(status, str) and status.isascii() and status.isdigit() and len(status) == 3:
        return int(status)
    raise Rejected(Reason.MALFORMED, f"got status = {shown(status)}, expected an HTTP status such as 200, or none")


def _classified(event: Mapping[str, Any], status: int, given: str, code: str, said: str) -> str:
    api_type = _CLASSES.get(given.rpartition(".")[2], given)
    if api_type in _WORDS:
        return api_type
    error = {"type": api_type, "message": said or "not told"} | ({"details": {"error_code": code}} if code else {})
    if 200 <= status < 300:
        return classify_event(error).error_type
    return classify(status, _headers(event), json.dumps({"type": "error", "error": error}).encode()).error_type


def _headers(event: Mapping[str, Any]) -> Mapping[str, str]:
    """What the event tells of the answer's headers: that the API gave no `retry-after` is told by a null alone."""
    if "retry_after" not in event:
        return {}
    seconds = amount(event, "retry_after")
    return {"request-id": "told"} if seconds is None else {"request-id": "told", "retry-after": f"{seconds:.0f}"}
