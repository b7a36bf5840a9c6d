"""Which alerts ended lately, as the timeline tells."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from sidecar.alerts.timeline import Event
from sidecar.db import names
from sidecar.model.labels import EMPTY, Labels

_LOOKED_AT: Final = 10_000
"""Lines that are looked at, the last ones: the timeline has no index of times, and may have a million."""
_PREFIX: Final = "ended: "
_LATELY: Final = """
    SELECT fingerprint, max(at), text FROM (SELECT * FROM timeline ORDER BY seq DESC LIMIT ?)
    WHERE event = ? AND at >= ? AND text LIKE ? GROUP BY fingerprint ORDER BY 2 DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """An alert that was. Times are seconds since the epoch."""

    fingerprint: str
    labels: Labels  # empty if nobody remembers them
    at: float
    reason: str  # a word of EndReason
    fired_at: float | None  # None when that was long ago
    told: tuple[str, ...]  # channels to which something was delivered since then


def lately(connection: sqlite3.Connection, since: float, limit: int) -> tuple[Ended, ...]:
    """The alerts that ended after *since*, as far as the last lines tell: each with its last end, the latest first."""
    wanted = (_LOOKED_AT, Event.STATE.value, since, f"{_PREFIX}%", limit)
    rows = connection.execute(_LATELY, wanted).fetchall()
    return tuple(_ended(connection, str(one), float(at), str(text)) for one, at, text in rows)


def _ended(connection: sqlite3.Connection, fingerprint: str, at: float, text: str) -> Ended:
    fired_at = connection.execute(
        "SELECT max(at) FROM timeline WHERE fingerprint = ? AND event = ? AND text = 'firing' AND at <= ?",
        (fingerprint, Event.STATE.value, at),
    ).fetchone()[0]
    told = connection.execute(
        "SELECT DISTINCT channel FROM timeline WHERE fingerprint = ? AND event = ? AND at >= ? ORDER BY channel",
        (fingerprint, Event.DELIVERED.value, at if fired_at is None else fired_at),
    )
    named = names.of(connection, fingerprint)
    return Ended(
        fingerprint=fingerprint,
        labels=named.labels if named else EMPTY,
        at=at,
        reason=text.removeprefix(_PREFIX),
        fired_at=fired_at,
        told=tuple(str(channel) for (channel,) in told),
    )
