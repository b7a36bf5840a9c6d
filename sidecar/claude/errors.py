"""What a failed request means: in one word, whose fault it is, and what to do next."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from sidecar.claude import clouds


class ErrorType(StrEnum):
    """Every word that may stand in the label `error_type`."""

    # What the API says.
    THROTTLED = "throttled"
    OVERLOADED = "overloaded"
    SPEND_CAP = "spend_cap"
    AUTH = "auth"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    CONTEXT_EXCEEDED = "context_exceeded"
    SERVER_ERROR = "server_error"
    NOT_JSON = "not_json"  # something in between has answered
    # What a stream does after its 200.
    STALLED = "stalled"  # no bytes
    PING_ONLY = "ping_only"  # no content
    TRUNCATED = "truncated"  # no end
    STREAM_ERROR = "stream_error"
    # What the network does.
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    TIMEOUT = "timeout"
    # What a check of ours finds.
    ASSERTION = "assertion"
    EXIT_CODE = "exit_code"
    MISSED = "missed"  # a job did not call in
    INTERNAL = "internal"  # the check's own code has failed


class Fault(StrEnum):
    """Whose it is to mend."""

    OUR_REQUEST = "our_request"
    OUR_KEY = "our_key"
    OUR_ACCOUNT = "our_account"
    GATEWAY = "gateway"
    NETWORK = "network"
    PROVIDER = "provider"


class Outcome(StrEnum):
    """How a request ended, in the label `outcome`."""

    OK = "ok"
    FAILED = "failed"
    REFUSED = "refused"  # turned down for what is ours: the request, the key, the account, the quota


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request. `message` quotes the API: in one bounded line, without what looks like a credential."""

    error_type: ErrorType
    message: str
    fault: Fault
    retryable: bool
    retry_after: float | None = None  # seconds
    next_step: str = ""
    api_type: str = ""  # the API's own error.type and error_code, as evidence
    error_code: str = ""
    request_id: str = ""

    @property
    def outcome(self) -> Outcome:
        return outcome(self.error_type)


