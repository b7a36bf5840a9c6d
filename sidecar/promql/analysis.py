"""What an expression says about itself: what it reads and judges, and how many observations stand behind it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sidecar.model.families import ALERTS
from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.promql import ast, lexer
from sidecar.promql.binary import MIRROR
from sidecar.promql.errors import QueryError
from sidecar.promql.lexer import Token
from sidecar.promql.plan import LOOKBACK_MS
from sidecar.promql.printer import show
from sidecar.promql.value import Kind

__all__ = [
    "Part",
    "condition",
    "counts",
    "equal_labels",
    "quantile",
    "reach_ms",
    "reads",
    "show",
    "subject",
    "threshold",
]

_LITERALS: Final = re.compile(r"[a-zA-Z0-9_:]+(?:\|[a-zA-Z0-9_:]+)*")
_RATES: Final = ("rate", "increase")
_BOUNDED: Final = ("clamp", "clamp_min", "clamp_max", "abs", "round")
_KEPT_OVER_TIME: Final = ("max_over_time", "min_over_time", "last_over_time")


@dataclass(frozen=True, slots=True)
class Part:
    """An expression and the tokens that say it."""

    expr: ast.Expr
    tokens: tuple[Token, ...]

    @classmethod
    def of(cls, text: str, expr: ast.Expr) -> "Part":
        try:
            return cls(expr, tuple(lexer.tokens(text)))
        except QueryError:  # a text of ours, longer than one from outside may be
            return cls(expr, ())

    @property
    def text(self) -> str:
        """As it was written, with one space where there was any."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        gaps = [" " if after.start > before.end else "" for before, after in pairs]
        return "".join(token.text + gap for token, gap in zip(self.tokens, [*gaps, ""], strict=True))

    def split(self) -> "tuple[Part, Part] | None":
        """Both sides of the outermost set operator or comparison; None if there is none."""
        if not isinstance(self.expr, ast.Binary):
            return None
        tokens = _unwrapped(self.tokens)
        outer = [i for i, token in enumerate(tokens) if token.depth == tokens[0].depth]
        # Operators of one precedence bind from the left, so the outermost is the last.
        at = next((i for i in reversed(outer) if tokens[i].text.lower() == self.expr.op), None)
        if at is None:
            return None
        right = tokens[_after_modifiers(tokens, at + 1) :]
        return Part(self.expr.left, _unwrapped(tokens[:at])), Part(self.expr.right, _unwrapped(right))


