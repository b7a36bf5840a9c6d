"""Opening the file, and what is done with one that is broken."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from sidecar.db import migrations
from sidecar.db.errors import is_broken

_log = structlog.get_logger(__name__)

_PATIENCE: Final = 5.0
"""Seconds to wait for somebody who reads or copies the file."""
_BESIDE: Final = ("-wal", "-shm")


def in_memory() -> sqlite3.Connection:
    """The tables, in memory."""
    connection = _connect(":memory:")
    migrations.migrate(connection)
    return connection


def make_place(path: Path) -> None:
    """The folder of the file at *path*, and the file, which is nobody else's to read; OSError when that cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


def open_file(path: Path, now: float) -> sqlite3.Connection:
    """The tables in the file at *path*; a broken one is moved aside. sqlite3.Error or OSError when it cannot be."""
    try:
        return _open(path)
    except sqlite3.DatabaseError as exc:
        if not is_broken(exc):
            raise
        _log.error("database.corrupt", path=str(path), error=str(exc), moved_to=str(move_aside(path, now)))
    return _open(path)


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads the file at *path*; sqlite3.Error when there is nothing to read."""
    uri = path.absolute().as_uri()
    try:
        return _readable(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        # In a folder that cannot be written, WAL needs the promise that nobody else writes either; we hold the lock.
        return _readable(f"{uri}?immutable=1")


def move_aside(path: Path, now: float) -> Path:
    """Rename the file and what belongs to it; the new name of the file."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.corrupt-{stamp}")
    path.rename(target)
    for suffix in _BESIDE:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(target.with_name(target.name + suffix))
    return target


def _open(path: Path) -> sqlite3.Connection:
    connection = _connect(str(path))
    try:
        migrations.check(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # In pages. SQLite's own 1000 let the log grow to 4 MiB, and one that has filled its volume never shrinks again.
        connection.execute("PRAGMA wal_autocheckpoint = 100")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _corrupt(verdict)
        migrations.migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(database: str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(database, isolation_level=None, timeout=_PATIENCE, uri=uri)


def _readable(uri: str) -> sqlite3.Connection:
    connection = _connect(uri, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _corrupt(verdict: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(f"quick_check says: {verdict}")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error
