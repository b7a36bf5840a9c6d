"""The functions that every Go template has; `and` and `or` are part of the execution."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import quote_plus

from sidecar.templating.gotemplate.execute import truth
from sidecar.templating.gotemplate.nodes import TemplateError
from sidecar.templating.gotemplate.printing import show, sprint, sprintf, type_name


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
    raise TemplateError("invalid type for comparison")


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    if _kind(a) != _kind(b):
        raise TemplateError(f"incompatible types for comparison: {type_name(a)} and {type_name(b)}")
    return bool(a == b)


def eq(first: Any = None, *others: Any) -> bool:
    """Whether *first* equals one of *others*."""
    if not others:
        raise TemplateError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _two(a: Any, b: Any) -> None:
    if _kind(a) == "bool" or _kind(b) == "bool":
        raise TemplateError("invalid type for comparison")
    if _kind(a) != _kind(b):
        raise TemplateError(f"incompatible types for comparison: {type_name(a)} and {type_name(b)}")


def lt(a: Any, b: Any) -> bool:
    """Whether *a* is less than *b*; both of one type."""
    _two(a, b)
    return bool(a < b)


def le(a: Any, b: Any) -> bool:
    """Whether *a* is less than *b* or equal to it, as Go's templates have it: so it is for two NaN."""
    return lt(a, b) or _same(a, b)


def length(value: Any) -> int:
    """Bytes of a text, elements of a list or a map."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping | Sequence):
        return len(value)
    raise TemplateError(f"len of type {type_name(value)}")


def index(value: Any, *keys: Any) -> Any:
    """`index x 1 "a"` is x[1]["a"]; a key that a map does not have is empty."""
    for key in keys:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key, "")
        elif isinstance(value, Sequence) and isinstance(key, int) and not isinstance(key, bool):
            if not 0 <= key < len(value):
                raise TemplateError(f"index out of range: {key}")
            value = ord(value[key]) if isinstance(value, str) else value[key]
        else:
            raise TemplateError(f"can't index item of type {type_name(value)} with {show(key)}")
    return value


def _printf(text: Any = None, *values: Any) -> str:
    if not isinstance(text, str):
        raise TemplateError(f"wrong type for value; expected string; got {type_name(text)}")
    return sprintf(text, values)


def _html(*values: Any) -> str:
    return escape(sprint(values), quote=False).replace('"', "&#34;").replace("'", "&#39;").replace("\0", "\ufffd")


BUILTINS: Final[Mapping[str, Callable[..., Any]]] = {
    "and": lambda *_: None,  # known by name; carried out in place, so that they look at no more than they need
    "or": lambda *_: None,
    "not": lambda value: not truth(value),
    "eq": eq,
    "ne": lambda a, b: not _same(a, b),
    "lt": lt,
    "le": le,
    "gt": lambda a, b: not le(a, b),
    "ge": lambda a, b: not lt(a, b),
    "len": length,
    "index": index,
    "print": lambda *values: sprint(values),
    "println": lambda *values: " ".join(map(show, values)) + "\n",
    "printf": _printf,
    "html": _html,
    "urlquery": lambda *values: quote_plus(sprint(values), safe="-_.~"),
}