_REFUSED: Final = frozenset(
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


def outcome(error_type: str) -> Outcome:
    """The outcome of a request that ended with *error_type*; the empty word is none."""
    if not error_type:
        return Outcome.OK
    return Outcome.REFUSED if error_type in _REFUSED else Outcome.FAILED


def classify(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """What an answer means that is no success: by the API's own words, by its status only where they say nothing."""
    lowered = {name.lower(): value for name, value in headers.items()}
    answered = _object(body)
    outer = _inner(answered)
    request_id = _line(lowered.get("request-id", "") or _text(outer, "request_id"))
    cloud = clouds.read(lowered, outer)
    error = outer.get("error")
    if cloud is not None:
        api_type, known, said = cloud
        code = ""
        # None of the clouds has spend caps of the API's kind, so a limit there is one of the rate.
        word, fault, retryable = _meaning(status, known, code, said, lowered | {"x-should-retry": "true"})
    elif isinstance(error, dict) and (_text(error, "type") or _text(error, "message")):
        api_type, code, said = _text(error, "type"), _code(error), _text(error, "message")
        direct = outer is answered and (request_id or any(name.startswith("anthropic-ratelimit-") for name in lowered))
        # Gateways drop retry-after, so only the API itself says something by leaving it out.
        hints = lowered if direct else {"x-should-retry": "true"} | lowered
        word, fault, retryable = _meaning(status, api_type, code, said, hints)
        if fault is Fault.PROVIDER and api_type not in _TYPES and not request_id:
            fault = Fault.GATEWAY  # an answer of the API has an id and a type of the API's
    else:
        return _not_the_api(status, lowered, request_id, _words(outer))
    return Failure(
        word,
        _line(f"HTTP {status} {code or api_type or 'without a type'}: {said or 'no message'}"),
        fault,
        retryable,
        _retry_after(lowered) if retryable else None,
        _next(word, code, said),
        _line(api_type),
        _line(code),
        request_id,
    )


def classify_event(error: Any, request_id: str = "") -> Failure:
    """What an error means that comes in a stream, after its 200: *error* is the `error` of the event's data."""
    error = error if isinstance(error, Mapping) else {}
    api_type, code = _text(error, "type"), _code(error)
    word, fault, retryable = ErrorType.STREAM_ERROR, Fault.PROVIDER, True
    if code in _CODES or api_type in _TYPES:
        # The headers of the 200 say nothing about what came after it, so a limit is a limit of the rate.
        word, fault, retryable = _meaning(200, api_type, code, _text(error, "message"), {"retry-after": ""})
    said = _text(error, "message") or "no message"
    message = f"{code or api_type or 'an error without a type'} inside the stream, after HTTP 200: {said}"
    step = _next(word, code, said)
    return Failure(word, _line(message), fault, retryable, None, step, _line(api_type), _line(code), request_id)


def not_the_api(status: int, headers: Mapping[str, str]) -> Failure:
    """An answer in which the API's JSON was expected and something else stood."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return _not_the_api(status, lowered, lowered.get("request-id", ""))


_LONGEST: Final = 300  # characters of a message
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_CREDENTIAL: Final = re.compile(
    r"\b(?:sk-[\w-]{6,}|eyJ[\w-]{6,}[\w.-]*|AKIA\w{12,}|(?:bearer|basic)\s+(?=\S*\d)[\w.~+/=-]{8,})", re.IGNORECASE
)

_Meaning = tuple[ErrorType, Fault, bool]

_CODES: Final[Mapping[str, _Meaning]] = {
    "ramp_limit_exceeded": (ErrorType.THROTTLED, Fault.OUR_ACCOUNT, True),
    "enforced_spend_limit_reached": (ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False),
    "contract_spend_limit_reached": (ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False),
    "linked_organization_spend_limit_reached": (ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False),
    "linked_organization_billing_unavailable": (ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False),
    "organization_on_hold": (ErrorType.PERMISSION, Fault.OUR_ACCOUNT, False),
    "cmek_key_disabled": (ErrorType.PERMISSION, Fault.OUR_ACCOUNT, False),
    "cmek_key_network_blocked": (ErrorType.PERMISSION, Fault.OUR_ACCOUNT, False),
    "cmek_key_unreachable": (ErrorType.SERVER_ERROR, Fault.OUR_ACCOUNT, True),
    "cmek_context_unavailable": (ErrorType.SERVER_ERROR, Fault.OUR_ACCOUNT, True),
    "compaction_unavailable": (ErrorType.OVERLOADED, Fault.PROVIDER, True),
    "claude_code_version_too_old": (ErrorType.BAD_REQUEST, Fault.OUR_REQUEST, False),
    "claude_code_key_creator_not_member": (ErrorType.AUTH, Fault.OUR_KEY, False),
    "request_body_too_large_after_decoding": (ErrorType.TOO_LARGE, Fault.OUR_REQUEST, False),
}

_TYPES: Final[Mapping[str, _Meaning]] = {
    "invalid_request_error": (ErrorType.BAD_REQUEST, Fault.OUR_REQUEST, False),
    "authentication_error": (ErrorType.AUTH, Fault.OUR_KEY, False),
    "billing_error": (ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False),
    "permission_error": (ErrorType.PERMISSION, Fault.OUR_KEY, False),
    "not_found_error": (ErrorType.NOT_FOUND, Fault.OUR_REQUEST, False),
    "request_too_large": (ErrorType.TOO_LARGE, Fault.OUR_REQUEST, False),
    "rate_limit_error": (ErrorType.THROTTLED, Fault.OUR_ACCOUNT, True),
    "timeout_error": (ErrorType.TIMEOUT, Fault.PROVIDER, True),
    "api_error": (ErrorType.SERVER_ERROR, Fault.PROVIDER, True),
    "overloaded_error": (ErrorType.OVERLOADED, Fault.PROVIDER, True),
    "conflict_error": (ErrorType.BAD_REQUEST, Fault.OUR_REQUEST, True),
    "memory_precondition_failed_error": (ErrorType.BAD_REQUEST, Fault.OUR_REQUEST, False),
    "memory_path_conflict_error": (ErrorType.BAD_REQUEST, Fault.OUR_REQUEST, False),
}

# For an error in the API's shape whose type nobody has told us about: the list is open by policy.
_STATUSES: Final[Mapping[int, _Meaning]] = {
    401: (ErrorType.AUTH, Fault.OUR_KEY, False),
    402: (ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False),
    403: (ErrorType.PERMISSION, Fault.OUR_KEY, False),
    404: (ErrorType.NOT_FOUND, Fault.OUR_REQUEST, False),
    408: (ErrorType.TIMEOUT, Fault.GATEWAY, True),
    413: (ErrorType.TOO_LARGE, Fault.OUR_REQUEST, False),
    429: (ErrorType.THROTTLED, Fault.OUR_ACCOUNT, True),
    499: (ErrorType.TIMEOUT, Fault.GATEWAY, True),  # a gateway that saw its client hang up
    502: (ErrorType.SERVER_ERROR, Fault.GATEWAY, True),
    504: (ErrorType.TIMEOUT, Fault.PROVIDER, True),
    529: (ErrorType.OVERLOADED, Fault.PROVIDER, True),
}

# These have no code of their own, and no other mark than their words.
_OWN_LIMIT: Final = re.compile(r"reached your specified\b[^.]*\busage limits?|credit balance is too low", re.IGNORECASE)
_TOO_LONG: Final = re.compile(r"prompt is too long|context (?:window|limit)|exceeds? .*\bcontext\b", re.IGNORECASE)
# LiteLLM's router, when every deployment has failed a moment before, for whatever reason; a budget is another matter.
_PAUSED: Final = re.compile(r"No deployments available(?! - crossed budget)")
_REMAINING: Final = re.compile(r"anthropic-ratelimit-.*-remaining|x-ratelimit-remaining-.*")
_QUOTED: Final = re.compile(r'\{"type": ?"error", ?"error": ?\{')
_BROWSER: Final = "CORS requests are not allowed"

_NEXT: Final[Mapping[str, str]] = {
    ErrorType.THROTTLED: "Wait as long as retry-after says, spread requests, or ask for a higher limit.",
    "ramp_limit_exceeded": "Usage grows too fast: raise it more slowly.",
    ErrorType.OVERLOADED: "Claude lacks capacity for this model; not your quota. Back off, or route to another model.",
    ErrorType.SPEND_CAP: "Raise the limit or buy credit in the Claude Console (Settings, Limits and Billing).",
    "enforced_spend_limit_reached": "The month's limit is used up: raise it in the Console, or wait for the 1st, UTC.",
    "contract_spend_limit_reached": "The contract's limit is used up: talk to your account team.",
    ErrorType.AUTH: "Check in the Console whether the key was revoked or has expired, and put a valid one here.",
    ErrorType.PERMISSION: "Check what the key's workspace may use: models, regions, features.",
    "organization_on_hold": "The organization is on hold: read the message, and appeal where it says.",
    "cmek_key_disabled": "Enable the customer-managed encryption key.",
    "cmek_key_network_blocked": "Let the API reach the customer-managed encryption key.",
    ErrorType.NOT_FOUND: "Check the model's id (unknown or retired?) and the path of the base URL.",
    ErrorType.BAD_REQUEST: "Correct the request: the message names the field.",
    ErrorType.TOO_LARGE: "Send a smaller request: 32 MB is the most, less behind other clouds.",
    ErrorType.CONTEXT_EXCEEDED: "Send a shorter prompt: it does not fit the model's window.",
    ErrorType.SERVER_ERROR: "See https://status.claude.com; quote the request id to the provider.",
    ErrorType.NOT_JSON: "Look at the proxy or load balancer between here and the API: it has answered, not the API.",
    ErrorType.TIMEOUT: "Stream long answers, and look at what limits time between here and the API.",
    ErrorType.STREAM_ERROR: "See https://status.claude.com; quote the request id to the provider.",
}

_AFTER_PAUSE: Final = (
    "The gateway has paused every deployment of the model after failures: its log says which failures."
)


def _meaning(status: int, api_type: str, code: str, message: str, headers: Mapping[str, str]) -> _Meaning:
    if code in _CODES:
        return _CODES[code]
    meaning = _TYPES.get(api_type) or _STATUSES.get(status)
    if meaning is None:
        ours = 400 <= status < 500
        word = ErrorType.BAD_REQUEST if ours else ErrorType.SERVER_ERROR
        meaning = (word, Fault.OUR_REQUEST if ours else Fault.PROVIDER, not ours)
    match meaning[0]:
        case ErrorType.THROTTLED if _PAUSED.search(message):
            return ErrorType.SERVER_ERROR, Fault.PROVIDER, True
        case ErrorType.THROTTLED if api_type == "rate_limit_error" and not _passes(headers):
            return ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False
        case ErrorType.BAD_REQUEST if _OWN_LIMIT.search(message):
            return ErrorType.SPEND_CAP, Fault.OUR_ACCOUNT, False
        case ErrorType.BAD_REQUEST if status == 413:
            return ErrorType.TOO_LARGE, Fault.OUR_REQUEST, False
        case ErrorType.BAD_REQUEST if _TOO_LONG.search(message):
            return ErrorType.CONTEXT_EXCEEDED, Fault.OUR_REQUEST, False
        case ErrorType.AUTH if message.startswith(_BROWSER):
            return ErrorType.BAD_REQUEST, Fault.OUR_REQUEST, False
        case _:
            return meaning


def _next(word: ErrorType, code: str, message: str) -> str:
    return _AFTER_PAUSE if _PAUSED.search(message) else _NEXT.get(code) or _NEXT[word]


def _passes(headers: Mapping[str, str]) -> bool:
    """Whether a 429 is over some day soon: a spent budget alone comes without a hint when to ask again."""
    hint = headers.get("x-should-retry", "").strip().lower()
    if hint in ("true", "false"):
        return hint == "true"  # gateways mark their own caps with it
    if "retry-after" in headers or "retry-after-ms" in headers:
        return True
    if headers.get("anthropic-ratelimit-unified-status", "allowed") != "allowed":
        return True  # a subscription's share of the hours or the week
    # A gateway that drops retry-after may still show which limit was hit.
    return any(_REMAINING.fullmatch(name) and value.strip() == "0" for name, value in headers.items())


def _words(outer: Mapping[str, Any]) -> str:
    """What a gateway says in JSON of its own."""
    return next(
        (text for key in ("error", "message", "detail", "error_description") if (text := _text(outer, key))), ""
    )


def _not_the_api(status: int, headers: Mapping[str, str], request_id: str, said: str = "") -> Failure:
    kind = headers.get("content-type", "").partition(";")[0].strip()[:60] or "no content type"
    server = headers.get("server", "").strip()[:60] or "an unnamed server"
    words = f"; it says: {said}" if said else ""
    message = _line(f"HTTP {status} from {server} with {kind}, expected the API's JSON{words}")
    if status == 413:  # Cloudflare answers it in front of the API
        return Failure(ErrorType.TOO_LARGE, message, Fault.OUR_REQUEST, False, None, _NEXT[ErrorType.TOO_LARGE])
    retryable = status in (408, 425, 429, 499) or status >= 500 or status < 300
    return Failure(
        ErrorType.NOT_JSON,
        message,
        Fault.GATEWAY,
        retryable,
        _retry_after(headers) if retryable else None,
        _NEXT[ErrorType.NOT_JSON],
        request_id=request_id,
    )


def _object(body: bytes) -> Mapping[str, Any]:
    """The JSON object that *body* is; an empty one when it is none."""
    try:
        outer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return outer if isinstance(outer, dict) else {}


def _inner(outer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The API's error that a gateway quotes in the message of an error of its own, as LiteLLM does; else *outer*."""
    error = outer.get("error")
    said = _text(error, "message") if isinstance(error, dict) else ""
    found = _QUOTED.search(said)
    if found is None:
        return outer
    try:
        quoted, _ = json.JSONDecoder().raw_decode(said, found.start())
    except (ValueError, RecursionError):
        return outer  # cut short on its way
    return quoted if isinstance(quoted, dict) and isinstance(quoted.get("error"), dict) else outer


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


def _code(error: Mapping[str, Any]) -> str:
    details = error.get("details")
    return _text(details, "error_code") if isinstance(details, dict) else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms` or `retry-after`; a date there counts from the answer's own date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
            return float(text) * unit
    until, now = _moment(headers.get("retry-after", "")), _moment(headers.get("date", ""))
    return None if until is None or now is None else max(0.0, until - now)


def _moment(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, IndexError):
        return None


def _line(said: str) -> str:
    """*said* in one line of bounded length; gateways are known to repeat the key that they did not take."""
    shown = _SPACE.sub(" ", _CREDENTIAL.sub("***", said[: 4 * _LONGEST])).strip()
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
