"""What is known, from the file into memory and back."""

import sqlite3
from typing import Final

import structlog

_log = structlog.get_logger(__name__)

ESSENTIAL: Final = (
    "meta",
    "alerts",
    "records",
    "outbox",
    "outbox_alerts",
    "dead_letters",
    "names",
    "heartbeats",
    "silences",
    "acks",
    "uptime",
)
"""Tables that are copied whole."""
_TIMELINE: Final = 1000
"""Lines of the timeline that are known in memory; the rest stays in the file."""


def to_memory(file: sqlite3.Connection, memory: sqlite3.Connection) -> tuple[int, frozenset[str]]:
    """Copy what *file* still yields; the last line of its timeline, and the tables that could not be read."""
    lost = frozenset(table for table in ESSENTIAL if not _try(file, memory, table))
    last = 0
    if _try(file, memory, "timeline", f"ORDER BY seq DESC LIMIT {_TIMELINE}"):
        last = memory.execute("SELECT coalesce(max(seq), 0) FROM timeline").fetchone()[0]
    return last, lost


def to_file(memory: sqlite3.Connection, file: sqlite3.Connection, last: int, *, keep_outbox: bool) -> None:
    """Make *file* what *memory* is; of the timeline, add what came after the line *last*. One transaction.

    *keep_outbox*: the file was never read; what it holds was decided by somebody before us, and is delivered too.
    """
    file.execute("BEGIN IMMEDIATE")
    try:
        kept = ("outbox", "outbox_alerts", "dead_letters") if keep_outbox else ()
        for table in ESSENTIAL:
            if table not in kept:
                file.execute(f"DELETE FROM {table}")  # noqa: S608 -- names of our own
        (shift,) = file.execute(
            "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM outbox UNION ALL SELECT seq FROM dead_letters)"
        ).fetchone()
        for table in ESSENTIAL:
            _copy(memory, file, table, shift=shift if table in kept else 0)
        columns = [name for name in _columns(memory, "timeline") if name != "seq"]
        names = ", ".join(columns)
        rows = memory.execute(f"SELECT {names} FROM timeline WHERE seq > ? ORDER BY seq", (last,))  # noqa: S608 -- ours
        marks = ", ".join("?" * len(columns))
        file.executemany(f"INSERT INTO timeline ({names}) VALUES ({marks})", rows.fetchall())  # noqa: S608 -- ours
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise


def _try(source: sqlite3.Connection, target: sqlite3.Connection, table: str, which: str = "") -> bool:
    try:
        _copy(source, target, table, which)
    except sqlite3.Error as exc:  # the disk that does not take may not give either
        _log.error("database.unreadable", table=table, error=str(exc))
        return False
    return True


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str, which: str = "", shift: int = 0) -> None:
    """Copy rows; *shift* is added to each `seq`, behind the rows that are there already."""
    columns = _columns(target, table)
    rows = source.execute(f"SELECT {', '.join(columns)} FROM {table} {which}").fetchall()  # noqa: S608 -- ours
    if shift and "seq" in columns:
        at = columns.index("seq")
        rows = [(*row[:at], row[at] + shift, *row[at + 1 :]) for row in rows]
    marks = ", ".join("?" * len(columns))
    target.executemany(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 -- ours


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
