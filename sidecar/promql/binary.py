"""Operators between vectors and scalars."""

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from sidecar.model.labels import Labels
from sidecar.promql import ast, floats
from sidecar.promql.errors import QueryError
from sidecar.promql.plan import META, Builder, Context, Element, Metric, ScalarFn, VectorFn
from sidecar.promql.value import Kind

ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": floats.divide,
    "%": floats.modulo,
    "^": floats.power,
    "atan2": math.atan2,
    "right": lambda _, right: right,  # not in the language: what stands behind a ratio, in the ratio's labels
}
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
MIRROR: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
"""The operator that says the same of its operands exchanged."""
_ONE_SIDE: Final = {ast.Card.ONE_TO_MANY: "left"}


def scalars(builder: Builder, expr: ast.Binary) -> ScalarFn:
    """An operator between two scalars."""
    left, right = builder.scalar(expr.left), builder.scalar(expr.right)
    if expr.op in COMPARE:
        compare = COMPARE[expr.op]
        return lambda context, t: float(compare(left(context, t), right(context, t)))
    compute = ARITHMETIC[expr.op]
    return lambda context, t: compute(left(context, t), right(context, t))


def build(builder: Builder, expr: ast.Binary) -> VectorFn:
    """An operator of which one side at least is a vector."""
    if expr.op in ast.SET_OPERATORS:
        return _set_operation(builder, expr)
    if ast.kind(expr.right) is Kind.SCALAR:
        return _with_scalar(expr, builder.vector(expr.left), builder.scalar(expr.right), swapped=False)
    if ast.kind(expr.left) is Kind.SCALAR:
        return _with_scalar(expr, builder.vector(expr.right), builder.scalar(expr.left), swapped=True)
    return _between(builder, expr)


def _with_scalar(expr: ast.Binary, vector: VectorFn, scalar: ScalarFn, *, swapped: bool) -> VectorFn:
    if expr.op in ARITHMETIC:
        compute = ARITHMETIC[expr.op]
        if swapped:
            return lambda context, t: _map(vector, context, t, lambda value, fixed: compute(fixed, value), scalar)
        return lambda context, t: _map(vector, context, t, compute, scalar)
    compare = COMPARE[MIRROR[expr.op] if swapped else expr.op]
    if expr.as_bool:
        return lambda context, t: _map(vector, context, t, compare, scalar)

    def keep(context: Context, t: int) -> list[Element]:
        bound = scalar(context, t)
        return [element for element in vector(context, t) if compare(element[1], bound)]

    return keep


def _map(
    vector: VectorFn, context: Context, t: int, function: Callable[[float, float], float], scalar: ScalarFn
) -> list[Element]:
    fixed = scalar(context, t)
    return [(metric.dropped, float(function(value, fixed))) for metric, value in vector(context, t)]


def _signature(builder: Builder, matching: ast.Matching) -> Callable[[Metric], Labels]:
    """The labels that must agree for two elements to belong together."""
    known = builder.plan.cache()
    names = matching.labels if matching.on else matching.labels + META

    def signature(metric: Metric) -> Labels:
        found: Labels | None = known.get(metric)
        if found is None:
            found = metric.labels.only(*names) if matching.on else metric.labels.without(*names)
            known[metric] = found
        return found

    return signature


def _set_operation(builder: Builder, expr: ast.Binary) -> VectorFn:
    left, right, signature = builder.vector(expr.left), builder.vector(expr.right), _signature(builder, expr.matching)

    def both(context: Context, t: int) -> list[Element]:
        ours, theirs = left(context, t), right(context, t)
        present = {signature(metric) for metric, _ in theirs}
        return [element for element in ours if signature(element[0]) in present]

    def either(context: Context, t: int) -> list[Element]:
        ours, theirs = left(context, t), right(context, t)
        present = {signature(metric) for metric, _ in ours}
        return ours + [element for element in theirs if signature(element[0]) not in present]

    def unless(context: Context, t: int) -> list[Element]:
        ours, theirs = left(context, t), right(context, t)
        present = {signature(metric) for metric, _ in theirs}
        return [element for element in ours if signature(element[0]) not in present]

    return {"and": both, "or": either, "unless": unless}[expr.op]


def _between(builder: Builder, expr: ast.Binary) -> VectorFn:
    """An operator between the elements of two vectors that belong together."""
    matching, swapped = expr.matching, expr.matching.card is ast.Card.ONE_TO_MANY
    many, one = (expr.right, expr.left) if swapped else (expr.left, expr.right)
    many_of, one_of = builder.vector(many), builder.vector(one)
    signature, result = _signature(builder, matching), _results(builder, expr)
    one_to_one = matching.card is ast.Card.ONE_TO_ONE
    compare, compute = COMPARE.get(expr.op), ARITHMETIC.get(expr.op)

    def run(context: Context, t: int) -> list[Element]:
        ours, theirs = many_of(context, t), one_of(context, t)
        if not ours or not theirs:
            return []
        partners: dict[Labels, Element] = {}
        for element in theirs:
            key = signature(element[0])
            if key in partners:
                raise _many_to_many(matching, element[0], partners[key][0])
            partners[key] = element
        found: list[Element] = []
        taken: set[Any] = set()
        for metric, value in ours:
            key = signature(metric)
            partner = partners.get(key)
            if partner is None:
                continue
            target = result(metric, partner[0])
            mark = key if one_to_one else (key, target)
            if mark in taken:
                raise _ambiguous(one_to_one=one_to_one)
            taken.add(mark)
            left, right = (partner[1], value) if swapped else (value, partner[1])
            if compute is not None:
                found.append((target, compute(left, right)))
            elif compare is not None:
                holds = compare(left, right)
                if expr.as_bool:
                    found.append((target, float(holds)))
                elif holds:
                    found.append((target, left))
        return found

    return run


def _results(builder: Builder, expr: ast.Binary) -> Callable[[Metric, Metric], Metric]:
    """The identity of a result: the labels of the "many" side, as the matching leaves them."""
    plan, known, matching = builder.plan, builder.plan.cache(), expr.matching

    def labels(many: Metric, one: Metric) -> Labels:
        kept = many.labels if expr.op in COMPARE else many.labels.without(*META)
        if matching.card is ast.Card.ONE_TO_ONE:
            kept = kept.only(*matching.labels) if matching.on else kept.without(*matching.labels)
        return kept.with_({name: one.labels.text(name) for name in matching.include}) if matching.include else kept

    def result(many: Metric, one: Metric) -> Metric:
        found: Metric | None = known.get((many, one))
        if found is None:
            found = plan.metric(labels(many, one))
            if expr.as_bool or (many.drop and expr.op in COMPARE):
                found = found.dropped
            known[many, one] = found
        return found

    return result


def _many_to_many(matching: ast.Matching, metric: Metric, other: Metric) -> QueryError:
    names = matching.labels
    group = metric.labels.only(*names) if matching.on else metric.labels.without(*names, ast.NAME)
    return QueryError(
        f"found duplicate series for the match group {_show(group)} on the {_ONE_SIDE.get(matching.card, 'right')} "
        f"hand-side of the operation: [{_show(metric.labels)}, {_show(other.labels)}];many-to-many matching not "
        "allowed: matching labels must be unique on one side"
    )


def _ambiguous(*, one_to_one: bool) -> QueryError:
    reason = (
        "many-to-one matching must be explicit (group_left/group_right)"
        if one_to_one
        else "grouping labels must ensure unique matches"
    )
    return QueryError(f"multiple matches for labels: {reason}")


def _show(labels: Labels) -> str:
    """*labels* as Prometheus writes them in messages, the name like any other."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
