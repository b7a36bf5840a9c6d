"""What the parts of a compiled query share: identities of elements, caches, one evaluation's budget."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sidecar.model.labels import EMPTY, Labels
from sidecar.model.matchers import Matcher
from sidecar.model.samples import SeriesData
from sidecar.promql import ast
from sidecar.promql.errors import LimitExceeded
from sidecar.promql.querier import Querier

META: Final = (ast.NAME, "__type__", "__unit__")
"""Labels that say what a metric is; whatever computes a new one drops them."""
LOOKBACK_MS: Final = 300_000
"""How old the sample may be that an instant selector takes."""
_MANY: Final = 200_000  # remembered identities, from which on they are forgotten once in a while


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one evaluation may do before it is stopped; the memory and the time are the gateway's."""

    samples: int = 5_000_000  # read, counting each time that one is read; about 1 s
    elements: int = 50_000  # label sets in an answer
    points: int = 1_000_000  # in an answer of many times
    steps: int = 11_000  # of a range query or a subquery


class Metric:
    """Which element: equal elements of one query are the same object, so that dicts of them are quick.

    A metric whose name is to be dropped keeps it until the end, for `label_replace` and the like to read:
    Prometheus' "delayed name removal".
    """

    __slots__ = ("_shown", "drop", "dropped", "labels")

    def __init__(self, labels: Labels, *, drop: bool) -> None:
        self.labels = labels
        self.drop = drop
        self.dropped = self if drop else Metric(labels, drop=True)
        self._shown: Labels | None = None

    @property
    def shown(self) -> Labels:
        """The labels that leave the query."""
        if self._shown is None:
            self._shown = self.labels.without(*META) if self.drop else self.labels
        return self._shown


Element = tuple[Metric, float]
Window = tuple[Metric, Sequence[int], int, list[float]]
"""A series' samples within a range: its times, where in them the range begins, and the values; never empty."""


class Context:
    """One evaluation: where it reads, the bounds of the query, what is left of the budget, what it has to say."""

    __slots__ = ("_left", "end", "limits", "notes", "querier", "ranged", "start")

    def __init__(self, querier: Querier, start: int, end: int, limits: Limits, *, ranged: bool = False) -> None:
        self.querier = querier
        self.start = start
        self.end = end
        self.ranged = ranged
        self.limits = limits
        self.notes: dict[str, None] = {}
        self._left = limits.samples

    @property
    def spent(self) -> int:
        """Samples that were read so far."""
        return self.limits.samples - self._left

    def spend(self, samples: int) -> None:
        self._left -= samples
        if self._left < 0:
            raise LimitExceeded(
                f"query processing would load too many samples into memory in query execution: expected at most "
                f"{self.limits.samples} reads; ask for a shorter range or fewer series"
            )

    def check_steps(self, steps: int) -> None:
        if steps > self.limits.steps:
            raise LimitExceeded(
                f"exceeded maximum resolution of {self.limits.steps:,} points per timeseries: got {steps:,} steps; "
                "ask for a longer step or a shorter range"
            )

    def warn(self, text: str, place: str) -> None:
        self._note(f"PromQL warning: {text}", place)

    def inform(self, text: str, place: str) -> None:
        self._note(f"PromQL info: {text}", place)

    def _note(self, text: str, place: str) -> None:
        self.notes[f"{text} ({place})" if place else text] = None


VectorFn = Callable[[Context, int], list[Element]]
ScalarFn = Callable[[Context, int], float]
MatrixFn = Callable[[Context, int], tuple[int, int, Iterator[Window]]]
"""The range, (start, end] in ms, and its windows one by one, so that only one is in memory."""


class Plan:
    """The mutable half of a compiled query: everything here may be thrown away and is found again."""

    def __init__(self) -> None:
        self.empty = Metric(EMPTY, drop=False)
        self._metrics: dict[Labels, Metric] = {EMPTY: self.empty}
        self._series: dict[tuple[Matcher, ...], list[tuple[Metric, SeriesData]]] = {}
        self._caches: list[dict[Any, Any]] = [self._series]
        self._source: tuple[Querier, int] | None = None

    def cache(self) -> dict[Any, Any]:
        """A dict that is emptied when the series change."""
        cache: dict[Any, Any] = {}
        self._caches.append(cache)
        return cache

    def metric(self, labels: Labels) -> Metric:
        """The one metric with *labels*."""
        found = self._metrics.get(labels)
        if found is None:
            found = self._metrics[labels] = Metric(labels, drop=False)
        return found

    def refresh(self, querier: Querier) -> None:
        """Forget what was cached of other series than *querier* has now."""
        generation = querier.generation
        if self._source is not None:
            known, then = self._source
            if known is querier and then == generation and len(self._metrics) < _MANY:
                return
        for cache in self._caches:
            cache.clear()
        self._metrics = {EMPTY: self.empty}
        self._source = (querier, generation)

    def series(self, context: Context, matchers: tuple[Matcher, ...]) -> list[tuple[Metric, SeriesData]]:
        """The series that satisfy *matchers*, selected once until they change."""
        found = self._series.get(matchers)
        if found is None:
            found = [(self.metric(series.labels), series) for series in context.querier.select(matchers)]
            self._series[matchers] = found
        return found


class Builder(Protocol):
    """What compiles the expressions inside an expression."""

    @property
    def plan(self) -> Plan: ...
    @property
    def step_ms(self) -> int:
        """The step of a subquery that names none."""
        ...

    def vector(self, expr: ast.Expr) -> VectorFn: ...
    def scalar(self, expr: ast.Expr) -> ScalarFn: ...
    def matrix(self, expr: ast.Expr) -> MatrixFn: ...