def _unwrapped(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """*tokens* without brackets around the whole."""
    while tokens and tokens[0].text == "(" and all(token.depth > tokens[0].depth for token in tokens[1:-1]):
        tokens = tokens[1:-1]
    return tokens


def _after_modifiers(tokens: tuple[Token, ...], at: int) -> int:
    while tokens[at].text.lower() in ("bool", "on", "ignoring", "group_left", "group_right"):
        depth = tokens[at].depth
        takes_labels, at = tokens[at].text.lower() != "bool", at + 1
        if takes_labels and tokens[at].text == "(":
            at = next(i for i in range(at + 1, len(tokens)) if tokens[i].depth == depth) + 1
    return at


def reads(expr: ast.Expr) -> frozenset[str] | None:
    names: set[str] = set()
    for selector in _selectors(expr):
        found = _names(selector)
        if not found:
            return None
        names.update(found)
    return frozenset(names)


def _names(selector: ast.Selector) -> list[str]:
    if selector.name:
        return [selector.name]
    for matcher in selector.matchers:
        if matcher.name == ast.NAME and matcher.op is MatchOp.RE and _LITERALS.fullmatch(matcher.value):
            return matcher.value.split("|")
    return []


def _selectors(expr: ast.Expr) -> list[ast.Selector]:
    return [node for node in ast.walk(expr) if isinstance(node, ast.Selector)]


def reach_ms(expr: ast.Expr) -> int:
    match expr:
        case ast.Selector(offset_ms=offset):
            return max(0, LOOKBACK_MS + offset)
        case ast.Range(selector=selector, range_ms=length):
            return max(0, length + selector.offset_ms)
        case ast.Subquery(expr=inner, range_ms=length, offset_ms=offset):
            return max(0, reach_ms(inner) + length + offset)
        case _:
            return max(map(reach_ms, ast.children(expr)), default=0)


def subject(part: Part) -> tuple[Part, ...]:
    match part.expr:
        case ast.Call(name="absent" | "absent_over_time"):
            return ()
        case ast.Binary(op=op, as_bool=False) if op in ast.COMPARISONS | ast.SET_OPERATORS:
            sides = part.split()
            if sides is None:
                return (part,)
            left, right = sides
            if op == "or":
                return subject(left) + subject(right)
            if op in ast.SET_OPERATORS:
                return subject(left)
            judged = right if ast.kind(left.expr) is Kind.SCALAR else left
            return subject(judged) if _filters(judged.expr) else (judged,)
    return (part,)


def _filters(expr: ast.Expr) -> bool:
    """Whether what is compared is a comparison itself, or watches an absence."""
    return isinstance(expr, ast.Call) or (
        isinstance(expr, ast.Binary) and expr.op in ast.COMPARISONS and not expr.as_bool
    )


def condition(part: Part) -> str:
    expr = part.expr
    if not isinstance(expr, ast.Binary) or expr.as_bool:
        return ""
    sides = part.split()
    if sides is None:
        return ""
    left, right = sides
    if expr.op in ("and", "unless"):
        return condition(left)
    if expr.op == "or":
        if _stays(right.expr):
            return condition(left)
        both = {condition(left), condition(right)}
        return both.pop() if len(both) == 1 else ""
    if expr.op not in ast.COMPARISONS:
        return ""
    if ast.kind(left.expr) is Kind.SCALAR:
        return f"{MIRROR[expr.op]} {left.text}"
    return f"{expr.op} {right.text}"


def threshold(expr: ast.Expr) -> tuple[str, float] | None:
    if not isinstance(expr, ast.Binary) or expr.as_bool:
        return None
    if expr.op in ("and", "unless"):
        return threshold(expr.left)
    if expr.op == "or":
        if _stays(expr.right):
            return threshold(expr.left)
        both = {threshold(expr.left), threshold(expr.right)}
        return both.pop() if len(both) == 1 else None
    if expr.op not in ast.COMPARISONS:
        return None
    if ast.kind(expr.left) is Kind.SCALAR:
        number = ast.literal(expr.left)
        return None if number is None else (MIRROR[expr.op], number)
    number = ast.literal(expr.right)
    return None if number is None else (expr.op, number)


def _stays(expr: ast.Expr) -> bool:
    """Whether *expr* holds only for what fires already: `x > 8 and on (check) ALERTS{…}`, beside `x > 10`."""
    return isinstance(expr, ast.Binary) and expr.op == "and" and ALERTS.name in (reads(expr.right) or ())


def equal_labels(exprs: Sequence[ast.Expr]) -> Labels:
    wanted: dict[str, set[str]] = {}
    for expr in exprs:
        for selector in _selectors(expr):
            for matcher in selector.matchers:
                if matcher.op is MatchOp.EQ and matcher.name != ast.NAME:
                    wanted.setdefault(matcher.name, set()).add(matcher.value)
    return Labels({name: values.pop() for name, values in wanted.items() if len(values) == 1})


def counts(expr: ast.Expr) -> ast.Expr | None:
    """How many observations stand behind each element of *expr*; None if that does not follow."""
    match expr:
        case ast.Negation(expr=inner):
            return counts(inner)
        case ast.Call(name="histogram_quantile", args=(_, buckets)):
            return _of_buckets(buckets)
        case ast.Call(name=name, args=args) if name in _BOUNDED:
            return counts(args[0])
        case ast.Binary(left=left, right=right) if ast.kind(right) is Kind.SCALAR:
            return counts(left)
        case ast.Binary(left=left, right=right) if ast.kind(left) is Kind.SCALAR:
            return counts(right)
        case ast.Binary(op="/", left=left, right=right) if any(map(_is_rate, ast.walk(left))):
            divisor = _as_increase(right)
            return None if divisor is None else replace(expr, op="right", right=divisor)
        case ast.Aggregate(op="max" | "min" | "avg", expr=ast.Selector() as selector):
            observed = _of_quantiles(selector)
            return None if observed is None else replace(expr, op="sum", expr=observed)
        case ast.Selector():
            observed = _of_quantiles(expr)
            # Many to one: the same observations stand behind each of the quantiles.
            matching = ast.Matching(ast.Card.MANY_TO_ONE, labels=("quantile",))
            return None if observed is None else ast.Binary("right", expr, observed, matching)
    return None


def quantile(expr: ast.Expr) -> float | None:
    """Which percentile of observations each element of *expr* is; None if it is none, or that does not follow."""
    match expr:
        case ast.Negation(expr=inner) | ast.Range(selector=inner) | ast.Subquery(expr=inner):
            return quantile(inner)
        case ast.Call(name="histogram_quantile" | "quantile_over_time", args=(which, _)):
            return ast.literal(which)
        case ast.Call(name=name, args=args) if name in _BOUNDED or name in _KEPT_OVER_TIME:
            return quantile(args[0])
        case ast.Binary(left=left, right=right) if ast.kind(right) is Kind.SCALAR:
            return quantile(left)
        case ast.Binary(left=left, right=right) if ast.kind(left) is Kind.SCALAR:
            return quantile(right)
        case ast.Aggregate(op="max" | "min" | "topk" | "bottomk", expr=inner):
            return quantile(inner)
        case ast.Selector(name=name, matchers=matchers) if name.endswith("_quantile"):
            return next((_number(m.value) for m in matchers if m.name == "quantile" and m.op is MatchOp.EQ), None)
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _of_buckets(expr: ast.Expr) -> ast.Expr | None:
    """The count of the histogram whose buckets *expr* takes the rate of."""
    match expr:
        case ast.Call(name=name, args=(ast.Range(selector=selector) as window,)) if name in _RATES:
            renamed = _renamed(selector, "_bucket", "_count", dropping="le")
            return None if renamed is None else ast.Call("increase", (replace(window, selector=renamed),))
        case ast.Aggregate(op="sum", expr=inner, labels=labels):
            counted = _of_buckets(inner)
            kept = tuple(label for label in labels if label != "le")
            return None if counted is None else replace(expr, expr=counted, labels=kept)
    return None


def _of_quantiles(selector: ast.Selector) -> ast.Selector | None:
    return _renamed(selector, "_quantile", "_window_count", dropping="quantile")


def _renamed(selector: ast.Selector, old: str, new: str, *, dropping: str) -> ast.Selector | None:
    if not selector.name.endswith(old):
        return None
    name = Matcher(ast.NAME, MatchOp.EQ, selector.name.removesuffix(old) + new)
    others = (matcher for matcher in selector.matchers if matcher.name not in (ast.NAME, dropping))
    return replace(selector, matchers=(name, *others))


def _is_rate(expr: ast.Expr) -> bool:
    return isinstance(expr, ast.Call) and expr.name in _RATES


def _as_increase(expr: ast.Expr) -> ast.Expr | None:
    """*expr*, a sum of rates, as the increases that it is the rate of."""
    match expr:
        case ast.Call(name=name, args=(ast.Range(),)) if name in _RATES:
            return replace(expr, name="increase")
        case ast.Call(name=name, args=args) if name in _BOUNDED:
            return _as_increase(args[0])
        case ast.Aggregate(op="sum", expr=inner):
            grown = _as_increase(inner)
            return None if grown is None else replace(expr, expr=grown)
        case ast.Binary(op=op, left=left, right=right) if op in ast.COMPARISONS and ast.kind(right) is Kind.SCALAR:
            return _as_increase(left)  # a filter against division by zero
        case ast.Binary(op="+" | "-" | "or", left=left, right=right):
            both = _as_increase(left), _as_increase(right)
            return None if None in both else replace(expr, left=both[0] or left, right=both[1] or right)
    return None
