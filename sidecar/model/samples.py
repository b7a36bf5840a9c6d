"""Samples, and what sources hand to the store."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from sidecar.model.labels import EMPTY, Labels

_STALE_BITS: Final = struct.pack("<Q", 0x7FF0000000000002)
STALE: Final[float] = struct.unpack("<d", _STALE_BITS)[0]
"""Prometheus' staleness marker: a NaN with a payload of its own, because NaN is a legal value."""


def is_stale(value: float) -> bool:
    """Whether *value* is the staleness marker."""
    return math.isnan(value) and struct.pack("<d", value) == _STALE_BITS


class Kind(StrEnum):
    """What a metric family is, in the exposition format's words."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    UNTYPED = "unknown"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its full name (counters end in `_total`), kind, a sentence of help, a histogram's upper bounds.

    `percentiles`: of this histogram, the store keeps percentiles over windows as well.
    """

    name: str
    kind: Kind
    help: str
    buckets: tuple[float, ...] = ()  # ascending, without +Inf
    percentiles: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """One change to one series: a gauge is set to the value, a counter grows by it, a histogram observes it."""

    family: Family
    value: float
    labels: Labels = EMPTY  # without __name__


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of one source at one instant.

    `write`: the source's live series get a sample at `at` (a check, a rule group); otherwise the next tick writes them.
    `whole`: gauges of this source that the batch does not name have vanished and end here.
    """

    source: str
    at: float  # seconds since the epoch
    updates: tuple[Update, ...]
    write: bool = True
    whole: bool = True


class Emit(Protocol):
    """Where a source hands its batches; the source does not know who listens."""

    def __call__(self, batch: Batch, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series."""

    labels: Labels  # with __name__
    at: float  # seconds since the epoch
    value: float


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """What a histogram counts now: observations up to each bound of its family, all of them last; and their sum."""

    counts: tuple[float, ...]  # cumulative; one more than the family has bounds
    sum: float

    @property
    def count(self) -> float:
        return self.counts[-1]


class SeriesData(Protocol):
    """One series as queries read it: two arrays of one length, times in ms since the epoch, ascending."""

    @property
    def labels(self) -> Labels: ...
    @property
    def times(self) -> Sequence[int]: ...
    @property
    def values(self) -> Sequence[float]: ...
