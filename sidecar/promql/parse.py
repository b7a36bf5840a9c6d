"""From text to a tree of ours: the parser behind guards.

promql-parser recurses in native code and kills the process on deep input, so nothing reaches it that is longer, deeper
or larger than `lexer` allows; what it allows needs less than 512 KiB of stack. The main thread and Python's threads
on glibc (8 MiB) are safe. Where threads have smaller stacks (musl: 128 KiB), call
`threading.stack_size(1 << 20)` before starting the thread that compiles queries.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import promql_parser as pq

from sidecar.model.matchers import Matcher, MatcherError, MatchOp
from sidecar.promql import ast, lexer, syntax
from sidecar.promql.errors import QueryError, Unsupported

T = TypeVar("T")

# The parser's enumerations cannot be hashed; their texts can.
_OPS: Final = {
    "MatchOp.Equal": MatchOp.EQ,
    "MatchOp.NotEqual": MatchOp.NE,
    "MatchOp.Re": MatchOp.RE,
    "MatchOp.NotRe": MatchOp.NRE,
}
_CARDS: Final = {
    "VectorMatchCardinality.OneToOne": ast.Card.ONE_TO_ONE,
    "VectorMatchCardinality.ManyToOne": ast.Card.MANY_TO_ONE,
    "VectorMatchCardinality.OneToMany": ast.Card.ONE_TO_MANY,
    "VectorMatchCardinality.ManyToMany": ast.Card.MANY_TO_MANY,
}
_ANCHORS: Final = {"AtModifierType.Start": ast.Anchor.START, "AtModifierType.End": ast.Anchor.END}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=106_751)  # what Go's durations can hold: 292 years


def parse(text: str) -> ast.Expr:
    """The tree of *text*; raises QueryError."""
    found = lexer.tokens(text)
    syntax.refuse_unsupported(text, found)
    plain = _rewritten(text, found)
    try:
        tree = pq.parse(plain)
    except ValueError as exc:
        raise QueryError(syntax.explain(text, found, str(exc))) from exc
    return _Reader(lexer.sites(text, found)).read(tree)


def _rewritten(text: str, found: list[lexer.Token]) -> str:
    """*text* without comments, its strings written so that the parser reads them as Prometheus does.

    The parser refuses escapes inside of backticks, takes the byte of an escape such as 0xff for a character, and takes
    neither `offset 0s` nor overflowing numbers for what they are.
    """
    parts: list[str] = []
    for token, before in zip(found, [None, *found], strict=False):
        if token.kind == "string" and ("\\" in token.text or token.text[0] == "`"):
            parts.append(lexer.quoted(_unquoted(text, found, token)))
        elif token.kind == "number" and before and before.text.lower() == "offset" and not token.text.strip("0.smhdwy"):
            parts.pop()
        elif token.kind == "number" and _overflows(token.text):
            raise QueryError(f"{lexer.near(text, token.start)}: got an overflow, expected a number that a float holds")
        else:
            glued = before is not None and before.end == token.start
            parts.append(token.text if glued else f" {token.text}")
    return "".join(parts).strip()


def _unquoted(text: str, found: list[lexer.Token], token: lexer.Token) -> str:
    try:
        return lexer.unquote(token.text)
    except ValueError as exc:
        before = [other.text.lower() for other in found if other.start < token.start and other.text != "("]
        if before and before[-1] == "count_values":
            raise QueryError(f"invalid label name {token.text}") from exc
        raise QueryError(f"{lexer.near(text, token.start)}: the string {exc}") from exc


def _overflows(number: str) -> bool:
    try:
        return float(number) == float("inf")
    except ValueError:  # a duration, or hexadecimal
        return False


class _Reader:
    """Turns the parser's tree into ours, handing each call the places of its arguments."""

    def __init__(self, sites: dict[str, list[tuple[str, ...]]]) -> None:
        self._sites = {name: iter(calls) for name, calls in sites.items()}

    def read(self, node: Any) -> ast.Expr:
        while isinstance(node, pq.ParenExpr):
            node = node.expr
        match node:
            case pq.NumberLiteral():
                return ast.Number(node.val)
            case pq.StringLiteral():
                return ast.Text(node.val)
            case pq.VectorSelector():
                return _selector(node)
            case pq.MatrixSelector():
                range_ms = _ms(_attribute(lambda: node.range))
                return ast.Range(_selector(node.vector_selector), range_ms)
            case pq.SubqueryExpr():
                return self._subquery(node)
            case pq.UnaryExpr():
                return ast.Negation(self.read(node.expr))
            case pq.BinaryExpr():
                return self._binary(node)
            case pq.AggregateExpr():
                return self._aggregate(node)
            case pq.Call():
                return self._call(node)
        raise QueryError(f"got {type(node).__name__}, which this engine does not know")

    def _subquery(self, node: pq.SubqueryExpr) -> ast.Subquery:
        step = _attribute(lambda: node.step)
        return ast.Subquery(
            self.read(node.expr),
            _ms(_attribute(lambda: node.range)),
            None if step is None else _ms(step),
            _ms(_attribute(lambda: node.offset)),
            _at(node.at),
        )

    def _binary(self, node: pq.BinaryExpr) -> ast.Binary:
        op, modifier = str(node.op), node.modifier
        matching = ast.Matching(ast.Card.MANY_TO_MANY if op in ast.SET_OPERATORS else ast.Card.ONE_TO_ONE)
        if modifier is not None:
            fill = modifier.fill_values
            if fill.lhs is not None or fill.rhs is not None:
                raise Unsupported("fill(), fill_left() and fill_right() are experimental and not supported here")
            listed = modifier.matching
            matching = ast.Matching(
                _CARDS[str(modifier.card)],
                listed is not None and listed.type == pq.LabelModifierType.Include,
                tuple(listed.labels) if listed is not None else (),
                tuple(modifier.group_labels or ()),
            )
        as_bool = modifier is not None and modifier.return_bool
        left = self.read(node.lhs)
        return ast.Binary(op, left, self.read(node.rhs), matching, as_bool)

    def _aggregate(self, node: pq.AggregateExpr) -> ast.Aggregate:
        op, modifier = str(node.op), node.modifier
        if op in ("limitk", "limit_ratio"):
            raise Unsupported(f"{op}() is experimental and not supported here")
        places = next(self._sites.get(op, iter(())), ())
        param = None if node.param is None else self.read(node.param)
        return ast.Aggregate(
            op,
            self.read(node.expr),
            param,
            modifier is not None and modifier.type == pq.AggModifierType.Without,
            tuple(modifier.labels) if modifier is not None else (),
            places,
        )

    def _call(self, node: pq.Call) -> ast.Call:
        name = node.func.name
        if node.func.experimental:
            raise Unsupported(f"{name}() is experimental and not supported here")
        if name in ("histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"):
            raise Unsupported(f"{name}() reads native histograms, which are not supported here; use the classic series")
        places = next(self._sites.get(name, iter(())), ())
        return ast.Call(name, tuple(map(self.read, node.args)), places)


