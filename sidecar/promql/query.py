"""A query: compiled once, asked often."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher
from sidecar.promql import analysis, ast
from sidecar.promql.compiler import Compiler
from sidecar.promql.errors import LimitExceeded, QueryError
from sidecar.promql.parse import parse
from sidecar.promql.plan import Context, Element, Limits, Window
from sidecar.promql.querier import Querier
from sidecar.promql.value import Kind, Matrix, Scalar, Series, String, Value, Vector

LIMITS: Final = Limits()
STEP_MS: Final = 60_000
"""The step of a subquery that names none: Prometheus' default evaluation interval."""
_SLICE: Final = 20_000
"""Samples and elements after which a range query lets others have their turn: a few ms."""
_NAMES: Final = {Kind.STRING: "string", Kind.MATRIX: "range vector"}


class Query:
    """A compiled expression. It remembers which series it read, so one evaluation must end before the next begins."""

    def __init__(self, text: str, expr: ast.Expr, step_ms: int) -> None:
        self.text = text
        self.kind = ast.kind(expr)
        self._expr = expr
        self._step_ms = step_ms
        self._compiler = Compiler(step_ms)
        self._vector = self._compiler.vector(expr) if self.kind in (Kind.VECTOR, Kind.SCALAR) else None
        self._scalar = self._compiler.scalar(expr) if self.kind is Kind.SCALAR else None
        self._matrix = self._compiler.matrix(expr) if self.kind is Kind.MATRIX else None

    def __repr__(self) -> str:
        return f"Query({self.text!r})"

    def instant(self, querier: Querier, at_ms: int, limits: Limits = LIMITS) -> Value:
        """What the expression is at *at_ms*; raises QueryError."""
        context = self._context(querier, at_ms, at_ms, limits)
        if self._scalar is not None:
            return Scalar(self._scalar(context, at_ms), tuple(context.notes))
        if self._vector is not None:
            return Vector(tuple(_unique(self._vector(context, at_ms), limits)), tuple(context.notes))
        if self._matrix is not None:
            return Matrix(tuple(_series(self._matrix(context, at_ms)[2], limits)), tuple(context.notes))
        return String(self._expr.value if isinstance(self._expr, ast.Text) else "")

    def vector(self, querier: Querier, at_ms: int, limits: Limits = LIMITS) -> list[tuple[Labels, float]]:
        """What a rule sees at *at_ms*: elements with different labels; a scalar is one without labels."""
        if self._vector is None:
            raise QueryError(f"got a {_NAMES[self.kind]} from {self.text!r}, expected a scalar or an instant vector")
        context = self._context(querier, at_ms, at_ms, limits)
        return _unique(self._vector(context, at_ms), limits)

    def range(self, querier: Querier, start_ms: int, end_ms: int, step_ms: int, limits: Limits = LIMITS) -> Matrix:
        """What the expression is at *start_ms* and every *step_ms* after, up to *end_ms*; raises QueryError."""
        self._check_range(start_ms, end_ms, step_ms)
        return _last(self._slices(querier, range(start_ms, end_ms + 1, step_ms), end_ms, limits, limits.samples))

    def range_in_slices(
        self, querier: Querier, start_ms: int, end_ms: int, step_ms: int, limits: Limits = LIMITS
    ) -> Iterator[Matrix | None]:
        """What `range` returns, with a None whenever it has worked for a few ms; the last one is the answer.

        Between two of them the samples may change, as they may between two evaluations.
        """
        self._check_range(start_ms, end_ms, step_ms)
        return self._slices(querier, range(start_ms, end_ms + 1, step_ms), end_ms, limits, _SLICE)

    def _check_range(self, start_ms: int, end_ms: int, step_ms: int) -> None:
        if self._vector is None:
            raise QueryError(
                f'invalid expression type "{_NAMES[self.kind]}" for range query, must be Scalar or instant Vector'
            )
        if step_ms <= 0 or end_ms < start_ms:
            raise QueryError(
                f"got the range from {start_ms} to {end_ms} in steps of {step_ms} ms, expected an end "
                "that is not before the start, and a positive step"
            )

    def _slices(
        self, querier: Querier, times: Sequence[int], end_ms: int, limits: Limits, quantum: int
    ) -> Iterator[Matrix | None]:
        """The evaluation at *times*, interrupted after each *quantum* of samples read and elements found."""
        assert self._vector is not None
        context = self._context(querier, times[0], end_ms, limits, ranged=True)
        context.check_steps(len(times))
        found: dict[Labels, list[tuple[int, float]]] = {}
        total, pause_at = 0, quantum
        for t in times:
            if context.spent + total >= pause_at:
                yield None
                self._compiler.plan.refresh(querier)  # series may have been born or forgotten meanwhile
                pause_at = context.spent + total + quantum
            elements = self._vector(context, t)
            total = _bounded(total + len(elements), limits)
            for labels, value in _unique(elements, limits):
                found.setdefault(labels, []).append((t, value))
        ordered = sorted(found.items(), key=lambda item: tuple(item[0].items()))
        yield Matrix(tuple(Series(labels, tuple(points)) for labels, points in ordered), tuple(context.notes))

    @cached_property
    def reads(self) -> frozenset[str] | None:
        """The names of the metrics that it reads; None if they cannot be known."""
        return analysis.reads(self._expr)

    @cached_property
    def reach_ms(self) -> int:
        """How far back it looks, in ms: its longest range and offset, or the lookback of an instant selector.

        A fixed time behind `@` is not counted: it does not move with the evaluation.
        """
        return analysis.reach_ms(self._expr)

    @cached_property
    def subject(self) -> "tuple[Query, ...]":
        """What is judged: the expression without its outermost filter; empty for what watches an absence."""
        return tuple(self._part(part) for part in analysis.subject(self._whole))

    @cached_property
    def condition(self) -> str:
        """The outermost filter in words: `> 0.05`; empty if there is none."""
        return analysis.condition(self._whole)

    @cached_property
    def threshold(self) -> tuple[str, float] | None:
        """The outermost filter as operator and number; None if it does not compare with a literal."""
        return analysis.threshold(self._expr)

    @cached_property
    def counts(self) -> "Query | None":
        """How many observations stand behind each element of the subject, where that follows from the expression.

        Its elements have the labels of the subject's, less `__name__`.
        """
        subjects = analysis.subject(self._whole)
        found = analysis.counts(subjects[0].expr) if len(subjects) == 1 else None
        return None if found is None else Query(analysis.show(found), found, self._step_ms)

    @cached_property
    def quantile(self) -> float | None:
        """Which percentile the subject is: 0.95; None if it is none, or that does not follow from the expression."""
        found = {analysis.quantile(part.expr) for part in analysis.subject(self._whole)}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def equal_labels(self) -> Labels:
        """The labels that the subject's selectors ask for with `=`, if they agree; without `__name__`."""
        return analysis.equal_labels([part.expr for part in analysis.subject(self._whole)])

    @cached_property
    def _whole(self) -> "analysis.Part":
        return analysis.Part.of(self.text, self._expr)

    def _part(self, part: "analysis.Part") -> "Query":
        return Query(part.text, part.expr, self._step_ms)

    def _context(self, querier: Querier, start: int, end: int, limits: Limits, *, ranged: bool = False) -> Context:
        self._compiler.plan.refresh(querier)
        return Context(querier, start, end, limits, ranged=ranged)


