"""Percentiles cannot be summed or averaged: the result is nobody's percentile."""

from typing import Final

from sidecar.promql import ast
from sidecar.promql.parse import parse
from sidecar.promql.value import Kind

_AGGREGATIONS: Final = ("sum", "avg", "stddev", "stdvar", "quantile")
_OVER_TIME: Final = ("sum_over_time", "avg_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time")
SUFFIX: Final = "_quantile"
"""How the names of the percentiles end that the daemon keeps."""


def problem(text: str) -> str:
    """What is wrong with how the expression *text*, which can be read, treats percentiles; empty when nothing is."""
    for node in ast.walk(parse(text)):
        match node:
            case ast.Aggregate(op=op, expr=inner) if op in _AGGREGATIONS:
                name = _percentile(inner)
            case ast.Call(name=op, args=args) if op in _OVER_TIME:
                name = _percentile(args[-1])
            case _:
                continue
        if name:
            base = name.removesuffix(SUFFIX)
            return (
                f"takes {op}() of {name}, but percentiles cannot be summed or averaged; expected max(), one series of "
                f"it, or histogram_quantile(0.95, sum by (le) (rate({base}_bucket[5m])))"
            )
    return ""


def _percentile(expr: ast.Expr) -> str:
    """The name of the percentile that *expr* is; empty when it is none."""
    while True:
        match expr:
            case ast.Range(selector=inner) | ast.Negation(expr=inner) | ast.Subquery(expr=inner):
                expr = inner
            case ast.Binary(op=op, left=left, right=right) if op not in ast.SET_OPERATORS:
                if ast.kind(right) is not Kind.SCALAR:
                    return ""
                expr = left
            case ast.Selector(name=name) if name.endswith(SUFFIX):
                return name
            case _:
                return ""
