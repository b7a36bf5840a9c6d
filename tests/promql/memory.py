"""Series in memory, for queries to read."""

import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Final

from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher

_NATIVE_BITS: Final = struct.pack("<Q", 0x7FF8000000000DAD)
NATIVE: Final[float] = struct.unpack("<d", _NATIVE_BITS)[0]
"""Stands for a native histogram, which these queries do not know: whoever reads it is told on."""


class MemorySeries:
    def __init__(self, memory: "Memory", labels: Labels) -> None:
        self.labels = labels
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")
        self._memory = memory

    def put(self, points: Mapping[int, float]) -> None:
        """Add *points*, by ms; a later one at the same time wins."""
        merged = dict(sorted({**dict(zip(self.times, self.values, strict=True)), **points}.items()))
        self.times = array("q", merged)
        self.values = _Watched.of(self._memory, merged.values())


class _Watched(array):  # type: ignore[type-arg]  # the class cannot be subscripted as a base
    """Values that notice when a native histogram is read."""

    memory: "Memory"

    @classmethod
    def of(cls, memory: "Memory", values: Iterable[float]) -> "_Watched":
        watched = cls("d", values)
        watched.memory = memory
        return watched

    def __getitem__(self, at):
        found = super().__getitem__(at)
        for value in found if isinstance(at, slice) else (found,):
            if isnan(value) and struct.pack("<d", value) == _NATIVE_BITS:
                self.memory.touched = True
        return found


class Memory:
    """A `Querier`. `touched`: whether a native histogram was read."""

    def __init__(self, series: Mapping[str, Mapping[int, float]] | None = None) -> None:
        self.touched = False
        self.selects = 0
        self._series: dict[Labels, MemorySeries] = {}
        self.generation = 0
        for name, points in (series or {}).items():
            self.put(Labels(__name__=name), points)

    def put(self, labels: Labels, points: Mapping[int, float]) -> None:
        """Add *points*, by ms, to the series with *labels*."""
        if labels not in self._series:
            self._series[labels] = MemorySeries(self, labels)
            self.generation += 1
        self._series[labels].put(points)

    def select(self, matchers: Sequence[Matcher]) -> list[MemorySeries]:
        self.selects += 1
        return [series for labels, series in self._series.items() if all(m.matches(labels) for m in matchers)]