def compile_(text: str, *, step_ms: int = STEP_MS) -> Query:
    """The query that *text* says; raises QueryError. *step_ms* is for subqueries that name no step."""
    expr = parse(text)
    try:
        return Query(text, expr, step_ms)
    except RecursionError as exc:
        raise QueryError("the expression is nested too deep here; record a part of it first") from exc


def selector(text: str) -> tuple[Matcher, ...]:
    """The matchers of the series selector *text*; raises QueryError."""
    expr = parse(text)
    if not isinstance(expr, ast.Selector) or expr.offset_ms or expr.at is not None:
        raise QueryError(f'got {text!r}, expected a series selector such as up{{job="gateway"}}')
    return expr.matchers


def _last(slices: Iterator[Matrix | None]) -> Matrix:
    found = [matrix for matrix in slices if matrix is not None]
    return found[-1]


def _series(windows: Iterable[Window], limits: Limits) -> Iterator[Series]:
    seen: set[Labels] = set()
    total = 0
    for metric, times, low, values in windows:
        total = _bounded(total + len(values), limits)
        if metric.shown in seen:
            raise QueryError("vector cannot contain metrics with the same labelset")
        seen.add(metric.shown)
        yield Series(metric.shown, tuple(zip(times[low : low + len(values)], values, strict=True)))


def _bounded(points: int, limits: Limits) -> int:
    if points > limits.points:
        raise LimitExceeded(f"got more than {limits.points} points, expected fewer; ask for a shorter or coarser range")
    return points


def _unique(elements: list[Element], limits: Limits) -> list[tuple[Labels, float]]:
    if len(elements) > limits.elements:
        raise LimitExceeded(
            f"got {len(elements)} elements, expected at most {limits.elements}; aggregate, or select fewer series"
        )
    found = [(metric.shown, value) for metric, value in elements]
    if len(found) > 1 and len({labels for labels, _ in found}) < len(found):
        raise QueryError("vector cannot contain metrics with the same labelset")
    return found
