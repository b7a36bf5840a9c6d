"""What jobs said by calling in, so that a restart does not forget it."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass

import structlog

from sidecar.model.heartbeats import Heard

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Remembered:
    """One job's calls, and when it was expected to call: what is late under other terms is not late."""

    name: str
    terms: str
    heard: Heard


def save(connection: sqlite3.Connection, rows: Iterable[Remembered], gone: Collection[str] = ()) -> None:
    """Remember *rows*; forget the names in *gone*."""
    connection.executemany("DELETE FROM heartbeats WHERE name = ?", [(name,) for name in gone])
    connection.executemany(
        "INSERT OR REPLACE INTO heartbeats (name, terms, body) VALUES (?, ?, ?)",
        [(row.name, row.terms, json.dumps(asdict(row.heard))) for row in rows],
    )


def load(connection: sqlite3.Connection) -> tuple[Remembered, ...]:
    """All that is remembered."""
    return tuple(_read(connection.execute("SELECT name, terms, body FROM heartbeats ORDER BY name")))


def _read(rows: Iterable[tuple[str, str, str]]) -> Iterator[Remembered]:
    for name, terms, body in rows:
        try:
            yield Remembered(name, terms, _heard(json.loads(body)))
        except (ValueError, TypeError, KeyError, AttributeError) as exc:  # one bad row must not hide the others
            _log.error("heartbeat.unreadable", name=name, error=type(exc).__name__)


def _heard(found: dict[str, object]) -> Heard:
    deaf, code, message = found["deaf"], found["exit_code"], found["message"]
    begin_end = tuple(float(at) for at in deaf) if isinstance(deaf, list) else ()
    return Heard(
        since=_time(found["since"]) or 0.0,
        started=_time(found["started"]),
        succeeded=_time(found["succeeded"]),
        failed=_time(found["failed"]),
        message=message if isinstance(message, str) else "",
        exit_code=code if isinstance(code, int) else None,
        duration=_time(found["duration"]),
        deaf=(begin_end[0], begin_end[1]) if len(begin_end) == 2 else None,
    )


def _time(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    raise TypeError(f"got {value!r}, expected seconds")
