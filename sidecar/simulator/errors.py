"""How the API says no."""

from datetime import UTC, datetime
from typing import Any, Final

from sidecar.simulator.faults import Fault, FaultKind


class ApiError(Exception):
    """An answer that is not a success, as the API words it."""

    def __init__(
        self,
        status: int,
        type_: str,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
        edge: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type_
        self.message = message
        self.details = ({"error_code": code} if code else {}) | (details or {})
        self.retry_after = retry_after
        self.edge = edge  # answered in front of the API: no request id, no organization, no limits

    def body(self, request_id: str | None) -> dict[str, Any]:
        """The JSON of the answer; of an error event in a stream when there is no request id."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"type": "error", "error": error} | ({"request_id": request_id} if request_id else {})


def invalid(message: str) -> ApiError:
    """The request is wrong."""
    return ApiError(400, "invalid_request_error", message)


STREAM_MESSAGES: Final = {
    "overloaded_error": "Overloaded",
    "api_error": "Internal server error",
    "rate_limit_error": "This request would exceed your account's rate limit. Please try again later.",
    "timeout_error": "Request timed out",
}

_BLOCKED_HTML: Final = """<html>
<head><title>{title}</title></head>
<body>
<center><h1>{title}</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""
BAD_GATEWAY_HTML: Final = _BLOCKED_HTML.format(title="502 Bad Gateway")
PORTAL_HTML: Final = (
    "<!DOCTYPE html><html><head><title>Sign in to the network</title></head><body>Sign in</body></html>\n"
)


def of(fault: Fault, wall: float) -> ApiError | None:
    """The error that *fault* answers with; None when it does something else than answer with an error."""
    error = _error(fault, wall)
    if error is not None and fault.message is not None:
        error.message = fault.message
    return error


def _error(fault: Fault, wall: float) -> ApiError | None:
    match fault.kind:
        case FaultKind.OVERLOADED:
            return ApiError(529, "overloaded_error", "Overloaded", retry_after=fault.retry_after)
        case FaultKind.THROTTLED:
            return rate_limited(fault.limit, 15 if fault.retry_after is None else fault.retry_after)
        case FaultKind.RAMP_LIMIT:
            message = (
                "This request would exceed your organization's maximum usage increase rate. Please scale up gradually."
            )
            wait = 30 if fault.retry_after is None else fault.retry_after
            return ApiError(429, "rate_limit_error", message, code="ramp_limit_exceeded", retry_after=wait)
        case FaultKind.SPEND_CAP:
            message = (
                f"You have reached your organization's monthly spend limit. Access resumes on {_next_month(wall)}."
            )
            return ApiError(429, "rate_limit_error", message, code=fault.error_code or "enforced_spend_limit_reached")
        case FaultKind.SELF_LIMIT:
            return invalid(
                f"You have reached your specified API usage limits. You will regain access on {_next_month(wall)}."
            )
        case FaultKind.CREDIT:
            return invalid(
                "Your credit balance is too low to access the Anthropic API. "
                "Please go to Plans & Billing to upgrade or purchase credits."
            )
        case FaultKind.BILLING:
            return ApiError(402, "billing_error", "There is an issue with your payment details.")
        case FaultKind.ON_HOLD:
            details = {"error_code": "organization_on_hold", "appeal_url": "https://support.example/appeal"}
            message = "This organization has been disabled."
            return ApiError(400, "invalid_request_error", message, details=details)
        case FaultKind.AUTH:
            return ApiError(401, "authentication_error", "invalid x-api-key")
        case FaultKind.PERMISSION:
            message = "Your API key does not have permission to use the specified resource."
            return ApiError(403, "permission_error", message)
        case FaultKind.NOT_FOUND:
            return ApiError(404, "not_found_error", f"model: {fault.model or 'not found'}")
        case FaultKind.TOO_LARGE:
            return too_large()
        case FaultKind.SERVER_ERROR:
            return ApiError(500, "api_error", "Internal server error")
        case FaultKind.UNAVAILABLE:
            return ApiError(503, "api_error", "Service temporarily unavailable", code=fault.error_code)
        case FaultKind.GATEWAY_TIMEOUT:
            return ApiError(504, "timeout_error", "Request timed out")
        case _:
            return None


def rate_limited(limit: str, retry_after: int) -> ApiError:
    """A limit is used up: `requests`, `input-tokens` or `output-tokens` per minute."""
    words = limit.replace("-", " ")
    message = f"This request would exceed your organization's rate limit of {words} per minute. Please try again later."
    return ApiError(429, "rate_limit_error", message, retry_after=retry_after)


def too_large() -> ApiError:
    """The body is over the size that the edge lets through."""
    return ApiError(413, "request_too_large", "Request exceeds the maximum size", edge=True)


def _next_month(wall: float) -> str:
    now = datetime.fromtimestamp(wall, UTC)
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
    return f"{year:04}-{month:02}-01 at 00:00 UTC"
