"""What is live: the current values, and whose they are."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from sidecar.model.labels import Labels
from sidecar.model.samples import Family, HistogramValue, Kind
from sidecar.store.series import Series
from sidecar.store.sketch import Sketch

SET = frozenset({Kind.GAUGE, Kind.UNTYPED, Kind.SUMMARY})
"""Kinds whose updates replace the value, and which vanish from a whole batch that does not name them."""


_PLAIN = {Kind.GAUGE, Kind.UNTYPED}  # a recorded rule may add to a gauge's series


class Child:
    """One metric with one label set: one series, or a histogram's buckets, sum and count in this order."""

    __slots__ = ("family", "labels", "named", "series", "sketch", "source")

    def __init__(self, source: "Source", family: Family, labels: Labels, series: tuple[Series, ...]) -> None:
        self.source = source
        self.family = family
        self.labels = labels
        self.series = series
        self.named = 0  # the number of the source's batch that named it last
        self.sketch: Sketch | None = None  # where it observes, beside its buckets, since it first did

    def observe(self, value: float) -> None:
        """Count *value* in a histogram."""
        first = bisect_left(self.family.buckets, value)
        for bucket in self.series[first:-2]:
            bucket.value += 1
        self.series[-2].value += value
        self.series[-1].value += 1

    def read(self) -> float | HistogramValue:
        """The value now."""
        if self.family.kind is Kind.HISTOGRAM:
            return HistogramValue(tuple(bucket.value for bucket in self.series[:-2]), self.series[-2].value)
        return self.series[0].value


class Source:
    """Who owns series: since when, and which."""

    __slots__ = ("batches", "children", "gauges", "name", "started")

    def __init__(self, name: str, started: int) -> None:
        self.name = name
        self.started = started  # ms
        self.batches = 0
        self.children: dict[Child, None] = {}
        self.gauges: dict[Child, None] = {}  # those of a kind that is set

    def series(self) -> Iterator[Series]:
        for child in self.children:
            yield from child.series


class Metric:
    """A family that has live children."""

    __slots__ = ("children", "family")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.children: dict[Labels, Child] = {}


class Catalogue:
    """The live metrics by name; no name means two things at a time."""

    def __init__(self) -> None:
        self.metrics: dict[str, Metric] = {}
        self._names: dict[str, str] = {}  # name of a series -> name of its metric

    def fits(self, family: Family) -> bool:
        """Whether *family* agrees with what is live: its kind, its buckets, and what its series are called."""
        metric = self.metrics.get(family.name)
        if metric is None:
            return _ascending(family.buckets) and not any(name in self._names for name in names(family))
        same = metric.family.kind is family.kind or {metric.family.kind, family.kind} == _PLAIN
        return same and metric.family.buckets == family.buckets

    def add(self, child: Child) -> None:
        """Make *child*, which fits, live."""
        metric = self.metrics.get(child.family.name)
        if metric is None:
            metric = self.metrics[child.family.name] = Metric(child.family)
            self._names |= dict.fromkeys(names(child.family), child.family.name)
        metric.children[child.labels] = child

    def remove(self, child: Child) -> None:
        """End *child*; a metric without children gives its names free."""
        metric = self.metrics[child.family.name]
        del metric.children[child.labels]
        if not metric.children:
            del self.metrics[child.family.name]
            for name in names(metric.family):
                del self._names[name]


def _ascending(bounds: tuple[float, ...]) -> bool:
    return all(low < high for low, high in pairwise((*bounds, math.inf)))


def names(family: Family) -> tuple[str, ...]:
    """What the series of *family* are called."""
    if family.kind is Kind.HISTOGRAM:
        return family.name, f"{family.name}_bucket", f"{family.name}_sum", f"{family.name}_count"
    return (family.name,)


def identities(family: Family, labels: Labels) -> Iterator[Labels]:
    """The label sets, with `__name__`, of every series that *family* has for *labels*, in a child's order."""
    if family.kind is not Kind.HISTOGRAM:
        yield labels.with_(__name__=family.name)
        return
    _, bucket, total, count = names(family)
    for bound in (*family.buckets, math.inf):
        yield labels.with_(__name__=bucket, le=le(bound))
    yield labels.with_(__name__=total)
    yield labels.with_(__name__=count)


def le(bound: float) -> str:
    """A bucket's upper bound as Prometheus' client libraries write it: `0.1`, `10.0`, `1e+06`, `+Inf`."""
    if bound == math.inf:
        return "+Inf"
    text = repr(float(bound))
    whole = text.find(".")
    if bound > 0 and whole > 6:  # Go changes to exponents sooner than Python
        return f"{text[0]}.{text[1:whole]}{text[whole + 1 :]}".rstrip("0.") + f"e+{whole - 1:02d}"
    return text
