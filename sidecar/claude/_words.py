"""The words of failures, and the tables that lead to them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ErrorType(StrEnum):
    """Every word that the label `error_type` can be."""

    # The API's answers.
    THROTTLED = "throttled"  # too many requests or tokens per minute, or too steep a growth
    OVERLOADED = "overloaded"
    SPEND_CAP = "spend_cap"  # a limit of dollars, no credit, a payment that failed
    AUTH = "auth"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    CONTEXT_EXCEEDED = "context_exceeded"
    SERVER_ERROR = "server_error"
    # Answers that are none, or break off.
    TIMEOUT = "timeout"
    STALLED = "stalled"  # no bytes
    PING_ONLY = "ping_only"  # no content
    TRUNCATED = "truncated"
    STREAM_ERROR = "stream_error"
    NOT_JSON = "not_json"
    # The way there.
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    # Other checks, and ourselves.
    ASSERTION = "assertion"
    EXIT_CODE = "exit_code"
    INTERNAL = "internal"


class Fault(StrEnum):
    """Where to look first."""

    OUR_REQUEST = "our_request"
    OUR_ACCOUNT = "our_account"
    OUR_KEY = "our_key"
    GATEWAY = "gateway"
    PROVIDER = "provider"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a word as long as the answer does not know better."""

    fault: Fault
    retryable: bool
    next_step: str


_STATUS_PAGE: Final = "See https://status.claude.com"
_BREAKS: Final = (
    "Probe the API without the gateway: if only streams through it break, look at proxies with short idle timeouts and "
    "at buffering."
)

ABOUT: Final = {
    ErrorType.THROTTLED: About(
        Fault.OUR_ACCOUNT,
        True,
        "See which limit it is (claude_ratelimit_remaining); spread the load, cache prompts, or ask for more.",
    ),
    ErrorType.OVERLOADED: About(
        Fault.PROVIDER,
        True,
        f"{_STATUS_PAGE}; retry with growing pauses, and route traffic to another model or provider: capacity is per "
        "model, and no quota of yours.",
    ),
    ErrorType.SPEND_CAP: About(
        Fault.OUR_ACCOUNT,
        False,
        "Raise the spend limit, buy credit or mend the payment in the Claude Console (Billing); waiting does not help.",
    ),
    ErrorType.AUTH: About(
        Fault.OUR_KEY,
        False,
        "Check in the Claude Console whether the key was revoked or has expired, and whether the gateway takes it in "
        "this header (`auth`).",
    ),
    ErrorType.PERMISSION: About(
        Fault.OUR_KEY,
        False,
        "The key is valid but may not do this: check its workspace, the models it may use, and network policies.",
    ),
    ErrorType.NOT_FOUND: About(
        Fault.OUR_REQUEST, False, "Check `model` (is it retired?) and the path of `base_url` in the configuration."
    ),
    ErrorType.BAD_REQUEST: About(
        Fault.OUR_REQUEST, False, "The request itself is wrong, this is no outage: mend the parameters that it names."
    ),
    ErrorType.TOO_LARGE: About(Fault.OUR_REQUEST, False, "Send less, or raise the limit of what stands in between."),
    ErrorType.CONTEXT_EXCEEDED: About(
        Fault.OUR_REQUEST, False, "Shorten the prompt, or take a model with a larger context window."
    ),
    ErrorType.SERVER_ERROR: About(
        Fault.PROVIDER, True, f"{_STATUS_PAGE}; if it lasts, give the request id to the provider's support."
    ),
    ErrorType.TIMEOUT: About(
        Fault.PROVIDER, True, f"{_STATUS_PAGE}; compare the phases of the probe, and stream what takes long."
    ),
    ErrorType.STALLED: About(Fault.PROVIDER, True, f"{_STATUS_PAGE}. {_BREAKS}"),
    ErrorType.PING_ONLY: About(
        Fault.PROVIDER, True, f"{_STATUS_PAGE}; the connection lives, the model does not answer."
    ),
    ErrorType.TRUNCATED: About(Fault.GATEWAY, True, _BREAKS),
    ErrorType.STREAM_ERROR: About(Fault.PROVIDER, True, f"{_STATUS_PAGE}. {_BREAKS}"),
    ErrorType.NOT_JSON: About(
        Fault.GATEWAY,
        True,
        "Something between here and the API has answered: look at the gateway, the proxy or the load balancer.",
    ),
    ErrorType.DNS: About(Fault.NETWORK, True, "Check the pod's DNS (resolv.conf, CoreDNS) and the name itself."),
    ErrorType.CONNECT: About(
        Fault.NETWORK, True, "Check that the address is right, that it listens, and that no network policy forbids it."
    ),
    ErrorType.TLS: About(
        Fault.NETWORK, True, "Check the certificate: its dates, its names, and who signed it; a proxy may break TLS."
    ),
    ErrorType.RESET: About(
        Fault.NETWORK, True, "Look at what stands in between: it hung up before the answer was whole."
    ),
    ErrorType.ASSERTION: About(Fault.PROVIDER, True, "It answers, but not what the check expects: compare the two."),
    ErrorType.EXIT_CODE: About(Fault.OUR_REQUEST, True, "Run the command by hand and read what it prints."),
    ErrorType.INTERNAL: About(Fault.OUR_REQUEST, True, "The check itself has failed: see the daemon's log."),
}

