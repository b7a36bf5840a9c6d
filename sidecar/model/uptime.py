"""How long a check was up and how long it was down, from its changes of state."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR

WINDOWS: Final = {"1h": _HOUR, "24h": _DAY, "7d": 7 * _DAY, "30d": 30 * _DAY}
"""Over what uptime is told: the name of each window, and its seconds."""
KEPT: Final = 31 * _DAY
"""Seconds after which a span is forgotten."""
MOST: Final = 48
"""Spans that a check has before those that lie close together are joined."""

_CELLS: Final = ((2 * _HOUR, 300.0), (26 * _HOUR, _HOUR / 2), (8 * _DAY, 2 * _HOUR), (KEPT, 6 * _HOUR))
"""Up to which age, in seconds, joined spans lie within one cell of so many seconds."""
_WIDTH: Final = 4  # numbers of a span


@dataclass(frozen=True, slots=True)
class Uptime:
    """Of a window, the seconds in which a check was up, and those in which it was down; the rest is not known."""

    up: float = 0.0
    down: float = 0.0

    @property
    def seen(self) -> float:
        """Seconds of which something is known."""
        return self.up + self.down

    @property
    def ratio(self) -> float | None:
        """The share of what was seen in which it was up; None when nothing was."""
        return self.up / self.seen if self.seen > 0 else None

    def __add__(self, other: "Uptime") -> "Uptime":
        return Uptime(self.up + other.up, self.down + other.down)


class Span(NamedTuple):
    """A stretch of time, in seconds since the epoch, and how much of it a check was up and down, in seconds."""

    begin: float
    end: float
    up: float
    down: float


class Spans:
    """Stretches in which a check was up or down, the oldest first.

    A stretch that follows another of the same state prolongs it, so that a check which is well needs one. Beyond MOST,
    short ones that begin in one cell of a grid become one span: in 5 minutes up to an age of 2 hours, 30 minutes up to
    26 hours, 2 hours up to 8 days, 6 hours beyond. Sums are exact but for the span across a window's edge, of which the
    share counts that lies within: wrong by less than a cell, and only where the state changed in it. A check that flaps
    all the time has about 250 spans of 32 bytes.
    """

    __slots__ = ("_data", "_most")

    def __init__(self, data: bytes = b"") -> None:
        """Spans as `to_bytes` gave them; raises ValueError for what it never gives."""
        self._most = MOST
        self._data = array("d")
        self._data.frombytes(data)
        if len(self._data) % _WIDTH:
            raise ValueError(f"got {len(self._data)} numbers, expected a multiple of {_WIDTH}")
        last = float("-inf")
        for span in self:
            if not (last <= span.begin <= span.end < float("inf") and _is_within(span)):
                raise ValueError(f"got {span} after {last}, expected an ordered span no longer than its ends tell")
            last = span.end

    def __iter__(self) -> Iterator[Span]:
        return (self._at(n) for n in range(len(self)))

    def __len__(self) -> int:
        return len(self._data) // _WIDTH

    @property
    def until(self) -> float | None:
        """When the last one ended, in seconds since the epoch."""
        return self._at(len(self) - 1).end if self._data else None

    def to_bytes(self) -> bytes:
        """All of them, for a file."""
        return self._data.tobytes()

    def add(self, begin: float, end: float, *, up: bool) -> None:
        """The check was up, or down, from *begin* to *end*; what lies before the last span's end is known already."""
        begin = begin if self.until is None else max(begin, self.until)
        if not begin < end:
            return
        seconds = end - begin
        span = Span(begin, end, seconds if up else 0.0, 0.0 if up else seconds)
        last = self._at(len(self) - 1) if self._data else None
        if last is not None and last.end == begin and _is_pure(last) and (last.up > 0) is up:
            self._data[-_WIDTH:] = array("d", _joined(last, span))
        else:
            self._data.extend(span)
        self._forget(end)

    def within(self, begin: float, end: float) -> Uptime:
        """How long it was up and down from *begin* to *end*."""
        up, down, data = 0.0, 0.0, self._data
        for n in range(len(data) - _WIDTH, -1, -_WIDTH):  # by number: pages ask this for each of a thousand checks
            first, last = data[n], data[n + 1]
            if last <= begin:
                break
            within = min(end, last) - max(begin, first)
            if within > 0.0:
                share = within / (last - first)
                up += share * data[n + 2]
                down += share * data[n + 3]
        return Uptime(up, down)

    def shift(self, seconds: float) -> None:
        """The clock was set by so many seconds, and what was seen moves along."""
        for n in range(0, len(self._data), _WIDTH):
            self._data[n] += seconds
            self._data[n + 1] += seconds

    def _at(self, n: int) -> Span:
        return Span(*self._data[n * _WIDTH : (n + 1) * _WIDTH])

    def _forget(self, now: float) -> None:
        gone = 0
        while self._data[gone * _WIDTH + 1] <= now - KEPT:
            gone += 1
        del self._data[: gone * _WIDTH]
        if len(self) > self._most:
            self._join(now)
            self._most = max(MOST, len(self) + MOST)  # looking at all of them again each time would be a waste

    def _join(self, now: float) -> None:
        """Make one of short neighbours that begin in one cell; the last one may still be prolonged, and stays."""
        kept: list[Span] = []
        *spans, last = self
        for span in spans:
            if kept and _share_a_cell(kept[-1], span, now):
                kept[-1] = _joined(kept[-1], span)
            else:
                kept.append(span)
        self._data = array("d", [number for span in (*kept, last) for number in span])


def _share_a_cell(first: Span, second: Span, now: float) -> bool:
    width = next((width for age, width in _CELLS if now - first.begin < age), _CELLS[-1][1])
    short = second.end - second.begin < width
    return short and first.begin // width == second.begin // width


def _joined(first: Span, second: Span) -> Span:
    return Span(first.begin, second.end, first.up + second.up, first.down + second.down)


def _is_pure(span: Span) -> bool:
    """Whether it was all up, or all down."""
    return min(span.up, span.down) == 0.0 and span.up + span.down >= (span.end - span.begin) * 0.999999


def _is_within(span: Span) -> bool:
    return min(span.up, span.down) >= 0.0 and span.up + span.down <= (span.end - span.begin) * 1.001 + 0.001
