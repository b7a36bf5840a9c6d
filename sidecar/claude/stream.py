"""A streamed message: what has been seen of it, and whether it went well."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sidecar.claude.errors import ErrorType, Failure, Fault, classify_event
from sidecar.claude.sse import Event
from sidecar.claude.usage import Usage

_NOTHING: Final = Usage()
_AT_ONCE: Final = 0.01  # seconds in which no model writes a message: pieces that come so close were held back


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What the events so far say. Times are what the caller passes in, in seconds on a clock of its own."""

    started: bool = False  # message_start was seen
    finished: bool = False  # message_stop was seen
    message_id: str = ""
    model: str = ""
    stop_reason: str | None = None
    usage: Usage = _NOTHING
    error: Failure | None = None
    first_event_at: float | None = None
    last_event_at: float | None = None
    first_content_at: float | None = None  # the first delta of any kind: that is the time to first token
    first_text_at: float | None = None  # the first delta of text that a reader sees
    last_content_at: float | None = None
    max_gap: float = 0.0  # the longest time between two events, pings among them
    events: int = 0
    deltas: int = 0
    pings: int = 0
    unreadable: int = 0  # events whose data is no JSON object

    @property
    def over(self) -> bool:
        """Whether nothing that follows could change the result."""
        return self.finished or self.error is not None

    @property
    def ping_only(self) -> bool:
        """Whether the stream keeps itself alive and says nothing."""
        return self.first_content_at is None and self.stop_reason is None and self.pings > 0

    @property
    def tokens_per_second(self) -> float | None:
        """Between the first and the last delta; None when that is no time, as behind a gateway that buffers."""
        if self.first_content_at is None or self.last_content_at is None or not self.finished:
            return None
        seconds = self.last_content_at - self.first_content_at
        return (self.usage.output_tokens - 1) / seconds if seconds > _AT_ONCE and self.usage.output_tokens > 1 else None

    def after(self, event: Event, at: float) -> "StreamResult":
        """This result with one more *event*, which came at *at*. Events of an unknown type change times alone."""
        seen = replace(
            self,
            events=self.events + 1,
            first_event_at=at if self.first_event_at is None else self.first_event_at,
            last_event_at=at,
            max_gap=self.max_gap if self.last_event_at is None else max(self.max_gap, at - self.last_event_at),
        )
        data = _object(event.data)
        if data is None:
            return replace(seen, unreadable=seen.unreadable + 1)
        match data.get("type", event.name):
            case "message_start":
                return _begun(seen, data.get("message"))
            case "content_block_delta":
                return _delta(seen, data.get("delta"), at)
            case "message_delta":
                return _progressed(seen, data)
            case "message_stop":
                return replace(seen, finished=True)
            case "ping":
                return replace(seen, pings=seen.pings + 1)
            case "error":
                return replace(seen, error=classify_event(data.get("error"), _text(data, "request_id")))
            case "message" if isinstance(data.get("error"), dict):  # as gateways say it, without the event's name
                return replace(seen, error=classify_event(data["error"]))
            case _:
                return seen


def judge(result: StreamResult) -> Failure | None:
    """What is wrong with a stream that has ended; None when it is whole, whatever its stop reason."""
    if result.error is not None:
        return result.error
    if result.finished and result.started and result.stop_reason:
        return None
    if result.finished and result.started:
        return _failure(ErrorType.STREAM_ERROR, "the stream ended properly, but no message_delta gave a stop_reason")
    if result.finished:
        return _failure(ErrorType.STREAM_ERROR, "the stream ended properly, but never began: no message_start came")
    if result.events == result.unreadable:
        found = f"{result.events} events that are no JSON" if result.events else "no event"
        return _failure(ErrorType.TRUNCATED, f"the stream closed after {found}, expected message_start … message_stop")
    after = f"{result.events} events and {result.deltas} pieces of content"
    return _failure(ErrorType.TRUNCATED, f"the stream closed after {after}, without message_stop")


def _begun(seen: StreamResult, message: Any) -> StreamResult:
    message = message if isinstance(message, Mapping) else {}
    return replace(
        seen,
        started=True,
        message_id=_text(message, "id"),
        model=_text(message, "model"),
        usage=seen.usage.updated(message.get("usage")),
    )


def _delta(seen: StreamResult, delta: Any, at: float) -> StreamResult:
    text = isinstance(delta, Mapping) and delta.get("type") == "text_delta"
    return replace(
        seen,
        deltas=seen.deltas + 1,
        first_content_at=at if seen.first_content_at is None else seen.first_content_at,
        first_text_at=at if text and seen.first_text_at is None else seen.first_text_at,
        last_content_at=at,
    )


def _progressed(seen: StreamResult, data: Mapping[str, Any]) -> StreamResult:
    delta = data.get("delta")
    reason = _text(delta, "stop_reason") if isinstance(delta, Mapping) else ""
    return replace(seen, stop_reason=reason or seen.stop_reason, usage=seen.usage.updated(data.get("usage")))


def _failure(word: ErrorType, message: str) -> Failure:
    step = "If only streams through the gateway break, look at its timeouts; else see https://status.claude.com."
    return Failure(word, message, Fault.GATEWAY, retryable=True, next_step=step)


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
