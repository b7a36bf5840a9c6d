"""Reads samples: instant selectors, ranges, subqueries."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from math import isnan
from typing import assert_never

from sidecar.model.samples import is_stale
from sidecar.promql import ast
from sidecar.promql.plan import LOOKBACK_MS, Builder, Context, Element, MatrixFn, Metric, Plan, VectorFn, Window


def instant(plan: Plan, selector: ast.Selector, *, times: bool = False) -> VectorFn:
    """The last value of each series within (t-5m, t], or when that was, in seconds, if *times*."""
    matchers, reference = selector.matchers, _reference(selector)

    def run(context: Context, t: int) -> list[Element]:
        until = reference(context, t)
        since = until - LOOKBACK_MS
        found = []
        chosen = plan.series(context, matchers)
        for metric, series in chosen:
            stamps = series.times
            if not stamps:
                continue
            at = -1
            if stamps[-1] > until:
                at = bisect_right(stamps, until) - 1
                if at < 0:
                    continue
            if stamps[at] <= since:
                continue
            value = series.values[at]
            if isnan(value) and is_stale(value):
                continue
            found.append((metric, stamps[at] / 1000 if times else value))
        context.spend(len(chosen))
        return found

    return run


def window(plan: Plan, range_: ast.Range) -> MatrixFn:
    """The samples of each series within (t-range, t], without staleness markers."""
    matchers, length, reference = range_.selector.matchers, range_.range_ms, _reference(range_.selector)

    def run(context: Context, t: int) -> tuple[int, int, Iterator[Window]]:
        end = reference(context, t)
        return end - length, end, windows(context, end - length, end)

    def windows(context: Context, start: int, end: int) -> Iterator[Window]:
        for metric, series in plan.series(context, matchers):
            times = series.times
            if not times or times[-1] <= start:
                continue
            high = bisect_right(times, end) if times[-1] > end else len(times)
            low = bisect_right(times, start, 0, high)
            if low == high:
                continue
            context.spend(high - low)
            values = list(series.values[low:high])
            whole = sum(values)
            if whole - whole == 0:  # finite, so no marker is among them
                yield metric, times, low, values
            else:
                kept = [i for i, value in enumerate(values) if not isnan(value) or not is_stale(value)]
                if len(kept) == len(values):
                    yield metric, times, low, values
                elif kept:
                    yield metric, [times[low + i] for i in kept], 0, [values[i] for i in kept]

    return run


def subquery(builder: Builder, query: ast.Subquery) -> MatrixFn:
    """The values of an expression at every multiple of the step within (t-range, t]."""
    inner, reference = builder.vector(query.expr), _reference(query)
    length, step = query.range_ms, query.step_ms or builder.step_ms

    def run(context: Context, t: int) -> tuple[int, int, Iterator[Window]]:
        end = reference(context, t)
        start = end - length
        steps = range((start // step + 1) * step, end + 1, step)
        context.check_steps(len(steps))
        found: dict[Metric, tuple[list[int], list[float]]] = {}
        for at in steps:
            elements = inner(context, at)
            context.spend(len(elements) + 1)
            for metric, value in elements:
                points = found.get(metric)
                if points is None:
                    found[metric] = points = ([], [])
                points[0].append(at)
                points[1].append(value)
        return start, end, ((metric, times, 0, values) for metric, (times, values) in found.items())

    return run


def _reference(selector: ast.Selector | ast.Subquery) -> Callable[[Context, int], int]:
    """The time that a selector looks at, for the time of an evaluation."""
    offset, at = selector.offset_ms, selector.at
    if at is None:
        return (lambda _, t: t - offset) if offset else (lambda _, t: t)
    match at.anchor:
        case ast.Anchor.TIME:
            fixed = at.ms - offset
            return lambda _context, _t: fixed
        case ast.Anchor.START:
            return lambda context, _: context.start - offset
        case ast.Anchor.END:
            return lambda context, _: context.end - offset
        case _:
            assert_never(at.anchor)
