"""`label_replace` and `label_join`."""

import re
from collections.abc import Callable
from typing import Any, Final

import re2

from sidecar.model.labels import Labels
from sidecar.promql import ast
from sidecar.promql.errors import QueryError
from sidecar.promql.plan import Builder, Context, Element, Metric, VectorFn

_VARIABLE: Final = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))?")


def replace(builder: Builder, call: ast.Call) -> VectorFn:
    """Set a label from what a regular expression finds in another; elements that do not match stay as they are."""
    target, template, source, pattern = map(text, call.args[1:])
    _check(target, "destination", call.name)
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        regex = re2.compile(pattern, options=options)
    except re2.error as exc:
        raise QueryError(f"invalid regular expression in label_replace(): {pattern}; expected RE2 syntax") from exc

    def value(labels: Labels) -> str | None:
        match = regex.fullmatch(labels.text(source))
        return None if match is None else _expand(template, match)

    return _relabelled(builder, call.args[0], target, value)


def join(builder: Builder, call: ast.Call) -> VectorFn:
    """Set a label to the values of others, with a separator between them."""
    target, separator, *sources = map(text, call.args[1:])
    _check(target, "destination", call.name)
    for source in sources:
        _check(source, "source", call.name)
    return _relabelled(builder, call.args[0], target, lambda labels: separator.join(map(labels.text, sources)))


def text(expr: ast.Expr) -> str:
    """The value of an argument that the parser has found to be a string."""
    if not isinstance(expr, ast.Text):
        raise QueryError(f"got an expression of type {ast.kind(expr)}, expected a string")
    return expr.value


def _check(label: str, role: str, function: str) -> None:
    if not label:
        raise QueryError(f"invalid {role} label name in {function}(): {label}")


def _relabelled(builder: Builder, expr: ast.Expr, target: str, value: Callable[[Labels], str | None]) -> VectorFn:
    inner, plan, known = builder.vector(expr), builder.plan, builder.plan.cache()

    def relabel(metric: Metric) -> Metric:
        new = value(metric.labels)
        if new is None:
            return metric
        changed = plan.metric(metric.labels.with_({target: new}))
        return changed.dropped if metric.drop and target != ast.NAME else changed

    def run(context: Context, t: int) -> list[Element]:
        found: dict[Metric, float] = {}
        elements = inner(context, t)
        for metric, number in elements:
            changed = known.get(metric)
            if changed is None:
                changed = known[metric] = relabel(metric)
            found[changed] = number
        if len(found) < len(elements):
            raise QueryError("vector cannot contain metrics with the same labelset")
        return list(found.items())

    return run


def _expand(template: str, match: Any) -> str:
    """*template* with its `$1`, `${name}` and `$$` filled in, by Go's rules."""

    def fill(variable: re.Match[str]) -> str:
        if variable.group() == "$$":
            return "$"
        name = variable.group(1) or variable.group(2)
        if name is None:
            return "$"  # nothing that names a group: meant literally
        try:
            return match.group(int(name) if name.isdecimal() else name) or ""
        except (IndexError, KeyError, ValueError):
            return ""

    return _VARIABLE.sub(fill, template)
