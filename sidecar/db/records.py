"""What each channel was told about each alert."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog

from sidecar.alerts.record import Key, Record

_log = structlog.get_logger(__name__)

_TIME: Final = (float, type(None))
_COLUMNS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "fingerprint": str,
    "channel": str,
    "open": int,
    "opened_at": _TIME,
    "told_at": _TIME,
    "n": int,
    "flips": int,
    "hushed": int,
    "failed": int,
    "firing_since": _TIME,
    "ended_at": _TIME,
    "reason": str,
}
"""Which columns there are, and what each holds: SQLite itself takes anything anywhere."""
_NAMES = ", ".join(_COLUMNS)
_MARKS = ", ".join("?" * len(_COLUMNS))


def save(connection: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Keep *records* as they are now."""
    rows = [tuple(getattr(record, name) for name in _COLUMNS) for record in records]
    connection.executemany(f"INSERT OR REPLACE INTO records ({_NAMES}) VALUES ({_MARKS})", rows)  # noqa: S608 -- constants


def load(connection: sqlite3.Connection) -> tuple[Record, ...]:
    """Every record that was saved, as far as it can be read."""
    rows = connection.execute(f"SELECT {_NAMES} FROM records ORDER BY fingerprint, channel")  # noqa: S608 -- constants
    records = []
    for row in rows:
        try:
            records.append(_record(row))
        except TypeError as exc:  # one bad row must not keep the daemon from starting
            _log.error("record.unreadable", fingerprint=row[0], channel=row[1], error=str(exc))
    return tuple(records)


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


def _record(row: tuple[Any, ...]) -> Record:
    fields = dict(zip(_COLUMNS, row, strict=True))
    for name, kind in _COLUMNS.items():
        if not isinstance(fields[name], kind):
            raise TypeError(f"got {type(fields[name]).__name__} in the column {name!r}")
    for name in ("open", "hushed", "failed"):
        fields[name] = bool(fields[name])
    return Record(**fields)
