"""What went wrong: one word, whose fault it is, whether trying again helps, and what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sidecar.claude import _words
from sidecar.claude._json import mapping, read_object, text
from sidecar.claude._words import ErrorType, Fault
from sidecar.claude.retry import retry_after

__all__ = ["ErrorType", "Failure", "Fault", "Outcome", "classify", "failure", "of_stream_error", "outcome"]


class Outcome(StrEnum):
    """How a request ended: the label `outcome`."""

    OK = "ok"
    FAILED = "failed"  # an outage for whoever asked
    REFUSED = "refused"  # turned away for the request, the key, the account or a limit of it


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without success.

    `message` is for a person, in one line, and holds no credential; `retry_after` is in seconds, None when nobody said;
    `request_id` is what the provider's support asks for, empty when the API has not answered.
    """

    error_type: ErrorType
    message: str
    fault: Fault
    retryable: bool
    retry_after: float | None
    next_step: str
    request_id: str = ""

    @property
    def outcome(self) -> Outcome:
        """Failed or refused."""
        return outcome(self.error_type)


_SHOWN: Final = 300
_CREDENTIAL: Final = re.compile(
    r"(?i)\b(sk-[\w-]{6,}|(?:bearer|basic)\s+(?=\S*\d)[\w.~+/=-]{8,}|eyJ[\w-]{8,}[\w.-]*|AKIA\w{12,})"
)
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def outcome(error_type: str) -> Outcome:
    """The outcome of a request with the word *error_type*; an empty one is success."""
    if not error_type:
        return Outcome.OK
    return Outcome.REFUSED if error_type in _words.REFUSED else Outcome.FAILED


def failure(error_type: str, message: str, *, fault: Fault | None = None, retry_after: float | None = None) -> Failure:
    """A failure that no answer told: what is known of any word, such as `dns` or `stalled`."""
    word = ErrorType(error_type)
    known = _words.ABOUT[word]
    return Failure(word, _line(message), fault or known.fault, known.retryable, retry_after, known.next_step)


