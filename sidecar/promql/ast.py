"""The tree of an expression, as the rest of the engine sees it.

Ours and not the parser's: its nodes have no stability promise, no types and no places in the text. Parentheses are
gone, `+x` is `x`, durations are whole ms.
"""

from dataclasses import dataclass
from enum import StrEnum

from sidecar.model.matchers import Matcher, MatchOp
from sidecar.promql.value import Kind

NAME = "__name__"
SCALAR_FUNCTIONS = frozenset({"time", "scalar", "pi"})
COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SET_OPERATORS = frozenset({"and", "or", "unless"})


class Card(StrEnum):
    """How many elements of the left may meet how many of the right."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"  # group_left
    ONE_TO_MANY = "one-to-many"  # group_right
    MANY_TO_MANY = "many-to-many"  # set operators


class Anchor(StrEnum):
    """What `@` names."""

    TIME = "time"
    START = "start()"
    END = "end()"


@dataclass(frozen=True, slots=True)
class At:
    anchor: Anchor
    ms: int = 0  # of an anchor TIME


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    matchers: tuple[Matcher, ...]  # the metric's name among them
    offset_ms: int = 0
    at: At | None = None

    @property
    def name(self) -> str:
        """The metric's name, empty when it is not given literally."""
        return next((m.value for m in self.matchers if m.name == NAME and m.op is MatchOp.EQ), "")


@dataclass(frozen=True, slots=True)
class Range:
    selector: Selector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    expr: "Expr"
    range_ms: int
    step_ms: int | None  # None: the default
    offset_ms: int = 0
    at: At | None = None


@dataclass(frozen=True, slots=True)
class Negation:
    expr: "Expr"


@dataclass(frozen=True, slots=True)
class Matching:
    """Which elements of two vectors belong together."""

    card: Card = Card.ONE_TO_ONE
    on: bool = False  # labels are those that must agree; else those that are ignored
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()  # of group_left and group_right


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: "Expr"
    right: "Expr"
    matching: Matching = Matching()
    as_bool: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate:
    op: str
    expr: "Expr"
    param: "Expr | None" = None
    without: bool = False
    labels: tuple[str, ...] = ()
    places: tuple[str, ...] = ()  # where its arguments begin, "line:column"


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: "tuple[Expr, ...]"
    places: tuple[str, ...] = ()


Expr = Number | Text | Selector | Range | Subquery | Negation | Binary | Aggregate | Call


def kind(expr: Expr) -> Kind:
    """The type of *expr*."""
    # A loop, because a chain of operators is as deep as it is long.
    while isinstance(expr, Negation):
        expr = expr.expr
    match expr:
        case Number():
            return Kind.SCALAR
        case Text():
            return Kind.STRING
        case Range() | Subquery():
            return Kind.MATRIX
        case Call(name=name):
            return Kind.SCALAR if name in SCALAR_FUNCTIONS else Kind.VECTOR
        case Binary(op=op, left=left, right=right) if op not in SET_OPERATORS:
            scalars = kind(left) is Kind.SCALAR and kind(right) is Kind.SCALAR
            return Kind.SCALAR if scalars else Kind.VECTOR
        case _:
            return Kind.VECTOR


def literal(expr: Expr) -> float | None:
    """The number that *expr* is, whatever signs stand before it; None if it is another expression."""
    sign = 1.0
    while isinstance(expr, Negation):
        expr, sign = expr.expr, -sign
    return sign * expr.value if isinstance(expr, Number) else None


def children(expr: Expr) -> "tuple[Expr, ...]":
    """The expressions directly inside *expr*, in the order of the text."""
    match expr:
        case Range(selector=inner):
            return (inner,)
        case Subquery(expr=one) | Negation(expr=one):
            return (one,)
        case Binary(left=left, right=right):
            return (left, right)
        case Aggregate(expr=one, param=param):
            return (one,) if param is None else (param, one)
        case Call(args=args):
            return args
        case _:
            return ()


def walk(expr: Expr) -> "list[Expr]":
    """*expr* and everything inside it."""
    found: list[Expr] = []
    ahead: list[Expr] = [expr]
    while ahead:
        node = ahead.pop()
        found.append(node)
        ahead.extend(reversed(children(node)))
    return found
