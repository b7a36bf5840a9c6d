"""Errors of the clouds that sell the models, by those clouds' own names."""

from collections.abc import Mapping
from typing import Any, Final

# The API's own type that means the same, so that one table says what follows from it.
_MEANS: Final = {
    # AWS
    "ThrottlingException": "rate_limit_error",
    "TooManyRequestsException": "rate_limit_error",
    "ServiceQuotaExceededException": "rate_limit_error",
    "ModelNotReadyException": "overloaded_error",
    "AccessDeniedException": "permission_error",
    "UnrecognizedClientException": "authentication_error",
    "InvalidSignatureException": "authentication_error",
    "ExpiredTokenException": "authentication_error",
    "MissingAuthenticationTokenException": "authentication_error",
    "ValidationException": "invalid_request_error",
    "ResourceNotFoundException": "not_found_error",
    "ModelTimeoutException": "timeout_error",
    "ModelErrorException": "api_error",
    "InternalServerException": "api_error",
    "ServiceUnavailableException": "api_error",
    # Google
    "RESOURCE_EXHAUSTED": "rate_limit_error",
    "UNAUTHENTICATED": "authentication_error",
    "PERMISSION_DENIED": "permission_error",
    "NOT_FOUND": "not_found_error",
    "INVALID_ARGUMENT": "invalid_request_error",
    "FAILED_PRECONDITION": "invalid_request_error",
    "DEADLINE_EXCEEDED": "timeout_error",
    "INTERNAL": "api_error",
    "UNAVAILABLE": "api_error",
}


def read(headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """A cloud's error: its name, the API's type that means the same, and what it says; None when *body* is none.

    *headers* have names in lower case. AWS names the error in a header or in `__type`, Google in `error.status`.
    """
    error = body.get("error")
    inner: Mapping[str, Any] = error if isinstance(error, dict) else {}
    for name in (headers.get("x-amzn-errortype"), body.get("__type"), inner.get("status")):
        if not isinstance(name, str):
            continue
        short = name.partition(":")[0].rpartition("#")[2].strip()  # namespace#Name:http://its.documentation
        if short in _MEANS:
            said = [body.get("message"), body.get("Message"), inner.get("message")]
            return short, _MEANS[short], next((text for text in said if isinstance(text, str)), "")
    return None
