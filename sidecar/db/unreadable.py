"""What is known of a message whose body cannot be read."""

import sqlite3
from dataclasses import replace
from typing import Final

from sidecar.db.codec import load_alert
from sidecar.model.notifications import Notification, NotifyKind, Told

REASON: Final = "unreadable"
"""Of such a dead letter."""


def envelope(id_: str, channel: str, kind: str, at: float) -> Notification:
    """A message of which the columns beside its body are known."""
    return Notification(id_, channel, _kind(kind), "", (), at)


def with_alerts(connection: sqlite3.Connection, seq: int, message: Notification) -> Notification:
    """As much of *message*, in row *seq* of the outbox, as the other tables still say.

    It tells of the alerts that are known, as opened when their records say so: whoever hears that it is dead can then
    tell them anew. An alert of which a later opening tells is left out, for that one is what the record speaks of.
    """
    rows = connection.execute(
        """SELECT alerts.body, records.opened_at FROM outbox_alerts AS own
            JOIN alerts USING (fingerprint)
            JOIN records USING (fingerprint)
            WHERE own.seq = ? AND records.channel = ? AND records.opened_at IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM outbox_alerts AS later JOIN outbox USING (seq)
                WHERE later.fingerprint = own.fingerprint AND later.seq > own.seq
                AND outbox.channel = records.channel AND outbox.kind = 'opening'
            ) ORDER BY own.fingerprint""",
        (seq, message.channel),
    )
    told = tuple(one for body, opened_at in rows if (one := _told(body, opened_at)) is not None)
    return replace(message, alerts=told, group_key=told[0].alert.fingerprint if told else "")


def _told(body: str, opened_at: float) -> Told | None:
    try:
        return Told(load_alert(body), opened_at, 0)
    except ValueError:
        return None  # the alert cannot be read either; `alerts.load` says so


def _kind(text: str) -> NotifyKind:
    try:
        return NotifyKind(text)
    except ValueError:
        return NotifyKind.REMINDER  # the one from whose death nothing follows
