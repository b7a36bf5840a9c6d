"""Percentiles of what was observed lately, within 1 % and in little memory."""

import math
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

_ERROR: Final = 0.0099
"""A little less than 1 %, so that rounding of floats stays within it."""
_GAMMA: Final = (1 + _ERROR) / (1 - _ERROR)
_SCALE: Final = 1 / math.log(_GAMMA)
_PENDING: Final = 1024
"""Values that wait to be counted; counting so many takes a quarter of a millisecond."""


@dataclass(frozen=True, slots=True)
class Range:
    """Values that a sketch tells apart; those outside are counted as the nearest that it does."""

    low: float
    high: float


SECONDS: Final = Range(1e-4, 1e4)
ANYTHING: Final = Range(1e-3, 1e12)
"""For bytes, tokens and whatever else is no time."""

WINDOWS: Final = {"1m": (60_000, 5_000), "5m": (300_000, 30_000), "1h": (3_600_000, 300_000)}
"""Each window's length and its steps, in ms. What is told covers the length and up to one step more."""
STEP: Final = min(step for _, step in WINDOWS.values())


class Sketch:
    """Counts of values in buckets whose bounds grow by 2 %: DDSketch's, with fixed buckets.

    Observing is `list.append`; values are counted when a step ends. A step keeps the counts between its lowest and its
    highest value, 2 or 4 bytes each: values over two decades take half a KB a step, 20 KB for the three windows, and
    those over all eight decades at most 80 KB.
    """

    __slots__ = ("_pending", "_range", "_step", "clamped", "dropped", "windows")

    def __init__(self, range_: Range = SECONDS) -> None:
        self._range = range_
        self._pending: list[float] = []
        self._step = -1  # of the values that wait
        self.clamped = 0  # values outside of the range
        self.dropped = False  # for whoever holds it, too
        self.windows = {name: Window(range_, *sizes) for name, sizes in WINDOWS.items()}

    def observe(self, value: float, at: int) -> None:
        """Count *value*, which is a finite number, at *at* ms."""
        step = at // STEP
        if step > self._step or len(self._pending) >= _PENDING:
            self.flush()
            self._step = max(step, self._step)
        self._pending.append(value)

    def advance(self, at: int) -> None:
        """Forget what is too old at *at* ms, and count what waits."""
        self.flush()
        for window in self.windows.values():
            window.advance(at)

    @property
    def empty(self) -> bool:
        """Whether nothing is left of what was ever observed."""
        return not self._pending and not any(window.count for window in self.windows.values())

    def flush(self) -> None:
        """Count what waits."""
        if not self._pending:
            return
        counts: dict[int, int] = {}
        low, high, log, ceil = self._range.low, self._range.high, math.log, math.ceil
        for value in self._pending:
            if not low <= value <= high:
                self.clamped += 1
                value = low if value < low else high  # noqa: PLW2901 -- a clamped value is counted like any other
            index = ceil(log(value / low) * _SCALE)
            counts[index] = counts.get(index, 0) + 1
        self._pending.clear()
        for window in self.windows.values():
            window.add(counts, self._step * STEP)


class Window:
    """The counts of one window: the steps that it is made of, and their sum."""

    __slots__ = ("_closed", "_current", "_length", "_low", "_number", "_step", "_sum", "count")

    def __init__(self, range_: Range, length: int, step: int) -> None:
        self._low = range_.low
        self._length, self._step = length // step, step
        self._number = 0  # of the step under way: time by the step's length
        self._current: dict[int, int] = {}
        self._closed: deque[tuple[int, int, array[int]]] = deque()  # number, first bucket, counts from there on
        self._sum: array[int] = array("Q", bytes(8 * (2 + math.ceil(math.log(range_.high / range_.low) * _SCALE))))
        self.count = 0

    def add(self, counts: Mapping[int, int], at: int) -> None:
        """Add *counts* by bucket, of values at *at* ms."""
        self.advance(at)
        for index, count in counts.items():
            self._current[index] = self._current.get(index, 0) + count
            self._sum[index] += count
        self.count += sum(counts.values())

    def advance(self, at: int) -> None:
        """Go on to *at* ms; never back."""
        number = at // self._step
        if number <= self._number:
            return
        if self._current:
            first, last = min(self._current), max(self._current)
            counts = [self._current.get(index, 0) for index in range(first, last + 1)]
            self._closed.append((self._number, first, array("H" if max(counts) < 65536 else "L", counts)))
            self._current = {}
        self._number = number
        while self._closed and self._closed[0][0] < number - self._length:
            _, first, gone = self._closed.popleft()
            for index, count in enumerate(gone, first):
                self._sum[index] -= count
            self.count -= sum(gone)

    def quantiles(self, ranks: Sequence[float]) -> list[float]:
        """For each rank q the value at place floor(q · (n - 1)) of the n in order, within 1 %; n must not be 0."""
        first, last = self._span()
        below = list(accumulate(self._sum[first : last + 1]))
        places = (math.floor(q * (self.count - 1)) for q in ranks)
        return [self._value(first + bisect_right(below, place)) for place in places]

    def _span(self) -> tuple[int, int]:
        """The lowest and the highest bucket that may hold anything."""
        spans = [(first, first + len(counts) - 1) for _, first, counts in self._closed]
        if self._current:
            spans.append((min(self._current), max(self._current)))
        return min(first for first, _ in spans), max(last for _, last in spans)

    def _value(self, index: int) -> float:
        """What stands for a bucket: no value in it is more than 1 % away."""
        return float(self._low * _GAMMA**index * 2 / (1 + _GAMMA))