def _selector(node: pq.VectorSelector) -> ast.Selector:
    if node.matchers.or_matchers:
        raise QueryError("got 'or' between matchers, which Prometheus does not have; use a regular expression")
    matchers = [] if node.name is None else [Matcher(ast.NAME, MatchOp.EQ, node.name)]
    try:
        matchers += [Matcher(m.name, _OPS[str(m.op)], m.value) for m in node.matchers.matchers]
    except MatcherError as exc:
        raise QueryError(str(exc)) from exc
    return ast.Selector(tuple(matchers), _ms(_attribute(lambda: node.offset)), _at(node.at))


def _at(at: pq.AtModifier | None) -> ast.At | None:
    if at is None:
        return None
    if str(at.type) in _ANCHORS:
        return ast.At(_ANCHORS[str(at.type)])
    return ast.At(ast.Anchor.TIME, _ms((_attribute(lambda: at.at) or _EPOCH) - _EPOCH, bounded=False))


def _attribute(get: Callable[[], T]) -> T:
    """What *get* reads off the parser's tree, whose times panic when they are out of bounds."""
    try:
        return get()
    except BaseException as exc:
        if isinstance(exc, Exception) or type(exc).__name__ == "PanicException":
            raise QueryError("got a time or duration out of bounds, expected one within 292 years") from exc
        raise


def _ms(duration: timedelta | None, *, bounded: bool = True) -> int:
    if duration is None:
        return 0
    if bounded and abs(duration) > _LONGEST:
        raise QueryError(f"got a duration of {duration.days} days, expected one within 292 years")
    # Not total_seconds(): as a float, 1.001 s has 1000 whole ms.
    return (duration.days * 86400 + duration.seconds) * 1000 + duration.microseconds // 1000
