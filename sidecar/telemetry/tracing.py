"""Spans: what belongs together, and how long it took. Costs nothing while nobody takes them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final, Literal, Protocol

Value = str | bool | int | float
Role = Literal["internal", "client"]


class Span(Protocol):
    """A piece of work under way."""

    def set(self, attributes: Mapping[str, Value], /) -> None:
        """More that is known of it, under OpenTelemetry's names where it has one; never a query or a credential."""
        ...

    def fail(self, error_type: str, message: str = "", /) -> None:
        """It came to nothing: *error_type* is a word of a closed list, *message* a sentence for a person."""
        ...


class Tracer(Protocol):
    """Takes spans; `sidecar.telemetry.otlp.spans` has the one that exports them."""

    def span(self, name: str, attributes: Mapping[str, Value], role: Role, /) -> AbstractContextManager[Span]: ...
    def current(self) -> tuple[str, str] | None:
        """The ids of the trace and of the span under way, in hexadecimal."""
        ...

    def traceparent(self) -> str:
        """The span under way as W3C's header has it; empty when there is none."""
        ...


class _Nothing:
    """The span of a daemon that nobody traces."""

    __slots__ = ()

    def __enter__(self) -> "Span":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def set(self, _: Mapping[str, Value], /) -> None:
        """Nobody asks."""

    def fail(self, _: str, _message: str = "", /) -> None:
        """Nobody asks."""


_NOTHING: Final = _Nothing()
_EMPTY: Final[Mapping[str, Value]] = {}

_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """From now on spans go to *tracer*; None: to nobody. Like logs, there is one for the process."""
    global _tracer  # noqa: PLW0603 -- whoever works does not know who watches
    _tracer = tracer


def span(
    name: str, attributes: Mapping[str, Value] = _EMPTY, *, role: Role = "internal"
) -> AbstractContextManager[Span]:
    """A span around a block; *name* is one of few, what tells apart is in *attributes*.

    An exception that leaves the block fails the span with the exception's name, a cancellation only ends it.
    """
    return _NOTHING if _tracer is None else _tracer.span(name, attributes, role)


def current() -> tuple[str, str] | None:
    """The ids of the trace and of the span under way, in hexadecimal; None outside of spans."""
    return None if _tracer is None else _tracer.current()


def traceparent() -> dict[str, str]:
    """The header that tells a peer which span its work belongs to; empty outside of spans."""
    text = "" if _tracer is None else _tracer.traceparent()
    return {"traceparent": text} if text else {}
