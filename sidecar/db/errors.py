"""What can be wrong with the database, and whether the daemon can live with it."""

import sqlite3
from typing import Final

from sidecar.model.errors import SidecarError


class DatabaseError(SidecarError):
    """A database that cannot be used."""


class DatabaseInUse(DatabaseError):  # noqa: N818 -- a state of affairs, like NotLeader
    """Another daemon has the file."""


class NewerDatabase(DatabaseError):  # noqa: N818 -- a state of the file
    """A newer release wrote the file."""


_UNWRITABLE: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
    }
)
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_broken(exc: sqlite3.Error) -> bool:
    """Whether the file is no sound database."""
    return _code(exc) in _BROKEN


def is_storage(exc: sqlite3.Error) -> bool:
    """Whether the file, its disk or another process is to blame, and not the statement."""
    return _code(exc) in _UNWRITABLE | _BROKEN


def _code(exc: sqlite3.Error) -> int:
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest says which kind of it
