"""What the store refuses, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Kind

NEVER = -(1 << 62)
"""A time in ms before any sample's."""
_OWN = ("sidecar_", "probe_", "heartbeat_", "process_", "ALERTS")
_GUESTS = ("probe_value",)  # as many as peers have numbers
_LATEST = 253_402_300_800_000  # the year 10000; whoever is later means another unit


class Reason(StrEnum):
    """Why a sample was refused; the label `reason` of `sidecar_samples_refused_total`."""

    NAME = "name"  # a metric or label name that is empty, too long, reserved or no text
    LABELS = "labels"  # too many labels, or a value that is too long or no text
    RESERVED = "reserved"  # a name that is not for sources of this kind
    LIMIT = "limit"  # too many series, or too many of this metric or this source
    OWNED = "owned"  # the series is another source's
    KIND = "kind"  # the metric is live with another kind or other buckets, or its name is part of another metric
    VALUE = "value"  # no number, or one that this kind cannot hold
    NEGATIVE = "negative"  # a counter that would shrink, or a negative observation
    TIME = "time"  # no time
    OUT_OF_ORDER = "out_of_order"  # before the series' last sample
    MALFORMED = "malformed"  # no event: nothing that can be read, or without what it needs
    RATE = "rate"  # too many at a time


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the store takes in: the memory is the gateway's."""

    series: int = 20_000  # remembered ones, live or ended
    reserved: int = 2_000  # of these, for what we say ourselves: guests that fill the store must not silence us
    labels: int = 32  # of one series
    name_length: int = 200  # of a metric or a label
    value_length: int = 1024  # of a label

    def of(self, family: Family) -> int:
        """How many series there may be, with one of *family* among them."""
        own = family.name.startswith(_OWN) and family.name not in _GUESTS
        return self.series if own else self.series - self.reserved

    def refuse(self, family: Family, labels: Labels) -> Reason | None:
        """Why a series with these names may not be born; None when it may."""
        if not self._is_name(family.name):
            return Reason.NAME
        if len(labels) > self.labels:
            return Reason.LABELS
        for name, value in labels.items():
            if not self._is_name(name) or name == "__name__" or (name == "le" and family.kind is Kind.HISTOGRAM):
                return Reason.NAME
            if len(value) > self.value_length or not _is_text(value):
                return Reason.LABELS
        return None

    def _is_name(self, name: str) -> bool:
        return 0 < len(name) <= self.name_length and _is_text(name)


class Refusals:
    """How many samples were refused, by source and reason."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Reason]] = Counter()
        self._told: Counter[tuple[str, Reason]] = Counter()

    def count(self, source: str, reason: Reason, samples: int = 1) -> None:
        self._counts[source, reason] += samples

    def total(self) -> Mapping[tuple[str, Reason], int]:
        """All since the start."""
        return dict(self._counts)

    def fresh(self) -> Iterable[tuple[tuple[str, Reason], int]]:
        """What was added since this was asked last."""
        added = self._counts - self._told
        self._told = self._counts.copy()
        return sorted(added.items())


def milliseconds(at: float) -> int | None:
    """*at* in whole ms, or None when it is no time."""
    if not -1e15 < at < 1e15:  # neither NaN nor infinity passes
        return None
    ms = round(at * 1000)
    return ms if -_LATEST < ms < _LATEST else None


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair; it could never leave again
        return False
    return True
