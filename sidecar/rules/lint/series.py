"""Findings about series: names that nobody writes, functions that do not fit what they are given."""

import difflib
from collections.abc import Iterator
from typing import Final

from sidecar.model.durations import show
from sidecar.model.samples import Kind
from sidecar.promql import ast
from sidecar.promql.parse import parse
from sidecar.rules.compiled import CompiledRule
from sidecar.rules.lint.finding import Finding, finding
from sidecar.rules.lint.outlook import Outlook
from sidecar.rules.lint.shape import shape

_RATES: Final = ("rate", "increase", "irate", "resets")
_SLOPES: Final = ("delta", "idelta", "deriv", "predict_linear")
_WHOLE_RANGE: Final = "_over_time"


def findings(rule: CompiledRule, outlook: Outlook) -> Iterator[Finding]:
    """What is odd about the series that *rule* reads."""
    yield from _unknown(rule, outlook)
    for query in rule.queries[:1]:
        for node in ast.walk(parse(query.text)):
            if isinstance(node, ast.Call):
                yield from _call(rule, node, outlook)


def _unknown(rule: CompiledRule, outlook: Outlook) -> Iterator[Finding]:
    names = sorted({name for query in rule.queries for name in query.reads or ()})
    for name in names:
        if outlook.produced(name):
            continue
        near = difflib.get_close_matches(name, [*outlook.kinds, *outlook.recorded], 1, 0.8)
        hint = f"did you mean {near[0]}?" if near else "see the metrics in docs/reference.md"
        if outlook.ours(name):
            yield finding(rule, "unknown-metric", f"reads {name}, which is no metric of this daemon", hint)
        else:
            advice = "name it with --metric if an application sends it" + (f", or {hint}" if near else "")
            yield finding(rule, "unknown-metric", f"reads {name}, which nobody here produces", advice)


def _call(rule: CompiledRule, call: ast.Call, outlook: Outlook) -> Iterator[Finding]:
    if call.name == "histogram_quantile":
        yield from _percentile(rule, call)
    for arg in call.args:
        if isinstance(arg, ast.Range):
            yield from _kind(rule, call.name, arg.selector, outlook)
            yield from _window(rule, call.name, arg, outlook)
        elif isinstance(arg, ast.Subquery) and call.name in _RATES and isinstance(arg.expr, ast.Aggregate):
            yield finding(
                rule,
                "rate-after-sum",
                f"takes {call.name}() of {arg.expr.op}(): when one series restarts, all of them seem to jump",
                f"write {arg.expr.op}({call.name}(…[5m])) instead",
            )


def _kind(rule: CompiledRule, function: str, selector: ast.Selector, outlook: Outlook) -> Iterator[Finding]:
    name = selector.name
    kind = outlook.kind(name) if name else None
    if function in _RATES and kind in (Kind.GAUGE, Kind.SUMMARY):
        recorded = name in outlook.recorded
        what = "recorded by a rule" if recorded else f"a {kind}"
        yield finding(
            rule,
            "rate-of-gauge",
            f"takes {function}() of {name}, which is {what}: each fall is read as a restart",
            f"record the {function}() itself" if recorded else f"write delta({name}[…]) or deriv({name}[…])",
        )
    if function in _SLOPES and kind is Kind.COUNTER:
        yield finding(
            rule,
            "delta-of-counter",
            f"takes {function}() of {name}, a counter: a restart is read as a fall",
            f"write increase({name}[…]) or rate({name}[…])",
        )


def _window(rule: CompiledRule, function: str, window: ast.Range, outlook: Outlook) -> Iterator[Finding]:
    seconds = window.range_ms / 1000
    needs = 1 if function.endswith(_WHOLE_RANGE) else 2
    if not (function in _RATES or function in _SLOPES or function == "changes" or needs == 1):
        return
    least = needs * outlook.tick
    if seconds < least:
        yield finding(
            rule,
            "short-window",
            f"takes {function}() over {show(seconds)}, but a series has a sample every {show(outlook.tick)}: "
            f"there are seldom {'any' if needs == 1 else 'two'}",
            f"write a window of at least {show(max(least, 4 * outlook.tick if needs == 2 else least))}",
        )


def _percentile(rule: CompiledRule, call: ast.Call) -> Iterator[Finding]:
    quantile, buckets = call.args
    q = ast.literal(quantile)
    if q is not None and not 0 <= q <= 1:
        yield finding(
            rule,
            "quantile-out-of-range",
            f"asks for the quantile {q:g}, which is always infinite",
            f"write {q / 100:g}" if 1 < q <= 100 else "write a number between 0 and 1, such as 0.95",
        )
    labels = shape(buckets)
    if labels is not None and "le" not in labels:
        yield finding(
            rule,
            "le-missing",
            "takes histogram_quantile() of an aggregation without `le`: there is never a result",
            "add `le` to its by (…)",
        )
    if not any(isinstance(node, ast.Call) for node in ast.walk(buckets)):
        yield finding(
            rule,
            "quantile-since-start",
            "takes histogram_quantile() of buckets as they are: a percentile since the start, which hardly moves",
            "write rate(…_bucket[5m]) inside",
        )
