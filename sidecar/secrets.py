"""Secrets: read where they are kept, shown nowhere."""

import base64
import html
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn, Self
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sidecar.model.errors import SidecarError

MASK: Final = "***"
"""What stands wherever a secret would."""

_SHORTEST: Final = 6  # a shorter value would blot out ordinary words
_SHORTEST_PART: Final = 16  # of a secret URL: shorter parts, such as /alerts, give nothing away
_LARGEST_FILE: Final = 64 * 1024
_LONGEST_ENCODED: Final = 2000  # bytes; who repeats more of a secret writes it as it is

_known: tuple[str, ...] = ()
_lent: tuple[str, ...] = ()  # known for a while; one that two borrowed stands here twice


class SecretError(SidecarError, ValueError):
    """A secret that cannot be had; names the variable or the file, never the value."""


class Secret:
    """A value that is used and never shown.

    In a settings file it is a text, or `{env: NAME}`, or `{file: /path}`. A file is read when the secret is revealed,
    and again when it has changed. Two secrets are equal when they come from the same place; two texts, when they are
    the same. However it is printed, dumped or described, it is `***`.
    """

    __slots__ = ("_cached", "_file", "_source", "_stamp")

    _source: tuple[str, str]  # ("text", value), ("env", value) or ("file", path)

    def __init__(self, value: str, *, origin: str = "text", known: bool = True) -> None:
        """*known*: whether `redact` takes the value out of texts; not for what is hidden, but an ordinary word."""
        self._source = (origin, value)
        self._file = Path(value) if origin == "file" else None
        self._stamp: tuple[int, int, int] | None = None  # of the file's content in _cached
        self._cached = ""
        if self._file is None:
            self._cached = _usable(value, "the text")
            if known:
                remember(self._cached)

    @classmethod
    def from_env(cls, name: str) -> Self:
        """The value of the environment variable *name*, taken now."""
        value = os.environ.get(name)
        if value is None:
            raise SecretError(f"the environment has no {name}; expected the secret there")
        return cls(_usable(value, f"the environment variable {name}"), origin="env")

    @classmethod
    def from_file(cls, path: str) -> Self:
        """What stands in the file at *path* whenever the secret is revealed."""
        if not path:
            raise SecretError("the path of the secret's file is empty; expected a file such as /run/secrets/token")
        return cls(path, origin="file")

    @property
    def at_hand(self) -> bool:
        """Whether the value is known without reading a file."""
        return self._file is None

    def reveal(self) -> str:
        """The value, without a line break at its end; raises SecretError when its file cannot be read."""
        if self._file is not None:
            self._refresh(self._file)
        return self._cached

    def _refresh(self, path: Path) -> None:
        try:
            status = path.stat()  # follows Kubernetes' symlinks, so a swapped volume is seen
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            if status.st_size > _LARGEST_FILE:
                raise SecretError(f"the secret's file {path} has {status.st_size} bytes, expected one short line")
            text = path.read_bytes().decode("utf-8")
        except OSError as exc:
            raise SecretError(f"the secret's file {path} cannot be read: {exc.strerror}; is it mounted?") from exc
        except UnicodeDecodeError:
            raise SecretError(f"the secret's file {path} is not UTF-8 text") from None  # the cause holds the bytes
        self._cached = _usable(text, f"the secret's file {path}")
        self._stamp = stamp
        remember(self._cached)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._source == other._source

    def __hash__(self) -> int:
        return hash(self._source)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema(), when_used="always"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        def mapping(key: str, description: str) -> JsonSchemaValue:
            properties = {key: {"type": "string", "description": description}}
            return {"type": "object", "properties": properties, "required": [key], "additionalProperties": False}

        return {
            "anyOf": [
                {"type": "string", "format": "password", "writeOnly": True},
                mapping("env", "Name of the environment variable that holds the secret."),
                mapping("file", "Path of the file that holds the secret; read again when it changes."),
            ]
        }

    @classmethod
    def _validate(cls, value: Any) -> "Secret":
        match value:
            case Secret():
                return value
            case str():
                return cls(value)
            case {"env": str(name), **rest} if not rest:
                return cls.from_env(name)
            case {"file": str(path), **rest} if not rest:
                return cls.from_file(path)
            case dict():
                kind = "another mapping"  # its keys may be the secret
            case _:
                kind = f"a value of the kind {type(value).__name__}"
        raise SecretError(f"got {kind}, expected a text, {{env: NAME}} or {{file: /path}}")


def remember(value: str) -> None:
    """Let `redact` know *value*, and the forms in which it travels."""
    global _known  # noqa: PLW0603 -- one registry for the process: whoever prints does not know who holds what
    forms = {form for form in _forms(value) if len(form) >= _SHORTEST}
    if not forms <= set(_known):
        # The longest first, so that no tail of a secret stays when it begins with another one.
        _known = tuple(sorted({*_known, *forms}, key=len, reverse=True))


