"""What each channel was told about each alert."""

import sqlite3
from collections.abc import Iterable

from sidecar.alerts.record import Key, Record

_COLUMNS = (
    "fingerprint",
    "channel",
    "open",
    "opened_at",
    "told_at",
    "n",
    "flips",
    "hushed",
    "failed",
    "firing_since",
    "ended_at",
    "reason",
)
_NAMES = ", ".join(_COLUMNS)
_MARKS = ", ".join("?" * len(_COLUMNS))


def save(connection: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Keep *records* as they are now."""
    rows = [tuple(getattr(record, name) for name in _COLUMNS) for record in records]
    connection.executemany(f"INSERT OR REPLACE INTO records ({_NAMES}) VALUES ({_MARKS})", rows)  # noqa: S608 -- constants


def load(connection: sqlite3.Connection) -> tuple[Record, ...]:
    """Every record that was saved."""
    rows = connection.execute(f"SELECT {_NAMES} FROM records ORDER BY fingerprint, channel")  # noqa: S608 -- constants
    return tuple(map(_record, rows))


def drop(connection: sqlite3.Connection, keys: Iterable[Key]) -> frozenset[Key]:
    """Forget the records with *keys*, except those about which a message waits; returns those that are gone."""
    return frozenset(key for key in keys if _drop(connection, key))


def _drop(connection: sqlite3.Connection, key: Key) -> bool:
    waiting = connection.execute(
        "SELECT 1 FROM outbox_alerts JOIN outbox USING (seq) WHERE fingerprint = ? AND channel = ? LIMIT 1", key
    ).fetchone()
    if waiting is None:
        connection.execute("DELETE FROM records WHERE fingerprint = ? AND channel = ?", key)
    return waiting is None


def _record(row: tuple[object, ...]) -> Record:
    fields = dict(zip(_COLUMNS, row, strict=True))
    for name in ("open", "hushed", "failed"):
        fields[name] = bool(fields[name])
    return Record(**fields)  # type: ignore[arg-type]  # the columns have these types by their declaration
