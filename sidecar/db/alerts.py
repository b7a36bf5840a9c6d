"""Active alerts, as they are to be found again after a restart."""

import sqlite3
from collections.abc import Iterable

import structlog

from sidecar.db.codec import dump_alert, load_alert
from sidecar.model.alerts import Alert

_log = structlog.get_logger(__name__)


def save(connection: sqlite3.Connection, alerts: Iterable[Alert], gone: Iterable[str] = ()) -> None:
    """Keep *alerts* as they are now; forget those with the fingerprints *gone*."""
    connection.executemany(
        "INSERT OR REPLACE INTO alerts (fingerprint, body) VALUES (?, ?)",
        [(alert.fingerprint, dump_alert(alert)) for alert in alerts],
    )
    connection.executemany("DELETE FROM alerts WHERE fingerprint = ?", [(fingerprint,) for fingerprint in gone])


def load(connection: sqlite3.Connection) -> tuple[Alert, ...]:
    """Every alert that was saved."""
    alerts = []
    for fingerprint, body in connection.execute("SELECT fingerprint, body FROM alerts ORDER BY fingerprint"):
        try:
            alerts.append(load_alert(body))
        except ValueError as exc:  # one bad row must not keep the daemon from starting
            _log.error("alert.unreadable", fingerprint=fingerprint, error=str(exc))
    return tuple(alerts)
