"""What a peer answered over HTTP, and how it is read: as text, as JSON, by path."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, NoReturn

from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import AfterValidator

from sidecar.checks._http import quoted
from sidecar.model.errors import SidecarError

# As browsers read them; any other is UTF-8. The peer names it, so it never is whatever Python has a codec for.
_CHARSETS: Final[Mapping[str, str]] = {
    "iso-8859-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252", "iso-8859-15": "iso-8859-15",
    "windows-1251": "cp1251", "koi8-r": "koi8-r", "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "shift_jis": "cp932", "euc-jp": "euc-jp", "euc-kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030",
    "gb18030": "gb18030", "big5": "big5hkscs",
}  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?")


class Unreadable(SidecarError, ValueError):  # noqa: N818 -- a finding about a peer, not an error of ours
    """An answer that cannot be read as it has to be; says how it is instead."""


def _path(text: str) -> str:
    from sidecar.checks._jsonpath import check

    return check(text)


JsonPath = Annotated[str, AfterValidator(_path)]
"""A path such as $.status, as RFC 9535 has it."""


class NotJson(Unreadable):
    """A body that had to be JSON."""


@dataclass(frozen=True)
class Answer:
    """One answer, whole."""

    url: str
    status: int
    headers: CIMultiDict[str] | CIMultiDictProxy[str]
    body: bytes
    charset: str
    seconds: float  # from the request to the last byte

    @cached_property
    def text(self) -> str:
        """The body in characters; a byte that is none is replaced."""
        return self.body.decode(_CHARSETS.get(self.charset.lower(), "utf-8"), "replace")

    @cached_property
    def said(self) -> str:
        """The beginning of the body, quoted."""
        return quoted(self.text) or "an empty body"

    @cached_property
    def document(self) -> Any:
        """The body as JSON; raises NotJson."""
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except RecursionError:
            reason = "it is nested too deep"
        except json.JSONDecodeError as exc:
            reason = f"{exc.msg} at character {exc.pos + 1}" if self.body.strip() else "it is empty"
        except ValueError as exc:
            # Bytes that are no text, or a number of thousands of digits.
            reason = "it is no UTF-8" if isinstance(exc, UnicodeError) else str(exc)
        raise NotJson(f"the body is no JSON: {reason}")

    def select(self, path: str) -> list[Any]:
        """The values that *path* selects; raises Unreadable."""
        from sidecar.checks._jsonpath import select

        return select(path, self.document)

    def first(self, path: str) -> list[Any]:
        """The first value that *path* selects, in a list of at most one; raises Unreadable."""
        from sidecar.checks._jsonpath import first

        return first(path, self.document)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number of JSON")


def number(value: Any) -> float | None:
    """*value* as a finite number, if it is one: a number, the text of one, or a boolean as 1 or 0."""
    if isinstance(value, str):
        text = value.strip()
        value = float(text) if _NUMBER.fullmatch(text) else None
    if not isinstance(value, int | float) or not abs(value) < 1e308:
        return None
    return float(value)


def as_text(value: Any) -> str:
    """*value* as a person reads it: a text itself, anything else in JSON; raises Unreadable."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise Unreadable("is nested too deep") from None


def shown(value: Any) -> str:
    """*value* for a message: short JSON, without secrets."""
    if isinstance(value, str):
        return quoted(json.dumps(value[:2000], ensure_ascii=False))
    if isinstance(value, dict | list) and len(value) > 100:
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    try:
        return quoted(as_text(value))
    except Unreadable:
        return "a deep value"


def same(found: Any, expected: Any) -> bool:
    """Whether two JSON values are the same: 1 is 1.0, but neither is true."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    return bool(found == expected)
