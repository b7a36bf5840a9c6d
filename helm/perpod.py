"""Rules of one daemon for a Prometheus that scrapes many: each pod is judged by its own samples."""

from dataclasses import replace
from typing import Any, Final

from sidecar.model.matchers import Matcher, MatchOp
from sidecar.promql import ast, printer
from sidecar.promql.parse import parse

POD: Final = ("namespace", "pod")
"""Labels that Prometheus gives to the series of each pod that it scrapes."""

JOB: Final = "claude-sidecar"
"""The label `job` that the chart's monitors give them."""

_OURS: Final = Matcher("job", MatchOp.EQ, JOB)
_MINGLE: Final = ("absent", "absent_over_time", "scalar")


def per_pod(value: dict[str, Any]) -> dict[str, Any]:
    """The rule file with every expression for the pods apart; raises ValueError."""
    groups = [
        group | {"rules": [rule | {"expr": expression(rule["expr"])} for rule in group["rules"]]}
        for group in value["groups"]
    ]
    return value | {"groups": groups}


def expression(text: str) -> str:
    """*text*, aggregating and matching within each pod only, and reading what our pods export alone.

    Others export `process_resident_memory_bytes`, `redis_…` and `probe_…`, too. Raises ValueError for what cannot tell
    pods apart.
    """
    return printer.show(_apart(parse(text)))


def _apart(expr: ast.Expr) -> ast.Expr:
    match expr:
        case ast.Selector():
            return _ours(expr)
        case ast.Range():
            return replace(expr, selector=_ours(expr.selector))
        case ast.Subquery() | ast.Negation():
            return replace(expr, expr=_apart(expr.expr))
        case ast.Binary(left=left, right=right, matching=matching):
            labels = _kept(matching.labels) if matching.on else _dropped(matching.labels)
            return replace(expr, left=_apart(left), right=_apart(right), matching=replace(matching, labels=labels))
        case ast.Aggregate(expr=inner, param=param):
            labels = _dropped(expr.labels) if expr.without else _kept(expr.labels)
            return replace(expr, expr=_apart(inner), param=param and _apart(param), labels=labels)
        case ast.Call(name=name, args=args):
            if name in _MINGLE:
                raise ValueError(f"found {name}(), which forgets the pods; expected what keeps {' and '.join(POD)}")
            return replace(expr, args=tuple(map(_apart, args)))
        case _:
            return expr


def _ours(selector: ast.Selector) -> ast.Selector:
    """Of our pods alone, unless it is what Prometheus makes itself: alerts and what rules record, which have no job."""
    if selector.name == "ALERTS" or ":" in selector.name:
        return selector
    return replace(selector, matchers=(*selector.matchers, _OURS))


def _kept(labels: tuple[str, ...]) -> tuple[str, ...]:
    return (*POD, *_dropped(labels))


def _dropped(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label for label in labels if label not in POD)
