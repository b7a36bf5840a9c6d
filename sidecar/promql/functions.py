"""Functions of instant vectors, element by element or as a whole."""

import math
from collections.abc import Callable
from math import isnan
from typing import Final

from sidecar.model.labels import EMPTY, Labels
from sidecar.model.matchers import MatchOp
from sidecar.promql import ast, dates, floats
from sidecar.promql.errors import QueryError
from sidecar.promql.plan import Builder, Context, Element, VectorFn
from sidecar.promql.selectors import instant

Simple = Callable[[float], float]


def _guarded(function: Simple, outside: Callable[[float], float] = lambda _: floats.NAN) -> Simple:
    """*function*, answering *outside* where Python raises."""

    def guarded(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return outside(value)

    return guarded


def _at_zero(value: float) -> float:
    return -floats.INF if value == 0 else floats.NAN


SIMPLE: Final[dict[str, Simple]] = {
    "abs": abs,
    "ceil": floats.ceil,
    "floor": floats.floor,
    "exp": _guarded(math.exp, lambda _: floats.INF),
    "sqrt": floats.root,
    "ln": _guarded(math.log, _at_zero),
    "log2": _guarded(math.log2, _at_zero),
    "log10": _guarded(math.log10, _at_zero),
    "sin": _guarded(math.sin),
    "cos": _guarded(math.cos),
    "tan": _guarded(math.tan),
    "asin": _guarded(math.asin),
    "acos": _guarded(math.acos),
    "atan": math.atan,
    "sinh": _guarded(math.sinh, lambda value: math.copysign(floats.INF, value)),
    "cosh": _guarded(math.cosh, lambda _: floats.INF),
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": _guarded(math.acosh),
    "atanh": _guarded(math.atanh, lambda value: math.copysign(floats.INF, value) if abs(value) == 1 else floats.NAN),
    "rad": lambda value: value * math.pi / 180,
    "deg": lambda value: value * 180 / math.pi,
    "sgn": lambda value: float((value > 0) - (value < 0)) if not isnan(value) else value,
}


def build(builder: Builder, call: ast.Call) -> VectorFn:
    """A function that takes no range."""
    name, args = call.name, call.args
    if name in SIMPLE:
        return _mapped(builder.vector(args[0]), SIMPLE[name])
    if name in dates.FUNCTIONS:
        return _calendar(builder, call)
    match name:
        case "clamp" | "clamp_min" | "clamp_max":
            return _clamp(builder, call)
        case "round":
            return _round(builder, call)
        case "vector":
            scalar, empty = builder.scalar(args[0]), builder.plan.empty
            return lambda context, t: [(empty, scalar(context, t))]
        case "timestamp":
            return _timestamp(builder, args[0])
        case "sort" | "sort_desc":
            return _sort(builder, call)
        case "absent":
            return _absent(builder, args[0])
    raise QueryError(f"got the function {name}(), which this engine does not know")


def _mapped(inner: VectorFn, function: Simple) -> VectorFn:
    return lambda context, t: [(metric.dropped, function(value)) for metric, value in inner(context, t)]


def _calendar(builder: Builder, call: ast.Call) -> VectorFn:
    function, empty = dates.FUNCTIONS[call.name], builder.plan.empty
    if not call.args:
        return lambda _, t: [(empty, function(t // 1000))]
    return _mapped(builder.vector(call.args[0]), function)


def _clamp(builder: Builder, call: ast.Call) -> VectorFn:
    inner, bounds = builder.vector(call.args[0]), [builder.scalar(arg) for arg in call.args[1:]]

    def run(context: Context, t: int) -> list[Element]:
        given = [bound(context, t) for bound in bounds]
        low = -floats.INF if call.name == "clamp_max" else given[0]
        high = floats.INF if call.name == "clamp_min" else given[-1]
        if high < low:
            return []
        return [
            (metric.dropped, floats.greatest(low, floats.least(high, value))) for metric, value in inner(context, t)
        ]

    return run


def _round(builder: Builder, call: ast.Call) -> VectorFn:
    inner = builder.vector(call.args[0])
    nearest = builder.scalar(call.args[1]) if len(call.args) > 1 else lambda _context, _t: 1.0

    def run(context: Context, t: int) -> list[Element]:
        inverse = floats.divide(1.0, nearest(context, t))  # as Prometheus does it, for fewer rounding errors
        return [
            (metric.dropped, floats.divide(floats.floor(value * inverse + 0.5), inverse))
            for metric, value in inner(context, t)
        ]

    return run


def _timestamp(builder: Builder, arg: ast.Expr) -> VectorFn:
    """When the sample of a selector was taken; of any other expression, the time of the evaluation."""
    if isinstance(arg, ast.Selector):
        return _mapped(instant(builder.plan, arg, times=True), lambda value: value)
    inner = builder.vector(arg)
    return lambda context, t: [(metric.dropped, t / 1000) for metric, _ in inner(context, t)]


def _sort(builder: Builder, call: ast.Call) -> VectorFn:
    inner, sign = builder.vector(call.args[0]), -1.0 if call.name == "sort_desc" else 1.0
    place = call.places[0] if call.places else ""

    def run(context: Context, t: int) -> list[Element]:
        if context.ranged:
            context.warn("sort is ineffective for range queries since results are always ordered by labels", place)
        return sorted(inner(context, t), key=lambda element: (isnan(element[1]), sign * element[1]))

    return run


def _absent(builder: Builder, arg: ast.Expr) -> VectorFn:
    inner, labels, plan = builder.vector(arg), absent_labels(arg), builder.plan
    return lambda context, t: [] if inner(context, t) else [(plan.metric(labels), 1.0)]


def absent_labels(arg: ast.Expr) -> Labels:
    """The labels of what is missing: those that a selector asks for with `=`, each once."""
    selector = arg.selector if isinstance(arg, ast.Range) else arg
    if not isinstance(selector, ast.Selector):
        return EMPTY
    wanted: dict[str, str] = {}
    for matcher in selector.matchers:
        if matcher.op is MatchOp.EQ and matcher.name not in wanted:
            wanted[matcher.name] = matcher.value
        else:
            wanted[matcher.name] = ""  # contradictory, or no single value
    return Labels(wanted).without(ast.NAME)
