"""Which labels the result of an expression has, as far as that follows from its text."""

from typing import Final

from sidecar.model.matchers import MatchOp
from sidecar.promql import ast
from sidecar.promql.value import Kind

_KEEPING: Final = ("topk", "bottomk")
_WITHOUT_LABELS: Final = ("vector", "time", "scalar", "pi")

Shape = frozenset[str] | None
"""Names of labels beside `__name__`; None when they are not known."""


def shape(expr: ast.Expr) -> Shape:
    """The labels that elements of *expr* may have."""
    match expr:
        case ast.Selector():
            return None
        case ast.Number() | ast.Text():
            return frozenset()
        case ast.Negation(expr=inner) | ast.Subquery(expr=inner):
            return shape(inner)
        case ast.Range(selector=selector):
            return shape(selector)
        case ast.Aggregate():
            return _aggregated(expr)
        case ast.Binary():
            return _joined(expr)
        case ast.Call():
            return _called(expr)


def _aggregated(expr: ast.Aggregate) -> Shape:
    inner = shape(expr.expr)
    if expr.op in _KEEPING:
        return inner
    if expr.without:
        left = None if inner is None else inner - set(expr.labels)
    else:
        left = frozenset(expr.labels) if inner is None else frozenset(expr.labels) & inner
    if expr.op == "count_values" and left is not None and isinstance(expr.param, ast.Text):
        return left | {expr.param.value}
    return left


def _joined(expr: ast.Binary) -> Shape:
    left, right, matching = shape(expr.left), shape(expr.right), expr.matching
    if expr.op == "or":
        return None if left is None or right is None else left | right
    if expr.op in ast.SET_OPERATORS:
        return left
    if ast.kind(expr.right) is Kind.SCALAR:
        return left
    if ast.kind(expr.left) is Kind.SCALAR:
        return right
    match matching.card:
        case ast.Card.MANY_TO_ONE:
            return None if left is None else left | set(matching.include)
        case ast.Card.ONE_TO_MANY:
            return None if right is None else right | set(matching.include)
    if matching.on:
        return frozenset(matching.labels)
    both = left if right is None else right if left is None else left & right
    return None if both is None else both - set(matching.labels)


def _called(expr: ast.Call) -> Shape:
    match expr.name:
        case "absent" | "absent_over_time":
            return frozenset(_asked_for(expr.args[0]))
        case "histogram_quantile":
            inner = shape(expr.args[1])
            return None if inner is None else inner - {"le"}
        case "label_replace" | "label_join":
            inner, name = shape(expr.args[0]), expr.args[1]
            return None if inner is None or not isinstance(name, ast.Text) else inner | {name.value}
        case name if name in _WITHOUT_LABELS:
            return frozenset()
    vectors = [arg for arg in expr.args if ast.kind(arg) in (Kind.VECTOR, Kind.MATRIX)]
    return shape(vectors[0]) if vectors else frozenset()


def _asked_for(expr: ast.Expr) -> dict[str, str]:
    """The labels that absent() of *expr* gives its element: those of matchers with `=`, each asked for once."""
    while isinstance(expr, ast.Range | ast.Subquery):
        expr = expr.selector if isinstance(expr, ast.Range) else expr.expr
    if not isinstance(expr, ast.Selector):
        return {}
    named = [matcher for matcher in expr.matchers if matcher.name != ast.NAME]
    once = {matcher.name for matcher in named if sum(other.name == matcher.name for other in named) == 1}
    return {matcher.name: matcher.value for matcher in named if matcher.op is MatchOp.EQ and matcher.name in once}
