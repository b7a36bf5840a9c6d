"""Which channels have not been reached yet, and about which alerts."""

import sqlite3

from sidecar.alerts.record import Key


def pairs(connection: sqlite3.Connection) -> frozenset[Key]:
    """Each alert and channel for which a message waits."""
    rows = connection.execute("SELECT DISTINCT fingerprint, channel FROM outbox_alerts JOIN outbox USING (seq)")
    return frozenset(Key(str(fingerprint), str(channel)) for fingerprint, channel in rows)
