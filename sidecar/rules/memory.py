"""Samples in memory for the tests of rules."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher
from sidecar.model.samples import STALE, Batch


@dataclass(slots=True)
class _Series:
    labels: Labels
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))


class Samples:
    """A querier that is filled by hand, and takes what rules emit."""

    def __init__(self) -> None:
        self.generation = 0
        self._series: dict[Labels, _Series] = {}
        self._sources: dict[str, set[Labels]] = {}

    def add(self, labels: Labels, at_ms: int, value: float) -> None:
        """One sample; one at the latest time replaces that, one before it is left out."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(labels)
            self.generation += 1
        if series.times and series.times[-1] >= at_ms:
            if series.times[-1] == at_ms:
                series.values[-1] = value
            return
        series.times.append(at_ms)
        series.values.append(value)

    def emit(self, batch: Batch) -> None:
        """What a rule yields; series that it does not yield any more end."""
        at_ms = round(batch.at * 1000)
        now = {update.labels.with_(__name__=update.family.name): update.value for update in batch.updates}
        for labels in self._sources.get(batch.source, set()) - now.keys():
            self.add(labels, at_ms, STALE)
        for labels, value in now.items():
            self.add(labels, at_ms, value)
        self._sources[batch.source] = set(now)

    def select(self, matchers: Sequence[Matcher]) -> Sequence[_Series]:
        """Every series that satisfies all *matchers*."""
        return [s for s in self._series.values() if all(matcher.matches(s.labels) for matcher in matchers)]
