"""Which percentiles are kept, and the series that they become."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from sidecar.model.families import PERCENTILES_CLAMPED, PERCENTILES_FOLDED
from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Kind, Update
from sidecar.store.live import Child
from sidecar.store.sketch import ANYTHING, SECONDS, WINDOWS, Sketch

SOURCE: Final = "percentiles"
QUANTILE, WINDOW_COUNT = "_quantile", "_window_count"
RANKS: Final = (0.5, 0.9, 0.95, 0.99)
_KEPT: Final = ("model", "target", "source")
_SOURCES: Final = frozenset({"probe", "traffic"})
_OTHER: Final = "other"
_PER_METRIC: Final = 50
_ALTOGETHER: Final = 100  # sketches; when all of them are busy, some 5 MB and 10 ms of each tick


class _Kept:
    """One sketch, and the labels of its series, which are made once."""

    __slots__ = ("counts", "quantiles", "sketch", "told")

    def __init__(self, sketch: Sketch, labels: Labels) -> None:
        self.sketch = sketch
        self.counts = {window: labels.with_(window=window) for window in WINDOWS}
        self.quantiles = {
            window: [on.with_(quantile=f"{rank:g}") for rank in RANKS] for window, on in self.counts.items()
        }
        self.told = 0  # clamped values that were reported


class _Metric:
    """The sketches of one histogram."""

    __slots__ = ("count", "kept", "quantile", "range")

    def __init__(self, family: Family) -> None:
        self.kept: dict[Labels, _Kept] = {}
        # Prometheus' own linter refuses `quantile` on a gauge, and a gauge that ends in `_count`.
        self.quantile = Family(f"{family.name}{QUANTILE}", Kind.SUMMARY, f"Percentiles by window: {family.help}")
        self.count = Family(
            f"{family.name}{WINDOW_COUNT}", Kind.UNTYPED, "Observations behind each percentile, by window."
        )
        self.range = SECONDS if family.name.endswith("_seconds") else ANYTHING


class Percentiles:
    """Percentiles of each histogram that wants them, by model, target and source.

    A metric has at most *per_metric* label sets at a time; further ones are folded into one whose labels say `other`.
    One that observed nothing for an hour makes room.
    """

    def __init__(self, per_metric: int = _PER_METRIC, altogether: int = _ALTOGETHER) -> None:
        self._per_metric = per_metric
        self._altogether = altogether
        self._metrics: dict[str, _Metric] = {}
        self._number = 0
        self._folded: Counter[str] = Counter()

    def observe(self, child: Child, value: float, at: int) -> None:
        """Count *value*, a finite number that *child* observes at *at* ms."""
        sketch = child.sketch
        if sketch is None or sketch.dropped:
            sketch = child.sketch = self._sketch(child)
            if sketch is None:
                return
        sketch.observe(value, at)

    def updates(self, at: int) -> Iterator[Update]:
        """Every percentile at *at* ms; what has none any more is not named."""
        for name, metric in list(self._metrics.items()):
            for labels, kept in list(metric.kept.items()):
                kept.sketch.advance(at)
                if kept.sketch.empty:
                    kept.sketch.dropped = True
                    del metric.kept[labels]
                    self._number -= 1
                    continue
                yield from _windows(metric, kept)
                if kept.sketch.clamped > kept.told:
                    yield Update(PERCENTILES_CLAMPED, kept.sketch.clamped - kept.told, Labels(metric=name))
                    kept.told = kept.sketch.clamped
            if not metric.kept:
                del self._metrics[name]
        for name, count in self._folded.items():
            yield Update(PERCENTILES_FOLDED, count, Labels(metric=name))
        self._folded.clear()

    def clear(self) -> None:
        """Forget everything: time begins anew."""
        for metric in self._metrics.values():
            for kept in metric.kept.values():
                kept.sketch.dropped = True
        self._metrics.clear()
        self._number = 0

    def _sketch(self, child: Child) -> Sketch | None:
        """Where *child* observes; None when there is no room for it at all."""
        name, labels = child.family.name, child.labels.only(*_KEPT)
        metric = self._metrics.get(name) or _Metric(child.family)
        kept = metric.kept.get(labels)
        if kept is None and (len(metric.kept) >= self._per_metric or self._number >= self._altogether):
            self._folded[name] += 1
            labels = Labels(
                {key: text if key == "source" and text in _SOURCES else _OTHER for key, text in labels.items()}
            )
            kept = metric.kept.get(labels)
            # A few more than the limit: those that say `other`, of metrics that have sketches.
            if kept is None and not metric.kept:
                return None
        if kept is None:
            kept = metric.kept[labels] = _Kept(Sketch(metric.range), labels)
            self._metrics[name] = metric
            self._number += 1
        return kept.sketch


def _windows(metric: _Metric, kept: _Kept) -> Iterator[Update]:
    for name, window in kept.sketch.windows.items():
        if window.count:
            yield Update(metric.count, window.count, kept.counts[name])
            for value, labels in zip(window.quantiles(RANKS), kept.quantiles[name], strict=True):
                yield Update(metric.quantile, value, labels)
