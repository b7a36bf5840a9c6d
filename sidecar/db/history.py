"""What happened to each alert, as long as there is room: its timeline."""

import sqlite3
from collections.abc import Iterable
from typing import Final

import structlog

from sidecar.alerts.timeline import Entry, Event
from sidecar.db import meta, names

_log = structlog.get_logger(__name__)

KEPT: Final = 30 * 86400.0
"""Seconds for which history is kept."""
ROOM: Final = 100 * 2**20
"""Bytes that the file may have before the oldest history goes."""
ROOM_IN_MEMORY: Final = 8 * 2**20
"""The same for a database in memory, which is the gateway's memory."""
DEAD_LETTERS: Final = 1000
"""How many dead letters are kept at most."""
_PERIOD: Final = 3600.0
_LONGEST: Final = 1000
_LOOKED_AT: Final = 10_000


def add(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write *entries* down, in this order."""
    connection.executemany(
        "INSERT INTO timeline (at, fingerprint, event, text, channel, message, due) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(e.at, e.fingerprint, e.event.value, e.text[:_LONGEST], e.channel, e.message, e.due) for e in entries],
    )


def of_alert(connection: sqlite3.Connection, fingerprint: str, limit: int = 1000) -> tuple[Entry, ...]:
    """The last *limit* lines about one alert, the oldest first."""
    return _entries(
        connection.execute(
            "SELECT at, fingerprint, event, text, channel, message, due FROM timeline WHERE fingerprint = ?"
            " ORDER BY seq DESC LIMIT ?",
            (fingerprint, limit),
        )
    )


def latest(connection: sqlite3.Connection, limit: int = 1000) -> tuple[Entry, ...]:
    """The last *limit* lines about any alert, the oldest first."""
    return _entries(
        connection.execute(
            "SELECT at, fingerprint, event, text, channel, message, due FROM timeline ORDER BY seq DESC LIMIT ?",
            (limit,),
        )
    )


def put_since(connection: sqlite3.Connection, since: float) -> tuple[tuple[str, float], ...]:
    """The channel and time of each message that was put after *since*, in order, as far as the last lines tell."""
    rows = connection.execute(
        "SELECT channel, min(at) FROM (SELECT * FROM timeline ORDER BY seq DESC LIMIT ?)"
        " WHERE event = ? AND at > ? GROUP BY channel, message ORDER BY min(at)",
        (_LOOKED_AT, Event.PUT.value, since),
    )
    return tuple((str(channel), float(at)) for channel, at in rows)


def prune(connection: sqlite3.Connection, now: float) -> None:
    """At most once an hour, remove what is too old, and the oldest tenth while there is no room."""
    last = meta.pruned_at(connection)
    if last is not None and last <= now < last + _PERIOD:
        return
    meta.pruned(connection, now)
    # In the order of writing, which is that of time but for steps of the clock; no index is needed.
    connection.execute(
        "DELETE FROM timeline WHERE seq < coalesce((SELECT min(seq) FROM timeline WHERE at >= ?), 9e18)", (now - KEPT,)
    )
    connection.execute(
        "DELETE FROM dead_letters WHERE died_at < ? OR seq <= (SELECT max(seq) FROM dead_letters) - ?",
        (now - KEPT, DEAD_LETTERS),
    )
    names.prune(connection, now - KEPT)
    while _used(connection) > _room(connection):
        if not connection.execute(
            "DELETE FROM timeline WHERE seq <= (SELECT min(seq) + (max(seq) - min(seq)) / 10 FROM timeline)"
        ).rowcount:
            break


def _entries(rows: Iterable[tuple[float, str, str, str, str, str, float | None]]) -> tuple[Entry, ...]:
    entries = []
    for at, fingerprint, event, text, channel, message, due in rows:
        try:
            entries.append(Entry(at, fingerprint, Event(event), text, channel, message, due))
        except ValueError as exc:  # one bad line must not hide the others
            _log.error("timeline.unreadable", fingerprint=fingerprint, error=str(exc))
    return tuple(reversed(entries))


def _used(connection: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    size, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    return int(size * (pages - free))


def _room(connection: sqlite3.Connection) -> int:
    path = next(path for _, name, path in connection.execute("PRAGMA database_list") if name == "main")
    return ROOM if path else ROOM_IN_MEMORY