def classify(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """What an answer without success means.

    The body's `error_code` and `type` decide. The status is asked only where the body names a type that nobody knows;
    a body that is no error of the API comes from something in between, and is `not_json` whatever its status.
    """
    answer = read_object(body)
    lower = {name.lower(): value for name, value in headers.items()}
    foreign = _foreign(lower, answer)
    if foreign is not None:
        found = failure(foreign[0], f"HTTP {status}, {foreign[1]}", retry_after=retry_after(lower))
    elif answer is None or not _is_error(answer):
        found = _not_ours(status, lower, body, answer)
    else:
        found = _error(status, lower, mapping(answer["error"]))
    request_id = lower.get("request-id") or text((answer or {}).get("request_id"))
    found = replace(found, request_id=_line(request_id)[:80])
    return _hinted(found, lower.get("x-should-retry"))


def of_stream_error(data: Mapping[str, Any]) -> Failure:
    """What an `error` event means that came after the 200; a type that nobody knows is `stream_error`.

    There are no headers to ask, so that a rate limit is `throttled` unless its code says more.
    """
    return _error(200, {}, mapping(data.get("error")))


def _error(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> Failure:
    """The API's own error object, or one of its form."""
    type_, said = text(error.get("type")), text(error.get("message"))
    code = text(mapping(error.get("details")).get("error_code"))
    word, fault = _words.CODES.get(code) or _typed(type_, said, status, headers)
    where = "in the stream" if status == 200 else f"HTTP {status}"
    names = "/".join(name for name in (type_, code) if name) or "an error without a type"
    found = failure(
        word, f"{where}, {names}: {said}" if said else f"{where}, {names}", retry_after=retry_after(headers)
    )
    known = fault if fault is not None else found.fault
    step = _words.NEXT_STEPS.get(code, found.next_step)
    if word is ErrorType.BAD_REQUEST and said.startswith(_words.CORS):
        step = "Send no Origin header: the API takes no requests from browsers' pages."
    if word is ErrorType.SPEND_CAP and _words.SELF_LIMIT.search(said):
        step = _words.RAISE_OWN_LIMIT
    return replace(found, fault=known, next_step=step, retryable=found.retryable or type_ == "conflict_error")


def _typed(type_: str, said: str, status: int, headers: Mapping[str, str]) -> tuple[ErrorType, Fault | None]:
    """The word for an error by its type; the message only tells apart what the API gives one type and no code."""
    match type_:
        case "invalid_request_error":
            return _words.by_message(said), None
        case "authentication_error" if said.startswith(_words.CORS):
            return ErrorType.BAD_REQUEST, None
        case "rate_limit_error":
            return (ErrorType.THROTTLED if status == 200 or _is_passing(headers) else ErrorType.SPEND_CAP), None
        case _ if type_ in _words.TYPES:
            return _words.TYPES[type_], None
        case _ if status == 200:
            return ErrorType.STREAM_ERROR, None
        case _:
            # Whoever answers with a type that the API does not have is likely not the API.
            from_api = "request-id" in headers or status in _words.ASKED_WRONGLY
            return _words.by_status(status), None if from_api else Fault.GATEWAY


def _is_passing(headers: Mapping[str, str]) -> bool:
    """Whether a 429 is a rate limit. A spend limit has no `retry-after`, because waiting does not help."""
    hint = headers.get("x-should-retry", "").strip().lower()
    if hint in ("true", "false"):
        return hint == "true"
    if "retry-after" in headers or "retry-after-ms" in headers:
        return True
    # Gateways drop `retry-after`: then a limit that is used up still tells which of the two it is.
    return any(
        (name.endswith("-remaining") or name.startswith("x-ratelimit-remaining")) and value.strip() == "0"
        for name, value in headers.items()
    ) or (headers.get("anthropic-ratelimit-unified-status", "allowed") != "allowed")


def _foreign(headers: Mapping[str, str], answer: Mapping[str, Any] | None) -> tuple[ErrorType, str] | None:
    """An error in AWS' or Google's form: its word, and what it says."""
    name = headers.get("x-amzn-errortype", "")
    said = ""
    if answer is not None:
        inner = mapping(answer.get("error"))
        name = name or text(answer.get("__type")) or ("" if "type" in inner else text(inner.get("status")))
        said = text(answer.get("message")) or text(answer.get("Message")) or text(inner.get("message"))
    name = name.partition(":")[0].rpartition("#")[2].strip()
    word = _words.CLOUDS.get(name)
    return None if word is None else (word, f"{name}: {said}" if said else name)


def _is_error(answer: Mapping[str, Any]) -> bool:
    error = mapping(answer.get("error"))
    return isinstance(error.get("type"), str) or isinstance(error.get("message"), str)


def _not_ours(status: int, headers: Mapping[str, str], body: bytes, answer: Mapping[str, Any] | None) -> Failure:
    """An answer by something in front of the API: a gateway, a proxy, a captive portal."""
    kind = "JSON of another form" if answer is not None else _kind(headers, body)
    server = headers.get("server", "").strip()
    by = f" by {server}" if server else ""
    excerpt = body[:400].decode("utf-8", "replace").strip()
    message = f"HTTP {status}{by}, {kind}; expected the API's JSON" + (
        f"; it begins with: {excerpt}" if excerpt else ""
    )
    word = _words.IN_BETWEEN.get(status, ErrorType.NOT_JSON)
    fault = Fault.NETWORK if 200 <= status < 400 or status == 511 else Fault.GATEWAY
    if word in _words.REFUSED:
        fault = Fault.OUR_REQUEST
    found = failure(word, message, fault=fault, retry_after=retry_after(headers))
    return replace(found, retryable=status in (408, 425, 429, 499) or status >= 500)


def _kind(headers: Mapping[str, str], body: bytes) -> str:
    if not body.strip():
        return "an empty body"
    if body.lstrip()[:1] == b"<" or "html" in headers.get("content-type", ""):
        return "a page of HTML"
    return "no JSON"


def _hinted(found: Failure, hint: str | None) -> Failure:
    """What the API says on retrying outweighs what the word does."""
    match (hint or "").strip().lower():
        case "true" if found.error_type is not ErrorType.SPEND_CAP:
            return replace(found, retryable=True)
        case "false":
            return replace(found, retryable=False)
        case _:
            return found


def _line(said: str) -> str:
    """*said* in one line of bounded length, without what looks like a credential."""
    shown = _SPACE.sub(" ", _CREDENTIAL.sub("***", said[: 4 * _SHOWN])).strip()
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