@contextmanager
def borrowed() -> Iterator[Callable[[str], None]]:
    """Something to tell values to that `redact` has to know until the block ends, such as a token of one session."""
    global _lent  # noqa: PLW0603 -- as in remember
    told: list[str] = []

    def keep(value: str) -> None:
        global _lent  # noqa: PLW0603 -- as in remember
        forms = [form for form in _forms(value) if len(form) >= _SHORTEST]
        told.extend(forms)
        _lent = (*_lent, *forms)

    try:
        yield keep
    finally:
        left = list(_lent)
        for form in told:
            left.remove(form)
        _lent = tuple(left)


def redact(text: str, *, cut: bool = False) -> str:
    """*text* with `***` wherever it names a secret of six characters or more that was read so far.

    *cut*: the text may go on where it came from, so the beginning of a secret at its end is taken out, too.
    """
    known = sorted({*_known, *_lent}, key=len, reverse=True) if _lent else _known
    encoded = text.encode("utf-8", "surrogatepass")
    if (_known and _search(_known)(encoded)) or any(value in text for value in _lent):
        for value in known:
            text = text.replace(value, MASK)
    if not cut:
        return text
    begun = max((_begun(text, value) for value in known), default=0)
    return text[: len(text) - begun] + MASK if begun else text


def _begun(text: str, value: str) -> int:
    """How many characters at the end of *text* are the beginning of *value*; 0 for a few, which any word may be."""
    longest = min(len(text), len(value) - 1)
    if value[:_SHORTEST] not in text[len(text) - longest :]:
        return 0
    return next((n for n in range(longest, _SHORTEST - 1, -1) if text.endswith(value[:n])), 0)


@lru_cache(maxsize=4)
def _search(known: tuple[str, ...]) -> Callable[[bytes], object]:
    """Whether any of *known* is in a text, in one pass over it, however many there are: texts may be megabytes."""
    import re2  # here, because commands that show nothing secret need not load it

    options = re2.Options()
    options.never_capture = True
    options.max_mem = 64 * 1024 * 1024
    pattern = b"|".join(re2.escape(value.encode("utf-8", "surrogatepass")) for value in known)
    options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are
    search: Callable[[bytes], object] = re2.compile(pattern, options).search
    return search


def _forms(value: str) -> set[str]:
    """*value*, its parts that are secret by themselves, and how others write them."""
    return {form for part in (value, *_parts(value)) for form in _written(part)}


def _parts(value: str) -> set[str]:
    scheme, _, credential = value.partition(" ")
    parts = {credential.strip()} if scheme.lower() in ("bearer", "basic", "token") else set()
    if "://" in value:
        parts |= _attempt(lambda: _parts_of_url(value))
    lines = value.split("\n")
    if len(lines) > 1:  # a file of credentials: who repeats one does so alone
        parts |= {line.strip() for line in lines if len(line.strip()) >= _SHORTEST_PART and "--" not in line}
    return parts


def _written(value: str) -> set[str]:
    """*value* as it travels: in URLs, JSON, HTML, Python's quotes, Base64 and hexadecimal."""
    encoded = value.encode("utf-8", "surrogatepass")
    in_json, in_utf8 = json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]
    written = {value, in_json, in_utf8, in_json.replace("/", "\\/"), in_utf8.replace("/", "\\/")}
    written |= {quote(encoded, safe=""), quote(encoded), quote_plus(encoded), html.escape(value)}
    written |= {html.escape(value, quote=False), repr(value)[1:-1], value.encode("unicode_escape").decode()}
    if len(encoded) > _LONGEST_ENCODED:
        return written
    in_base64 = {form for shift in range(3) for form in _in_base64(encoded, shift)}
    return written | in_base64 | {encoded.hex(), encoded.hex().upper()}


def _in_base64(value: bytes, shift: int) -> tuple[str, str]:
    """What *value* is in Base64, and in that for URLs, behind *shift* bytes, without what the neighbours change.

    A password stands behind its user's name in a header of the scheme Basic.
    """
    text = base64.b64encode(bytes(shift) + value)
    inner = text[(0, 2, 3)[shift] : (shift + len(value)) * 8 // 6].decode()
    return inner, inner.replace("+", "-").replace("/", "_")


def _parts_of_url(url: str) -> set[str]:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    # Whoever complains of a token names it alone: the last segment of an incoming webhook's path.
    segments = parts.path.split("/") + [value for _, value in parse_qsl(parts.query)]
    found = {form for form in (path, parts.path, parts.query, *segments) if len(form) >= _SHORTEST_PART}
    return found | ({parts.password, unquote(parts.password)} if parts.password else set())


def _attempt(parts: Callable[[], set[str]]) -> set[str]:
    try:
        return parts()
    except ValueError:  # not a URL after all
        return set()


def _usable(value: str, where: str) -> str:
    value = value.rstrip("\r\n")
    if not value.strip():
        raise SecretError(f"{where} is empty, expected a secret")
    if "\x00" in value:
        raise SecretError(f"{where} holds a NUL byte, expected a secret of one line")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise SecretError(f"{where} is not UTF-8 text")
    return value
