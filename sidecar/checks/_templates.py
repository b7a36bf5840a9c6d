"""Texts of one request that hold what an earlier one saved: `{{ token }}`."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_PLACE: Final = re.compile(r"(\\?)\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}", re.ASCII)
"""A name in braces; with a backslash in front it stands for itself."""


def names(value: Any) -> Iterator[str]:
    """Whatever *value*, a text or a JSON value, uses."""
    match value:
        case str():
            yield from (found[2] for found in _PLACE.finditer(value) if not found[1])
        case list() | tuple():
            for one in value:
                yield from names(one)
        case dict():
            for key, one in value.items():
                yield from names(key)
                yield from names(one)


def filled(text: str, saved: Mapping[str, str], encode: Callable[[str], str] = str) -> str:
    """*text* with what was *saved* in its places; *encode* makes a value fit the text around it."""
    return _PLACE.sub(lambda found: found[0][1:] if found[1] else encode(saved[found[2]]), text)


def filled_json(value: Any, saved: Mapping[str, str]) -> Any:
    """The JSON *value* with what was *saved* in all its texts."""
    match value:
        case str():
            return filled(value, saved)
        case list():
            return [filled_json(one, saved) for one in value]
        case dict():
            return {filled(key, saved): filled_json(one, saved) for key, one in value.items()}
        case _:
            return value
