"""Which alerts the history tells of: their labels, by fingerprint."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from sidecar.model.alerts import Alert
from sidecar.model.labels import Labels

_log = structlog.get_logger(__name__)

MOST: Final = 10_000
"""How many alerts are known by their names at most, those seen last."""


@dataclass(frozen=True, slots=True)
class Named:
    """An alert that was."""

    fingerprint: str
    labels: Labels
    seen_at: float  # when it changed last, seconds since the epoch


def save(connection: sqlite3.Connection, alerts: Iterable[Alert], now: float) -> None:
    """Remember who *alerts* are."""
    connection.executemany(
        "INSERT OR REPLACE INTO names (fingerprint, name, labels, seen_at) VALUES (?, ?, ?, ?)",
        [(alert.fingerprint, alert.name, json.dumps(dict(alert.labels)), now) for alert in alerts],
    )


def known(connection: sqlite3.Connection, name: str | None = None, limit: int = 100) -> tuple[Named, ...]:
    """The last *limit* alerts with that name, or with any, the latest first."""
    rows = connection.execute(
        "SELECT fingerprint, labels, seen_at FROM names WHERE name = coalesce(?, name) ORDER BY seen_at DESC LIMIT ?",
        (name, limit),
    )
    return tuple(found for row in rows if (found := _named(*row)) is not None)


def of(connection: sqlite3.Connection, fingerprint: str) -> Named | None:
    """The alert with that fingerprint, if it is known."""
    row = connection.execute(
        "SELECT fingerprint, labels, seen_at FROM names WHERE fingerprint = ?", (fingerprint,)
    ).fetchone()
    return _named(*row) if row else None


def prune(connection: sqlite3.Connection, before: float) -> None:
    """Forget those that changed last before then, and all but the last MOST."""
    connection.execute("DELETE FROM names WHERE seen_at < ?", (before,))
    connection.execute(
        "DELETE FROM names WHERE seen_at < (SELECT seen_at FROM names ORDER BY seen_at DESC LIMIT 1 OFFSET ?)",
        (MOST - 1,),
    )


def _named(fingerprint: str, labels: str, seen_at: float) -> Named | None:
    try:
        found = json.loads(labels)
        return Named(fingerprint, Labels({str(name): str(text) for name, text in found.items()}), float(seen_at))
    except (ValueError, TypeError, AttributeError) as exc:  # one bad row must not hide the others
        _log.error("name.unreadable", fingerprint=fingerprint, error=str(exc))
        return None
