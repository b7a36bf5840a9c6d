"""Secrets: read where they are kept, shown nowhere."""

import os
import time
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sidecar.model.errors import SidecarError
from sidecar.secrets import attempts, redaction
from sidecar.secrets.attempts import RETRIED, attempted, refused
from sidecar.secrets.redaction import MASK, borrowed, redact, remember

__all__ = ["MASK", "RETRIED", "Secret", "SecretError", "attempted", "borrowed", "redact", "refused", "remember"]

_LARGEST_FILE: Final = 64 * 1024
_PATIENCE: Final = 60.0  # seconds for which a file that cannot be read keeps its last value
_SETTLED: Final = 2_000_000_000  # nanoseconds after which another change gives a file another time, on any file system

_monotonic = time.monotonic


class SecretError(SidecarError, ValueError):
    """A secret that cannot be had; names the variable or the file, never the value."""


class Secret:
    """A value that is used and never shown.

    In a settings file it is a text, or `{env: NAME}`, or `{file: /path}`. A file is read when the secret is revealed,
    and again when it has changed. Two secrets are equal when they come from the same place; two texts, when they are
    the same. However it is printed, dumped or described, it is `***`.
    """

    __slots__ = ("_cached", "_failing_since", "_file", "_known", "_source", "_stamp")

    _source: tuple[str, str]  # ("text", value), ("env", value) or ("file", path)

    def __init__(self, value: str, *, origin: str = "text", known: bool = True) -> None:
        """*known*: whether `redact` takes the value out of texts; not for what is hidden, but an ordinary word."""
        self._known = ""  # what redact knows because of us
        self._cached = ""
        self._source = (origin, value)
        self._file = Path(value) if origin == "file" else None
        self._stamp: tuple[int, int, int] | None = None  # of the file's content in _cached
        self._failing_since: float | None = None  # since when the file cannot be read
        if self._file is None:
            self._cached = _usable(value, "the text")
            if known:
                self._hold()

    def _hold(self) -> None:
        before, self._known = self._known, self._cached
        redaction.hold(self._known)
        if before:
            redaction.release(before)

    def __del__(self) -> None:
        if getattr(self, "_known", ""):
            redaction.release(self._known)

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
        """The value, without a line break at its end; raises SecretError when its file cannot be read.

        Within an attempt to reach somebody, the last value stands in for a file that is gone, empty or half since less
        than a minute: it is being replaced. Whoever lets others in with the value gets no such grace.
        """
        if self._file is not None:
            self._refresh(self._file)
            attempts.used(self, self._cached)
        return self._cached

    def again(self) -> str | None:
        """The value as it stands now in its file, whatever the file's time says; None when it cannot be had."""
        self._stamp = None
        try:
            self._refresh(self._file) if self._file is not None else None
        except SecretError:
            return None
        return self._cached

    def _refresh(self, path: Path) -> None:
        try:
            self._read(path)
        except SecretError:
            now = _monotonic()
            self._failing_since = now if self._failing_since is None else self._failing_since
            if not (self._cached and attempts.underway() and now - self._failing_since < _PATIENCE):
                raise
        else:
            self._failing_since = None

    def _read(self, path: Path) -> None:
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
        # A file of just now may change once more and keep its time.
        self._stamp = stamp if time.time_ns() - status.st_mtime_ns > _SETTLED else None
        if self._cached != self._known:
            self._hold()

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


def _usable(value: str, where: str) -> str:
    value = value.rstrip("\r\n")
    if not value.strip():
        raise SecretError(f"{where} is empty, expected a secret")
    if "\x00" in value:
        raise SecretError(f"{where} holds a NUL byte, expected a secret of one line")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise SecretError(f"{where} is not UTF-8 text")
    return value
