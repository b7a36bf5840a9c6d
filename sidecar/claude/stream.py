"""What a streamed message was: when its parts came, what it used, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sidecar.claude import usage
from sidecar.claude._json import mapping, read_object, text
from sidecar.claude.errors import ErrorType, Failure, failure, of_stream_error
from sidecar.claude.sse import Decoder, Event, StreamBroken
from sidecar.claude.usage import Usage

__all__ = ["Decoder", "Event", "Fold", "StreamBroken", "StreamResult"]

_AT_ONCE: Final = 0.01
"""Seconds within which no model writes a message of several parts: what comes so close was held back."""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """A stream that is over. Times are those of the caller's clock; None: it did not happen.

    `first_content` is the first delta of any kind, `first_text` the first that can be read; `max_gap` is the longest
    silence between two events, `max_content_gap` between two deltas, in seconds, 0.0 with fewer than two. `finished`:
    `message_stop` was seen. `failure` is None for a whole message, however it stopped. `chunks` are the pieces in which
    the bytes came, `events` the events, pings among them.
    """

    first_event: float | None
    first_content: float | None
    first_text: float | None
    last_content: float | None
    max_gap: float
    max_content_gap: float
    usage: Usage
    stop_reason: str
    stop_category: str  # of a refusal
    model: str
    message_id: str
    finished: bool
    failure: Failure | None
    pings: int
    events: int
    chunks: int
    deltas: int

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second between the first and the last delta; None when that cannot be told."""
        if self.first_content is None or self.last_content is None or self.usage.output < 2:
            return None
        span = self.last_content - self.first_content
        return (self.usage.output - 1) / span if span > _AT_ONCE else None

    @property
    def buffered(self) -> bool:
        """Whether the whole message came at once, which only something in between can bring about."""
        if self.first_event is None or self.last_content is None or not self.finished or self.deltas < 3:
            return False
        return self.last_content - self.first_event <= _AT_ONCE


class Fold:
    """Follows one stream; mutable, fed in the order of the wire.

    After a failure the rest of the stream changes nothing any more but the times of bytes.
    """

    def __init__(self) -> None:
        self.last_bytes: float | None = None
        self.first_content: float | None = None
        self.failure: Failure | None = None
        self.finished = False
        self.pings = 0
        self._first_event: float | None = None
        self._first_text: float | None = None
        self._last_event: float | None = None
        self._last_content: float | None = None
        self._max_gap = 0.0
        self._max_content_gap = 0.0
        self._message: Mapping[str, Any] = {}
        self._usage: Mapping[str, Any] = {}
        self._stop: Mapping[str, Any] = {}
        self._events = 0
        self._chunks = 0
        self._deltas = 0

    def bytes(self, at: float) -> None:
        """Bytes came, whatever they were: a ping or half an event shows that the line is not dead."""
        self.last_bytes = at
        self._chunks += 1

    def take(self, event: Event, at: float) -> None:
        """An event came; names that nobody knows are passed over, as the API asks."""
        if self.failure is not None or self.finished:
            return
        self._events += 1
        self._first_event = at if self._first_event is None else self._first_event
        if self._last_event is not None:
            self._max_gap = max(self._max_gap, at - self._last_event)
        self._last_event = at
        data = read_object(event.data)
        if data is None:
            if event.data.strip() != "[DONE]":  # gateways that speak OpenAI's dialect, too, add it
                self._fail(f"the event {event.name[:40]!r} holds no JSON object")
            return
        self._understand(text(data.get("type")) or event.name, data, at)

    def _understand(self, name: str, data: Mapping[str, Any], at: float) -> None:
        match name:
            case "ping":
                self.pings += 1
            case "error":
                self.failure = of_stream_error(data)
            case "message_start":
                self._message = mapping(data.get("message"))
                self._usage = usage.merge(self._usage, mapping(self._message.get("usage")))
            case "content_block_delta":
                self._content(mapping(data.get("delta")), at)
            case "message_delta":
                self._stop = usage.merge(self._stop, mapping(data.get("delta")))
                self._usage = usage.merge(self._usage, mapping(data.get("usage")))
            case "message_stop":
                self._finish()

    def _content(self, delta: Mapping[str, Any], at: float) -> None:
        self._deltas += 1
        if self.first_content is None:
            self.first_content = at
        if self._last_content is not None:
            self._max_content_gap = max(self._max_content_gap, at - self._last_content)
        self._last_content = at
        if self._first_text is None and text(delta.get("text")):
            self._first_text = at

    def _finish(self) -> None:
        if not text(self._message.get("model")):
            self._fail("message_stop came without a message_start that names the model")
        elif not text(self._stop.get("stop_reason")):
            self._fail("message_stop came without a stop_reason")
        else:
            self.finished = True

    def _fail(self, message: str) -> None:
        self.failure = failure(ErrorType.STREAM_ERROR, f"in the stream, {message}")

    def end(self, at: float, *, closed: bool = True) -> StreamResult:
        """The stream is over at *at*: the peer has closed it, or, not *closed*, the caller has waited long enough.

        A stream without its end is `truncated` when it was closed. Otherwise it is `ping_only` when nothing but pings
        came since the start of the message, and `timeout` when it was just too slow.
        """
        found = self.failure
        if found is None and not self.finished:
            found = self._broken_off(at) if closed else self._given_up(at)
        return StreamResult(
            first_event=self._first_event,
            first_content=self.first_content,
            first_text=self._first_text,
            last_content=self._last_content,
            max_gap=self._max_gap,
            max_content_gap=self._max_content_gap,
            usage=usage.parse(self._usage),
            stop_reason=text(self._stop.get("stop_reason")),
            stop_category=text(mapping(self._stop.get("stop_details")).get("category")),
            model=text(self._message.get("model")),
            message_id=text(self._message.get("id")),
            finished=self.finished,
            failure=found,
            pings=self.pings,
            events=self._events,
            chunks=self._chunks,
            deltas=self._deltas,
        )

    def _broken_off(self, at: float) -> Failure:
        if self._chunks and not self._events:
            return failure(ErrorType.NOT_JSON, "the answer ended without any event, expected a stream of events")
        return failure(
            ErrorType.TRUNCATED, f"the stream closed after {self._so_far(at)}, expected message_stop before its end"
        )

    def _given_up(self, at: float) -> Failure:
        if self.pings and self.first_content is None:
            return failure(ErrorType.PING_ONLY, f"the stream brought {self._so_far(at)}, expected content")
        return failure(ErrorType.TIMEOUT, f"the stream was not over after {self._so_far(at)}")

    def _so_far(self, at: float) -> str:
        counts = f"{self._events} events ({self._deltas} with content, {self.pings} pings)"
        if self._last_event is None:
            return counts
        return f"{counts}, the last one {at - self._last_event:.1f}s before"
