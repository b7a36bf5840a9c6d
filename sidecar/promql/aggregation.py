"""Aggregations over the elements of a vector."""

import math
from collections.abc import Callable
from math import isnan
from typing import Final

from sidecar.model.labels import Labels
from sidecar.promql import ast, floats
from sidecar.promql.errors import QueryError
from sidecar.promql.plan import META, Builder, Context, Element, Metric, VectorFn
from sidecar.promql.relabel import text

Fold = Callable[[list[float]], float]


def _variance(values: list[float]) -> float:
    mean = values[0]
    sum_ = 0.0 if math.isfinite(mean) else floats.NAN
    for count, value in enumerate(values[1:], start=2):
        distance = value - mean
        mean += distance / count
        sum_ += distance * (value - mean)
    return sum_ / len(values)


FOLDS: Final[dict[str, Fold]] = {
    "sum": floats.total,
    "avg": floats.mean,
    "min": floats.minimum,
    "max": floats.maximum,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stdvar": _variance,
    "stddev": lambda values: floats.root(_variance(values)),
}


def build(builder: Builder, expr: ast.Aggregate) -> VectorFn:
    match expr.op:
        case "topk" | "bottomk":
            return _ranked(builder, expr)
        case "count_values":
            return _count_values(builder, expr)
        case "quantile":
            return _quantile(builder, expr)
        case op:
            fold = FOLDS[op]
            inner, group = builder.vector(expr.expr), _grouping(builder, expr)
            return lambda context, t: [(metric, fold(values)) for metric, values in group(inner(context, t)).items()]


def _grouping(builder: Builder, expr: ast.Aggregate) -> Callable[[list[Element]], dict[Metric, list[float]]]:
    """Sorts elements by the group that they belong to."""
    plan = builder.plan
    if not expr.without and not expr.labels:
        return lambda elements: {plan.empty: [value for _, value in elements]} if elements else {}
    slot = _slots(builder, expr)
    if not expr.without and not set(META).isdisjoint(expr.labels):
        return lambda elements: _grouped_by_name(slot, elements)

    def group(elements: list[Element]) -> dict[Metric, list[float]]:
        groups: dict[Metric, list[float]] = {}
        for metric, value in elements:
            key = slot(metric)
            values = groups.get(key)
            if values is None:
                groups[key] = [value]
            else:
                values.append(value)
        return groups

    return group


def _slots(builder: Builder, expr: ast.Aggregate) -> Callable[[Metric], Metric]:
    """The group of an element."""
    plan, known, names = builder.plan, builder.plan.cache(), expr.labels
    if expr.without:
        names += META

    def slot(metric: Metric) -> Metric:
        found: Metric | None = known.get(metric)
        if found is None:
            labels = metric.labels.without(*names) if expr.without else metric.labels.only(*names)
            found = known[metric] = plan.metric(labels)
        return found

    return slot


def _grouped_by_name(slot: Callable[[Metric], Metric], elements: list[Element]) -> dict[Metric, list[float]]:
    """Groups that keep a name which is yet to be dropped drop it, too."""
    groups: dict[Metric, list[float]] = {}
    dropping: set[Metric] = set()
    for metric, value in elements:
        key = slot(metric)
        groups.setdefault(key, []).append(value)
        if metric.drop:
            dropping.add(key)
    return {key.dropped if key in dropping else key: values for key, values in groups.items()}


def _quantile(builder: Builder, expr: ast.Aggregate) -> VectorFn:
    q_of, inner, group = builder.scalar(_param(expr)), builder.vector(expr.expr), _grouping(builder, expr)
    place = expr.places[0] if expr.places else ""

    def run(context: Context, t: int) -> list[Element]:
        q = q_of(context, t)
        if not 0 <= q <= 1:
            context.warn(f"quantile value should be between 0 and 1, got {floats.show(q)}", place)
        groups = group(inner(context, t))
        return [(metric, floats.quantile(q, values)) for metric, values in groups.items()]

    return run


def _ranked(builder: Builder, expr: ast.Aggregate) -> VectorFn:
    """The k greatest or least elements of each group as they are, best first; NaN only when there is room."""
    k_of, inner = builder.scalar(_param(expr)), builder.vector(expr.expr)
    whole = not expr.without and not expr.labels
    slot = _slots(builder, expr)
    sign = -1.0 if expr.op == "topk" else 1.0

    def run(context: Context, t: int) -> list[Element]:
        k = _count(k_of(context, t))
        elements = inner(context, t)
        if k < 1:
            return []
        groups: dict[Metric, list[Element]] = {}
        for element in elements:
            groups.setdefault(builder.plan.empty if whole else slot(element[0]), []).append(element)
        found: list[Element] = []
        for group in groups.values():
            group.sort(key=lambda element: (isnan(element[1]), sign * element[1]))
            found += group[:k]
        return found

    return run


def _count(k: float) -> int:
    if isnan(k):
        raise QueryError("Parameter value is NaN")
    if k >= 2**63:
        raise QueryError(f"Scalar value {floats.show(k)} overflows int64")
    if k <= -(2**63):
        raise QueryError(f"Scalar value {floats.show(k)} underflows int64")
    return int(k)


def _count_values(builder: Builder, expr: ast.Aggregate) -> VectorFn:
    """How often each value occurs, the value as a label."""
    label, inner, plan = text(_param(expr)), builder.vector(expr.expr), builder.plan
    if not label:
        raise QueryError('invalid label name "", expected the name of the label that takes the values')
    kept = (*expr.labels, label)

    def labels(metric: Metric, value: float) -> Labels:
        with_value = metric.labels.with_({label: floats.show(value)})
        return with_value.without(*expr.labels, *META) if expr.without else with_value.only(*kept)

    def run(context: Context, t: int) -> list[Element]:
        counts: dict[Metric, float] = {}
        for metric, value in inner(context, t):
            key = plan.metric(labels(metric, value))
            counts[key] = counts.get(key, 0.0) + 1.0
        return list(counts.items())

    return run


def _param(expr: ast.Aggregate) -> ast.Expr:
    if expr.param is None:
        raise QueryError(f"got {expr.op}() with one argument, expected two")
    return expr.param