REFUSED: Final = frozenset(
    {
        ErrorType.THROTTLED,
        ErrorType.SPEND_CAP,
        ErrorType.AUTH,
        ErrorType.PERMISSION,
        ErrorType.NOT_FOUND,
        ErrorType.BAD_REQUEST,
        ErrorType.TOO_LARGE,
        ErrorType.CONTEXT_EXCEEDED,
    }
)
"""Whoever asks with another request, key or account is served."""

TYPES: Final = {
    "authentication_error": ErrorType.AUTH,
    "billing_error": ErrorType.SPEND_CAP,  # 402, formerly 403
    "permission_error": ErrorType.PERMISSION,
    "not_found_error": ErrorType.NOT_FOUND,
    "request_too_large": ErrorType.TOO_LARGE,
    "timeout_error": ErrorType.TIMEOUT,
    "api_error": ErrorType.SERVER_ERROR,
    "overloaded_error": ErrorType.OVERLOADED,
    "conflict_error": ErrorType.BAD_REQUEST,
    "memory_precondition_failed_error": ErrorType.BAD_REQUEST,
    "memory_path_conflict_error": ErrorType.BAD_REQUEST,
}

CODES: Final[dict[str, tuple[ErrorType, Fault | None]]] = {
    "ramp_limit_exceeded": (ErrorType.THROTTLED, None),
    "enforced_spend_limit_reached": (ErrorType.SPEND_CAP, None),
    "contract_spend_limit_reached": (ErrorType.SPEND_CAP, None),
    "linked_organization_billing_unavailable": (ErrorType.SPEND_CAP, None),
    "linked_organization_spend_limit_reached": (ErrorType.SPEND_CAP, None),
    "organization_on_hold": (ErrorType.PERMISSION, Fault.OUR_ACCOUNT),
    "cmek_key_disabled": (ErrorType.PERMISSION, Fault.OUR_ACCOUNT),
    "cmek_key_network_blocked": (ErrorType.PERMISSION, Fault.OUR_ACCOUNT),
    "cmek_key_unreachable": (ErrorType.SERVER_ERROR, Fault.OUR_ACCOUNT),
    "cmek_context_unavailable": (ErrorType.SERVER_ERROR, Fault.OUR_ACCOUNT),
    "compaction_unavailable": (ErrorType.SERVER_ERROR, None),
    "claude_code_version_too_old": (ErrorType.BAD_REQUEST, None),
    "claude_code_key_creator_not_member": (ErrorType.AUTH, None),
    "request_body_too_large_after_decoding": (ErrorType.TOO_LARGE, None),
    "thread_not_found": (ErrorType.NOT_FOUND, None),
}

_KMS: Final = "Look at the customer-managed encryption key: is it enabled, and can the provider reach it?"
RAISE_OWN_LIMIT: Final = (
    "The limit is one that you have set yourselves: raise or remove it in the Claude Console (Billing)."
)
NEXT_STEPS: Final = {
    "ramp_limit_exceeded": "Usage grows too fast: let traffic grow over minutes instead of at once.",
    "enforced_spend_limit_reached": (
        "The tier's monthly cap is reached; nothing is served before the 1st (UTC) unless it is raised in the Claude "
        "Console (Limits)."
    ),
    "contract_spend_limit_reached": "The contract's spend limit is reached: talk to the provider's account team.",
    "organization_on_hold": "The provider has disabled the organization: read the appeal's address in the answer.",
    "cmek_key_disabled": _KMS,
    "cmek_key_network_blocked": _KMS,
    "cmek_key_unreachable": _KMS,
    "cmek_context_unavailable": _KMS,
    "claude_code_version_too_old": "Update Claude Code.",
    "claude_code_key_creator_not_member": "The key's creator has left the organization: make a new key.",
}

