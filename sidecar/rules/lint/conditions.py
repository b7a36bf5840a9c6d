"""Findings about conditions: always true, never true, or of elements that are not told apart."""

import math
from collections.abc import Iterator
from typing import Final

from sidecar.model.matchers import MatchOp
from sidecar.model.samples import Kind as MetricKind
from sidecar.promql import ast
from sidecar.promql.parse import parse
from sidecar.promql.value import Kind
from sidecar.rules.compiled import Alerting
from sidecar.rules.lint.finding import Finding, finding
from sidecar.rules.lint.outlook import CHECKS, Outlook
from sidecar.rules.lint.shape import shape

_EXISTENCE: Final = ("ALERTS", "sidecar_check_down_reason")
"""Series that are there only while something is wrong: to be there is their condition."""
_ABSENT: Final = ("absent", "absent_over_time")


def findings(rule: Alerting, outlook: Outlook) -> Iterator[Finding]:
    """What is odd about the condition of *rule*."""
    expr = parse(rule.query.text)
    nodes = ast.walk(expr)
    for node in nodes:
        if isinstance(node, ast.Binary):
            yield from _comparison(rule, node)
            yield from _or(rule, node)
        elif isinstance(node, ast.Call) and node.name in _ABSENT:
            yield from _absent(rule, node)
    yield from _filters(rule, expr, nodes)
    yield from _counter(rule, expr, outlook)
    yield from _check(rule, expr)


def _comparison(rule: Alerting, node: ast.Binary) -> Iterator[Finding]:
    if node.op not in ast.COMPARISONS:
        return
    if any(math.isnan(number) for number in map(ast.literal, (node.left, node.right)) if number is not None):
        result = "always true" if node.op == "!=" else "never true"
        yield finding(
            rule,
            "nan-comparison",
            f"compares with NaN by {node.op}, which is {result}",
            "write `x != x` for elements that are NaN, `x == x` for those that are not",
        )
    number = ast.literal(node.right)
    beyond = number is not None and ((node.op == ">" and number >= 1) or (node.op == ">=" and number > 1))
    if number is not None and beyond and _is_part(node.left):
        yield finding(
            rule,
            "ratio-above-one",
            f"asks for a part of a whole {node.op} {number:g}, but it is never more than 1",
            f"write {number / 100:g}" if number > 1 else "write a number between 0 and 1",
        )


def _is_part(expr: ast.Expr) -> bool:
    """Whether *expr* is some series of a counter divided by more of the same."""
    if not isinstance(expr, ast.Binary) or expr.op != "/":
        return False
    part, whole = _counted(expr.left), _counted(expr.right)
    return part is not None and whole is not None and set(whole.matchers) < set(part.matchers)


def _counted(expr: ast.Expr) -> ast.Selector | None:
    """The counter of which *expr* is the rate, or the sum of rates."""
    while isinstance(expr, ast.Aggregate) and expr.op == "sum":
        expr = expr.expr
    if isinstance(expr, ast.Call) and expr.name in ("rate", "increase") and isinstance(expr.args[0], ast.Range):
        return expr.args[0].selector
    return None


def _or(rule: Alerting, node: ast.Binary) -> Iterator[Finding]:
    if node.op != "or":
        return
    left, right = shape(node.left), shape(node.right)
    if right == frozenset() and left != frozenset() and _is_constant(node.right):
        yield finding(
            rule,
            "or-labels",
            "has `or vector(…)` beside elements with labels: it adds an element without labels, always",
            "aggregate the left side without by (…), or leave it out and say what no data means with `on_no_data`",
        )
    elif left is not None and right is not None and left != right:
        sides = " and ".join("{" + ", ".join(sorted(side)) + "}" for side in (left, right))
        yield finding(
            rule,
            "or-labels",
            f"joins elements with the labels {sides} by `or`: one condition is two alerts",
            "give both sides the same by (…), or write two rules",
        )


def _is_constant(expr: ast.Expr) -> bool:
    return not any(isinstance(node, ast.Selector) for node in ast.walk(expr))


def _absent(rule: Alerting, call: ast.Call) -> Iterator[Finding]:
    selectors = [node for node in ast.walk(call) if isinstance(node, ast.Selector)]
    named = [m for selector in selectors for m in selector.matchers if m.name != ast.NAME]
    if named and not any(matcher.op is MatchOp.EQ for matcher in named):
        others = ", ".join(f"{matcher.name}{matcher.op}…" for matcher in named)
        yield finding(
            rule,
            "absent-without-labels",
            f"takes {call.name}() of a selector that asks by {others}: the alert does not say what is absent",
            "ask with `=`, in one rule for each that must be there",
        )


def _filters(rule: Alerting, expr: ast.Expr, nodes: list[ast.Expr]) -> Iterator[Finding]:
    outermost = expr
    while isinstance(outermost, ast.Binary) and outermost.op in ("and", "unless"):
        outermost = outermost.left
    if isinstance(outermost, ast.Binary) and outermost.op in ast.COMPARISONS and outermost.as_bool:
        if outermost is expr:
            yield finding(
                rule,
                "bool-condition",
                f"compares by `{outermost.op} bool`, which yields 0 or 1 and filters nothing: it always fires",
                "leave out `bool`",
            )
        return
    selectors = [node for node in nodes if isinstance(node, ast.Selector)]
    filtered = any(
        (isinstance(node, ast.Binary) and node.op in ast.COMPARISONS | {"unless", "and"} and not node.as_bool)
        or (isinstance(node, ast.Call) and node.name in _ABSENT)
        or (isinstance(node, ast.Selector) and node.name in _EXISTENCE)
        for node in nodes
    )
    if selectors and not filtered:
        yield finding(
            rule,
            "no-condition",
            "filters nothing: there is an alert for each element, whatever its value",
            "compare it: `… > 0.1`",
        )


def _counter(rule: Alerting, expr: ast.Expr, outlook: Outlook) -> Iterator[Finding]:
    while isinstance(expr, ast.Binary) and expr.op in ("and", "unless"):
        expr = expr.left
    if not isinstance(expr, ast.Binary) or expr.op not in (">", ">=", "!=") or ast.kind(expr.right) is not Kind.SCALAR:
        return
    counter = expr.left
    while isinstance(counter, ast.Aggregate):
        counter = counter.expr
    if isinstance(counter, ast.Selector) and outlook.kind(counter.name) is MetricKind.COUNTER:
        yield finding(
            rule,
            "counter-compared",
            f"compares {counter.name} itself, a counter: it only grows, so the alert never ends",
            f"write increase({counter.name}[5m]) {expr.op} …",
        )


def _check(rule: Alerting, expr: ast.Expr) -> Iterator[Finding]:
    names = rule.query.reads
    labels = shape(expr)
    if not names or labels is None or "check" in labels or not all(name.startswith(CHECKS) for name in names):
        return
    counting = any(isinstance(node, ast.Aggregate) and node.op in ("count", "group") for node in ast.walk(expr))
    if not counting:
        yield finding(
            rule,
            "drops-check",
            "drops the label `check`: messages cannot show what its last probe found, and after a restart the alert "
            "waits for every check",
            "add `check` to the by (…)",
        )
