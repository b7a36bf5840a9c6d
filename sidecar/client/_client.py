"""The client: calls that never wait and never raise."""

import atexit
import math
import os
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Literal, Self

from sidecar.client._batches import Event, Labels
from sidecar.client._sender import Sender
from sidecar.client._stats import Stats
from sidecar.client._wire import Wire

URL: Final = "http://127.0.0.1:9797"

_UNSAID: Final[Any] = object()
"""Of `retry_after`, None says something: the API gave none."""

_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


class Client:
    """Tells the sidecar at *url* what happens here.

    *url* is http://, https:// or unix:///path; without it the variable SIDECAR_URL, or http://127.0.0.1:9797. *token*
    is the sidecar's `http.token`, as a text or a function that knows it. *labels* are on every event. *sender* tells
    the processes of a gateway apart, each of which has gauges of its own; without it the process' id.

    Events wait in memory for *flush_interval* seconds, or for *batch_size* of them; if the sidecar is away, until it
    is back, *max_queue* of them for *max_age* seconds. Safe for threads, event loops and forks: a child begins
    with an empty queue and a thread of its own. Raises ValueError for an address that is none; nothing else raises.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | Callable[[], str] | None = None,
        labels: Mapping[str, str] | None = None,
        *,
        sender: str | None = None,
        flush_interval: float = 1.0,
        batch_size: int = 500,
        max_queue: int = 10_000,
        max_age: float = 300.0,
        timeout: float = 5.0,
    ) -> None:
        self._url = url or os.environ.get("SIDECAR_URL") or URL
        self._token = token
        self._labels = {str(name): str(text) for name, text in (labels or {}).items()}
        self._name = sender
        self._metas: dict[str, dict[str, Any]] = {}
        self._timeout = timeout
        self._make = partial(
            Sender,
            every=max(0.01, flush_interval),
            size=max(1, batch_size),
            most=max(1, max_queue),
            max_age=max_age,
            metas=self._metas,
        )
        self._sender = self._begin()
        _clients.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def increment(self, name: str, value: float = 1.0, /, **labels: object) -> None:
        """A counter grows by *value*; its name ends in _total."""
        self._sample("counter", name, value, labels)

    def gauge(self, name: str, value: float, /, **labels: object) -> None:
        """A gauge is *value* now."""
        self._sample("gauge", name, value, labels)

    def observe(self, name: str, value: float, /, **labels: object) -> None:
        """A histogram observes *value*; base units: seconds, bytes."""
        self._sample("histogram", name, value, labels)

    histogram = observe

    def timer(self, name: str, /, **labels: object) -> "Timer":
        """Observe how long a block takes: `with client.timer("tool_seconds", tool="search"):`."""
        return Timer(lambda seconds: self.observe(name, seconds, **labels))

    def describe(self, name: str, text: str = "", *, buckets: Iterable[float] = ()) -> None:
        """Say what a metric means, and between which upper *buckets* a histogram counts; before its first event."""
        meta: dict[str, Any] = {"help": str(text)} if text else {}
        bounds = [float(bound) for bound in buckets]
        self._metas[name] = meta | ({"buckets": bounds} if bounds else {})

    def request(
        self,
        *,
        model: str,
        target: str | None = None,
        status: int | None = None,
        error_type: str | None = None,
        error_code: str | None = None,
        error: Mapping[str, Any] | str | None = None,
        retry_after: float | None = _UNSAID,
        duration: float | None = None,
        time_to_first_token: float | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        usage: object = None,
        cost: float | None = None,
        stop_reason: str | None = None,
        retries: int | None = None,
        stream: bool | None = None,
        labels: Mapping[str, object] | None = None,
    ) -> None:
        """A request to Claude is over; times in seconds, *cost* in US dollars.

        Of a request that failed, *status* and the API's *error* object say why, or *error_type* in a word such as
        timeout. *retry_after* is that of a 429; None when the API gave none. *usage* is the API's object, or that of
        its library, instead of the four counts.
        """
        try:
            fields = {
                "model": model,
                "target": target,
                "status": status,
                "error_type": error_type,
                "error_code": error_code,
                "error": error,
                "duration": duration,
                "time_to_first_token": time_to_first_token,
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "cache_read_tokens": cache_read_tokens,
                "cache_write_tokens": cache_write_tokens,
                "usage": _plain(usage),
                "cost": cost,
                "stop_reason": stop_reason,
                "retries": retries,
                "stream": stream,
            }
            said = {name: value for name, value in fields.items() if value is not None}
            if retry_after is not _UNSAID:
                said["retry_after"] = retry_after
            self._put(Event("request", time.monotonic(), labels=self._all(labels or {}), fields=said))
        except Exception:  # noqa: BLE001 -- a gateway must not fail because it is watched
            self._sender.refuse()

    def circuit_breaker(self, name: str, state: Literal["closed", "half_open", "open"], /, **labels: object) -> None:
        """A circuit breaker is closed, half open or open now."""
        try:
            fields = {"name": str(name), "state": str(state)}
            self._put(Event("circuit_breaker", time.monotonic(), labels=self._all(labels), fields=fields))
        except Exception:  # noqa: BLE001 -- as in `request`
            self._sender.refuse()

    def stats(self) -> Stats:
        """What became of the events of this process."""
        return self._sender.stats()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all was taken, *timeout* seconds at most; whether it was. Not for event loops."""
        return self._sender.flush(timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Send what waits, for *timeout* seconds at most; done at the end of the process, too."""
        _clients.discard(self)
        self._sender.close(timeout)

    def _begin(self) -> Sender:
        """A sender of this process."""
        wire = Wire(self._url, self._token, self._timeout)
        return self._make(wire, self._name or f"pid-{os.getpid()}")

    def _sample(self, kind: str, name: str, value: float, labels: Mapping[str, object]) -> None:
        try:
            number = float(value)
            if not math.isfinite(number):
                raise ValueError("no finite number")
            self._put(Event(kind, time.monotonic(), str(name), number, self._all(labels)))
        except Exception:  # noqa: BLE001 -- as in `request`
            self._sender.refuse()

    def _put(self, event: Event) -> None:
        self._sender.put(event)

    def _all(self, labels: Mapping[str, object]) -> Labels:
        merged = self._labels | {name: str(value) for name, value in labels.items()}
        return tuple(sorted(merged.items()))


class Timer:
    """Measures a block; `elapsed` is in seconds, also within the block."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._began = self._ended = 0.0

    def __enter__(self) -> Self:
        self._began, self._ended = time.perf_counter(), 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = time.perf_counter()
        self._tell(self.elapsed)

    @property
    def elapsed(self) -> float:
        """How long it took so far."""
        return (self._ended or time.perf_counter()) - self._began


def _plain(usage: object) -> object:
    """The API's `usage` as JSON has it, also from its library's own type."""
    dump = getattr(usage, "model_dump", None)
    return dump(mode="json") if callable(dump) else usage


def _after_fork() -> None:
    """What waited in the parent is the parent's to send, and its thread is not here."""
    for client in list(_clients):
        client._sender = client._begin()  # noqa: SLF001 -- its own module


def _at_exit() -> None:
    """All clients have two seconds, together: threads cannot be begun any more when the interpreter ends."""
    end = time.monotonic() + 2.0
    for client in list(_clients):
        client.close(max(0.0, end - time.monotonic()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
