"""Paths into JSON answers (RFC 9535), with bounds to what an answer can make them cost."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import jsonpath_rfc9535 as jsonpath
from jsonpath_rfc9535 import segments as kinds
from jsonpath_rfc9535.filter_expressions import FilterQuery
from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction

from sidecar.checks._answers import Unreadable
from sidecar.checks._patterns import compiled as regex

_STEPS: Final = 200_000  # values that one path looks at: a fraction of a second
_FOUND: Final = 10_000  # values that one path may select
_DEEPEST: Final = 200  # levels of a path's own brackets


class PathError(Unreadable):
    """A path that cannot be read, or that cannot be followed in an answer."""


def select(path: str, document: Any) -> list[Any]:
    """The values that *path* selects in *document*, in its order; raises PathError when that is too much work."""
    found = list(islice(_values(path, document), _FOUND + 1))
    if len(found) > _FOUND:
        raise PathError(f"selects more than {_FOUND} values; expected a path to few")
    return found


def first(path: str, document: Any) -> list[Any]:
    """The first value that *path* selects, in a list of at most one; raises as `select`."""
    return list(islice(_values(path, document), 1))


def check(path: str) -> str:
    """*path*, which is a path; raises PathError that says where it is not."""
    _compiled(path)
    return path


def _values(path: str, document: Any) -> Iterator[Any]:
    query = _compiled(path)
    budget = _Budget()
    for segment in query.segments:
        _bind(segment, budget)
    try:
        for node in _Bounded(query.env, query.segments, budget).finditer(document):
            yield node.value
    except (jsonpath.JSONPathError, RecursionError, TypeError) as exc:
        raise PathError("cannot be followed in this answer") from exc


def _compiled(path: str) -> Any:
    """A query of its own each time: its budget is no other's."""
    if path.count("(") + path.count("[") + path.count("!") > _DEEPEST:
        raise PathError(f"this is no usable JSON path: it has more than {_DEEPEST} brackets")
    try:
        return _Environment().compile(path)
    except jsonpath.JSONPathError as exc:
        where = f" at character {exc.token.index + 1}" if exc.token else ""
        reason = exc.args[0] if exc.args else "it cannot be read"
        raise PathError(f"this is no JSON path (RFC 9535): {reason}{where}; expected one such as $.status") from None
    except (RecursionError, ValueError, LookupError) as exc:
        raise PathError("this is no JSON path (RFC 9535); expected one such as $.status") from exc


class _Budget:
    """How much may still be looked at."""

    def __init__(self) -> None:
        self.left = _STEPS

    def pay(self) -> None:
        """For one value; raises PathError when the budget is empty."""
        self.left -= 1
        if self.left < 0:
            raise PathError(f"looks at more than {_STEPS} values of this answer; expected a more exact path")

    def spent(self, nodes: Iterable[Any]) -> Iterator[Any]:
        """*nodes*, each of which costs."""
        for node in nodes:
            self.pay()
            yield node


class _Bounded(jsonpath.JSONPathQuery):
    """A query that pays for each value it looks at. The library bounds neither time nor memory."""

    def __init__(self, env: Any, segments: tuple[Any, ...], budget: _Budget) -> None:
        super().__init__(env=env, segments=segments)
        self._budget = budget

    def finditer(self, value: Any) -> Iterable[Any]:
        nodes: Iterable[Any] = [jsonpath.JSONPathNode(value=value, location=(), parent=None, root=value)]
        for segment in self.segments:
            nodes = self._budget.spent(self._resolved(segment, nodes))
        return nodes

    def _resolved(self, segment: Any, nodes: Iterable[Any]) -> Iterator[Any]:
        if isinstance(segment, kinds.JSONPathRecursiveDescentSegment):
            nodes = (below for node in nodes for below in self._budget.spent(_descend(node)))
        for node in nodes:
            for selector in segment.selectors:
                yield from selector.resolve(node)


def _descend(node: Any) -> Iterator[Any]:
    """*node* and what is below it, each before what it holds; without recursion, so that no answer is too deep."""
    waiting = [iter((node,))]
    while waiting:
        here = next(waiting[-1], None)
        if here is None:
            waiting.pop()
            continue
        yield here
        waiting.append(_containers(here))


def _containers(node: Any) -> Iterator[Any]:
    """The objects and lists in *node*, one by one: a node is larger than the brackets that it stands for."""
    value = node.value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (node.new_child(one, key, node) for key, one in inner if isinstance(one, dict | list))


class _Paying:
    """A filter's expression that pays for each value it is asked about."""

    def __init__(self, expression: Any, budget: _Budget) -> None:
        self._expression = expression
        self._budget = budget

    def evaluate(self, context: Any) -> Any:
        self._budget.pay()
        return self._expression.evaluate(context)


def _bind(part: Any, budget: _Budget) -> None:
    """Let all filters in *part*, a segment or an expression, pay, and the queries in them."""
    for selector in getattr(part, "selectors", ()):
        if (condition := getattr(selector, "expression", None)) is not None:
            _bind(condition, budget)
            selector.expression = _Paying(condition, budget)
    if isinstance(part, FilterQuery):
        for segment in part.query.segments:
            _bind(segment, budget)
        part.query = _Bounded(part.query.env, part.query.segments, budget)
    for inner in (getattr(part, name, None) for name in ("expression", "left", "right")):
        if inner is not None:
            _bind(inner, budget)
    for argument in getattr(part, "args", ()):
        _bind(argument, budget)


class _Regex(FilterFunction):
    """RFC 9535's match() and search(), in linear time: an answer may bring text and expression."""

    arg_types: Final = [ExpressionType.VALUE, ExpressionType.VALUE]
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole

    def __call__(self, text: object, pattern: object) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str):
            return False
        try:
            expression = regex(pattern)
        except ValueError:
            return False
        said = text.encode("utf-8", "replace")  # half of a surrogate pair is no text for RE2
        return bool(expression.fullmatch(said) if self._whole else expression.search(said))


class _Environment(jsonpath.JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Regex(whole=True)
        self.function_extensions["search"] = _Regex(whole=False)
