"""Which channels have not been reached, and about which alerts."""

import sqlite3
from collections.abc import Mapping

from sidecar.alerts.record import Key


def pairs(connection: sqlite3.Connection) -> frozenset[Key]:
    """Each alert and channel for which a message waits."""
    rows = connection.execute("SELECT DISTINCT fingerprint, channel FROM outbox_alerts JOIN outbox USING (seq)")
    return frozenset(Key(str(fingerprint), str(channel)) for fingerprint, channel in rows)


def given_up(connection: sqlite3.Connection, since: float) -> Mapping[str, int]:
    """How many messages to each channel were given up after that time, in seconds since the epoch."""
    rows = connection.execute(
        "SELECT channel, count(*) FROM dead_letters WHERE died_at >= ? GROUP BY channel", (since,)
    )
    return {str(channel): int(count) for channel, count in rows}