CORS: Final = "CORS requests are not allowed"
SELF_LIMIT: Final = re.compile(r"(?i)you have reached your specified (?:\w+ )?api usage limits")
_BROKE: Final = re.compile(r"(?i)credit balance is too low")
_TOO_LONG: Final = re.compile(r"(?i)prompt is too long|exceed(?:s|ed)? (?:the )?(?:model'?s? )?(?:maximum )?context")


def by_message(said: str) -> ErrorType:
    """The word for an `invalid_request_error`: spend limits and long prompts have this type, too, and no code."""
    if SELF_LIMIT.search(said) or _BROKE.search(said):
        return ErrorType.SPEND_CAP
    return ErrorType.CONTEXT_EXCEEDED if _TOO_LONG.search(said) else ErrorType.BAD_REQUEST


ASKED_WRONGLY: Final = frozenset({400, 401, 402, 403, 404, 413, 422})
"""Statuses that blame the request, whoever has checked it."""

_STATUSES: Final = {
    401: ErrorType.AUTH,
    402: ErrorType.SPEND_CAP,
    403: ErrorType.PERMISSION,
    404: ErrorType.NOT_FOUND,
    408: ErrorType.TIMEOUT,
    413: ErrorType.TOO_LARGE,
    429: ErrorType.THROTTLED,
    499: ErrorType.RESET,
    504: ErrorType.TIMEOUT,
    529: ErrorType.OVERLOADED,
}

IN_BETWEEN: Final = {408: ErrorType.TIMEOUT, 413: ErrorType.TOO_LARGE, 422: ErrorType.BAD_REQUEST, 499: ErrorType.RESET}
"""Statuses that intermediaries give and that have one meaning, whatever the body is."""


def by_status(status: int) -> ErrorType:
    """The word for an error whose type nobody knows; the API may add types at any time."""
    return _STATUSES.get(status) or (ErrorType.SERVER_ERROR if status >= 500 else ErrorType.BAD_REQUEST)


CLOUDS: Final = {
    # AWS
    "ThrottlingException": ErrorType.THROTTLED,
    "TooManyRequestsException": ErrorType.THROTTLED,
    "ServiceQuotaExceededException": ErrorType.THROTTLED,
    "ModelNotReadyException": ErrorType.OVERLOADED,
    "AccessDeniedException": ErrorType.PERMISSION,
    "UnrecognizedClientException": ErrorType.AUTH,
    "InvalidSignatureException": ErrorType.AUTH,
    "ExpiredTokenException": ErrorType.AUTH,
    "MissingAuthenticationTokenException": ErrorType.AUTH,
    "ValidationException": ErrorType.BAD_REQUEST,
    "ResourceNotFoundException": ErrorType.NOT_FOUND,
    "ModelTimeoutException": ErrorType.TIMEOUT,
    "ModelErrorException": ErrorType.SERVER_ERROR,
    "InternalServerException": ErrorType.SERVER_ERROR,
    "ServiceUnavailableException": ErrorType.SERVER_ERROR,
    # Google
    "RESOURCE_EXHAUSTED": ErrorType.THROTTLED,
    "UNAUTHENTICATED": ErrorType.AUTH,
    "PERMISSION_DENIED": ErrorType.PERMISSION,
    "NOT_FOUND": ErrorType.NOT_FOUND,
    "INVALID_ARGUMENT": ErrorType.BAD_REQUEST,
    "FAILED_PRECONDITION": ErrorType.BAD_REQUEST,
    "DEADLINE_EXCEEDED": ErrorType.TIMEOUT,
    "INTERNAL": ErrorType.SERVER_ERROR,
    "UNAVAILABLE": ErrorType.SERVER_ERROR,
}
"""Errors of the clouds that sell the models, by their own names."""
