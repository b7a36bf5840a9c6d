"""How long checks were up, and what their last probes came to, so that a restart does not forget it."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from sidecar.model.history import CheckHistory
from sidecar.model.outcomes import Outcomes
from sidecar.model.uptime import Spans

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One check's history as it was at some moment; nobody changes it any more."""

    name: str
    spans: bytes
    outcomes: bytes


def row(name: str, history: CheckHistory) -> Row:
    """*history* as it was when it was settled last."""
    return Row(name, history.spans.to_bytes(), history.outcomes.to_bytes())


def save(connection: sqlite3.Connection, rows: Iterable[Row], gone: Collection[str] = ()) -> None:
    """Remember *rows*; forget the names in *gone*."""
    connection.executemany("DELETE FROM uptime WHERE name = ?", [(name,) for name in gone])
    connection.executemany(
        "INSERT OR REPLACE INTO uptime (name, spans, outcomes) VALUES (?, ?, ?)",
        [(row.name, row.spans, row.outcomes) for row in rows],
    )


def load(connection: sqlite3.Connection) -> dict[str, CheckHistory]:
    """The history of each check, by its name, as it was saved; nothing is known of what came after."""
    return dict(_read(connection.execute("SELECT name, spans, outcomes FROM uptime ORDER BY name")))


def _read(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, CheckHistory]]:
    for name, spans, outcomes in rows:
        try:
            yield name, CheckHistory(Outcomes(outcomes), Spans(spans))
        except (ValueError, TypeError) as exc:  # one bad row must not hide the others
            _log.error("uptime.unreadable", name=name, error=type(exc).__name__)
