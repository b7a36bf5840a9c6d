"""Facts about the file itself: when it was written last, and whether the daemon said goodbye."""

import sqlite3

import structlog

_log = structlog.get_logger(__name__)

_SAVED_AT, _CLEAN, _PRUNED_AT = "saved_at", "clean", "pruned_at"


def saved_at(connection: sqlite3.Connection) -> float | None:
    """When state was saved last, in seconds since the epoch; None for never. The downtime began then."""
    return _time(connection, _SAVED_AT)


def alive(connection: sqlite3.Connection, now: float) -> None:
    """The daemon lives at *now*; said with every commit, and at every tick, so that a downtime is known."""
    _put(connection, _SAVED_AT, repr(now))


def was_clean(connection: sqlite3.Connection) -> bool:
    """Whether the daemon before us ended on purpose."""
    return _get(connection, _CLEAN) == "1"


def started(connection: sqlite3.Connection) -> None:
    """A daemon works on the file: from now on its end is a crash, unless it says `stopped`."""
    _put(connection, _CLEAN, "0")


def stopped(connection: sqlite3.Connection, now: float) -> None:
    """The daemon ends on purpose."""
    alive(connection, now)
    _put(connection, _CLEAN, "1")


def pruned_at(connection: sqlite3.Connection) -> float | None:
    """When old history was removed last."""
    return _time(connection, _PRUNED_AT)


def pruned(connection: sqlite3.Connection, now: float) -> None:
    """Old history was removed at *now*."""
    _put(connection, _PRUNED_AT, repr(now))


def _get(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _put(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


def _time(connection: sqlite3.Connection, name: str) -> float | None:
    text = _get(connection, name)
    try:
        return None if text is None else float(text)
    except ValueError as exc:  # no more than a downtime that is not known
        _log.error("meta.unreadable", name=name, error=str(exc))
        return None
