"""Reads JSON that anybody may have written: what is no object is None, and nothing is raised."""

import json
from collections.abc import Mapping
from typing import Any, Final

MOST: Final = 10**12
"""A count above this is no count of anything here."""


def read_object(data: bytes | str) -> Mapping[str, Any] | None:
    """The object in *data*; None when it is no JSON, or JSON of another kind."""
    try:
        # A number of thousands of digits is a ValueError, brackets by the thousand a RecursionError.
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def mapping(value: object) -> Mapping[str, Any]:
    """*value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """*value* if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    """*value* if it can be a number of tokens, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else 0
