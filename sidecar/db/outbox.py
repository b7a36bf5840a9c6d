"""Messages that are decided and not yet delivered: one row per message and channel.

A row is `maybe` (arrived) from before an attempt until it is known that it did not arrive. Only a row that surely has
not arrived is replaced by what follows; what follows a `maybe` waits behind it. A row is `partly` when some recipients
surely have it: it is tried again for the others, and nothing waits for it. A row whose body cannot be read has an
`error`: it is never tried and never joined, only buried.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sidecar.alerts.record import Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.db import history, records, unreadable
from sidecar.db.codec import dump_notification, load_notification
from sidecar.db.joining import behind_opening, join
from sidecar.db.stepping import moved
from sidecar.model.notifications import Notification, NotifyKind, Told, notification_id

MAX_AGE: Final = 86400.0
"""Seconds after which a message is not tried any more."""

_ROW: Final = "seq, id, channel, kind, body, waiting_since, expires_at, attempts, maybe, partly"


@dataclass(frozen=True, slots=True)
class Row:
    """A message that waits. Times are seconds since the epoch."""

    seq: int
    notification: Notification
    waiting_since: float  # also of what it replaced
    expires_at: float
    attempts: int = 0
    maybe: bool = False
    partly: bool = False
    error: str = ""  # why the body cannot be read: the notification is then what the tables still know of it

    @property
    def id(self) -> str:
        return self.notification.id


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that is not tried any more."""

    notification: Notification
    died_at: float
    reason: str
    attempts: int
    maybe: bool


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits for one channel, and since when."""

    rows: int
    since: float


def put(connection: sqlite3.Connection, notifications: Iterable[Notification]) -> None:
    """Keep *notifications* until they are delivered; putting one twice changes nothing.

    What surely has not arrived is joined with what follows, so that at most three rows wait per record.
    """
    for notification in notifications:
        _put(connection, notification, notification.created_at)


def heads(connection: sqlite3.Connection, channel: str) -> tuple[str, ...]:
    """Ids of the messages to *channel* that wait for no other, in the order in which they were put."""
    rows = connection.execute(
        """SELECT id FROM outbox AS own WHERE channel = ? AND NOT EXISTS (
            SELECT 1 FROM outbox_alerts AS mine
            JOIN outbox_alerts AS theirs ON theirs.fingerprint = mine.fingerprint AND theirs.seq < mine.seq
            JOIN outbox AS before ON before.seq = theirs.seq
            WHERE mine.seq = own.seq AND before.channel = own.channel AND NOT before.partly
        ) ORDER BY seq""",
        (channel,),
    )
    return tuple(id_ for (id_,) in rows)


def begin(connection: sqlite3.Connection, id_: str) -> Row | None:
    """An attempt begins: from now on the message may have arrived. The row as it was; None when it is gone.

    With a row that has an `error`, none begins.
    """
    row = get(connection, id_)
    if row is not None and not row.error:
        connection.execute("UPDATE outbox SET maybe = 1, attempts = attempts + 1 WHERE seq = ?", (row.seq,))
    return row


def delivered(connection: sqlite3.Connection, row: Row, now: float, text: str = "") -> None:
    """The channel has it."""
    history.add(connection, _entries(row.notification, now, Event.DELIVERED, text))
    _delete(connection, row.seq)


def drop(connection: sqlite3.Connection, row: Row, now: float, text: str) -> None:
    """Nobody wants to have it any more."""
    history.add(connection, _entries(row.notification, now, Event.DROPPED, text))
    _delete(connection, row.seq)


def failed(
    connection: sqlite3.Connection, row: Row, now: float, text: str, *, maybe: bool, partly: bool = False
) -> None:
    """An attempt of *row*, as `begin` gave it, was in vain. *maybe*: that attempt may have arrived all the same.

    An earlier attempt without an answer is not made good by a later one with a bad answer.
    """
    still_maybe = maybe or row.maybe
    event = Event.UNANSWERED if maybe else Event.FAILED
    history.add(connection, _entries(row.notification, now, event, text))
    connection.execute("UPDATE outbox SET maybe = ?, partly = ? WHERE seq = ?", (still_maybe, partly, row.seq))
    if not still_maybe:
        _join_behind(connection, row)


def bury(
    connection: sqlite3.Connection,
    row: Row,
    now: float,
    reason: str,
    *,
    maybe: bool,
    changed: Iterable[Record] = (),
) -> None:
    """*row* is not tried any more; *changed* are the records as they are because of that.

    *maybe*: some attempt may have arrived. A RESOLVE behind an OPENING that surely has not is dropped.
    """
    notification = row.notification
    connection.execute(
        "INSERT INTO dead_letters (id, channel, kind, body, died_at, reason, attempts, maybe)"
        " SELECT id, channel, kind, body, ?, ?, attempts, ? FROM outbox WHERE seq = ?",
        (now, reason, maybe, row.seq),
    )
    history.add(connection, _entries(notification, now, Event.DEAD, f"{notification.kind.value}: {reason}"))
    if notification.kind is NotifyKind.OPENING and not maybe:
        _drop_resolves(connection, row, now)
    _delete(connection, row.seq)
    records.save(connection, changed)


def step(connection: sqlite3.Connection, seconds: float) -> None:
    """The clock was set back by *seconds*, a negative number: what waits keeps its age and its id.

    Records move by the same, in the same transaction: by `opened_at` a message finds its record.
    """
    for row in waiting(connection):
        if not row.error:
            body = dump_notification(moved(row.notification, seconds))
            connection.execute("UPDATE outbox SET body = ? WHERE seq = ?", (body, row.seq))
    connection.execute("UPDATE outbox SET waiting_since = waiting_since + ?1, expires_at = expires_at + ?1", (seconds,))


def get(connection: sqlite3.Connection, id_: str) -> Row | None:
    """The row of the message *id_*."""
    return _one(connection, "WHERE id = ?", id_)


def waiting(connection: sqlite3.Connection, channel: str | None = None) -> tuple[Row, ...]:
    """What waits, for one channel or for all, in the order in which it was put."""
    return _rows(connection, "WHERE channel = coalesce(?, channel) ORDER BY seq", channel)


def expired(connection: sqlite3.Connection, channel: str, now: float) -> tuple[Row, ...]:
    """What waits for *channel* and is too old."""
    return _rows(connection, "WHERE channel = ? AND expires_at <= ? ORDER BY seq", channel, now)


def depths(connection: sqlite3.Connection) -> Mapping[str, Depth]:
    """How much waits, by channel, the channels that left the configuration included."""
    rows = connection.execute("SELECT channel, count(*), min(waiting_since) FROM outbox GROUP BY channel")
    return {channel: Depth(count, since) for channel, count, since in rows}


def dead(connection: sqlite3.Connection, limit: int = 100) -> tuple[DeadLetter, ...]:
    """The last dead letters, the latest first; one that cannot be read tells of no alerts."""
    rows = connection.execute(
        "SELECT id, channel, kind, body, died_at, reason, attempts, maybe FROM dead_letters ORDER BY seq DESC LIMIT ?",
        (limit,),
    )
    return tuple(map(_dead, rows))


def _put(connection: sqlite3.Connection, new: Notification, since: float) -> None:
    if get(connection, new.id) is not None:
        return
    parts: dict[NotifyKind, list[Told]] = {}
    for told in new.alerts:
        before = _last(connection, new.channel, told.alert.fingerprint)
        if before is not None and behind_opening(before.notification.kind, new.kind):
            history.add(connection, [_entry(new, told, new.created_at, Event.DROPPED, "an opening waits")])
            continue
        kind = new.kind
        if before is not None and not before.maybe:
            old = next(one for one in before.notification.alerts if one.alert.fingerprint == told.alert.fingerprint)
            joined = join(before.notification.kind, old, new.kind, told)
            if joined is not None:
                kind, told = joined  # noqa: PLW2901 -- it is the same alert, told in another way
                since = min(since, before.waiting_since)
                text = f"{before.notification.kind.value} and {new.kind.value}, now {kind.value}"
                history.add(connection, [_entry(before.notification, told, new.created_at, Event.JOINED, text)])
                _take_out(connection, before, told.alert.fingerprint)
        parts.setdefault(kind, []).append(told)
    for kind, contents in parts.items():
        _insert(connection, _part(new, kind, tuple(contents)), since)


def _part(whole: Notification, kind: NotifyKind, contents: tuple[Told, ...]) -> Notification:
    """So much of a message as is told in one way."""
    if (kind, contents) == (whole.kind, whole.alerts):
        return whole
    return replace(
        whole,
        id=notification_id(whole.channel, kind, contents),
        kind=kind,
        alerts=contents,
        expires_at=whole.expires_at if kind is whole.kind else None,
    )


def _insert(connection: sqlite3.Connection, notification: Notification, since: float) -> None:
    last = notification.created_at + MAX_AGE
    expires_at = last if notification.expires_at is None else min(last, notification.expires_at)
    cursor = connection.execute(
        "INSERT OR IGNORE INTO outbox (id, channel, kind, body, waiting_since, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
        (
            notification.id,
            notification.channel,
            notification.kind.value,
            dump_notification(notification),
            since,
            expires_at,
        ),
    )
    if cursor.rowcount:
        _index(connection, cursor.lastrowid, notification)


def _index(connection: sqlite3.Connection, seq: int | None, notification: Notification) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO outbox_alerts (fingerprint, seq) VALUES (?, ?)",
        [(told.alert.fingerprint, seq) for told in notification.alerts],
    )


def _last(connection: sqlite3.Connection, channel: str, fingerprint: str) -> Row | None:
    """The row that a new message about the alert would follow; None also when nobody knows what that one says."""
    row = _one(
        connection,
        "JOIN outbox_alerts USING (seq) WHERE fingerprint = ? AND channel = ? AND NOT partly ORDER BY seq DESC LIMIT 1",
        fingerprint,
        channel,
    )
    if row is None or row.error or all(told.alert.fingerprint != fingerprint for told in row.notification.alerts):
        return None
    return row


def _take_out(connection: sqlite3.Connection, row: Row, fingerprint: str) -> None:
    """One alert less in a message that surely has not arrived."""
    old = row.notification
    rest = tuple(told for told in old.alerts if told.alert.fingerprint != fingerprint)
    if not rest:
        _delete(connection, row.seq)
        return
    new = replace(old, id=notification_id(old.channel, old.kind, rest), alerts=rest)
    connection.execute("UPDATE outbox SET id = ?, body = ? WHERE seq = ?", (new.id, dump_notification(new), row.seq))
    connection.execute("DELETE FROM outbox_alerts WHERE seq = ? AND fingerprint = ?", (row.seq, fingerprint))


def _join_behind(connection: sqlite3.Connection, row: Row) -> None:
    """*row* surely has not arrived: what was put behind it while that was open is put again, and joined."""
    behind = _behind(connection, row)
    for later in behind:
        _delete(connection, later.seq)
    for later in behind:
        _put(connection, later.notification, later.waiting_since)


def _behind(connection: sqlite3.Connection, row: Row) -> list[Row]:
    """Rows that wait for *row*, and those that wait for them, in order, as far as they can be read."""
    found: set[int] = set()
    fresh = {row.seq}
    while fresh:
        seq = fresh.pop()
        sharing = connection.execute(
            "SELECT DISTINCT theirs.seq FROM outbox_alerts AS mine"
            " JOIN outbox_alerts AS theirs ON theirs.fingerprint = mine.fingerprint"
            " JOIN outbox ON outbox.seq = theirs.seq"
            " WHERE mine.seq = ? AND theirs.seq > mine.seq AND channel = ? AND NOT maybe",
            (seq, row.notification.channel),
        )
        new = {other for (other,) in sharing} - found
        found |= new
        fresh |= new
    rows = (_at(connection, seq) for seq in sorted(found))
    return [one for one in rows if one is not None and not one.error]


def _drop_resolves(connection: sqlite3.Connection, row: Row, now: float) -> None:
    """Nobody heard that it fired, so nobody need hear that it is over."""
    opened = {told.alert.fingerprint: told.opened_at for told in row.notification.alerts}
    for later in _behind(connection, row):
        if later.notification.kind is not NotifyKind.RESOLVE:
            continue
        for told in later.notification.alerts:
            if opened.get(told.alert.fingerprint) == told.opened_at:
                text = "the opening is dead"
                history.add(connection, [_entry(later.notification, told, now, Event.DROPPED, text)])
                current = _at(connection, later.seq)  # without what was taken out before
                if current is not None:
                    _take_out(connection, current, told.alert.fingerprint)


def _at(connection: sqlite3.Connection, seq: int) -> Row | None:
    return _one(connection, "WHERE seq = ?", seq)


def _delete(connection: sqlite3.Connection, seq: int) -> None:
    connection.execute("DELETE FROM outbox_alerts WHERE seq = ?", (seq,))
    connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,))


def _one(connection: sqlite3.Connection, which: str, *values: object) -> Row | None:
    rows = _rows(connection, which, *values)
    return rows[0] if rows else None


def _rows(connection: sqlite3.Connection, which: str, *values: object) -> tuple[Row, ...]:
    rows = connection.execute(f"SELECT {_ROW} FROM outbox {which}", values)  # noqa: S608 -- constants
    return tuple(_row(connection, row) for row in rows.fetchall())


def _row(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Row:
    seq, id_, channel, kind, body, since, expires_at, attempts, maybe, partly = row
    error = ""
    try:
        notification = _message(body, id_, channel)
    except ValueError as exc:
        error = str(exc)
        notification = unreadable.with_alerts(connection, seq, unreadable.envelope(id_, channel, kind, since))
    return Row(seq, notification, since, expires_at, attempts, bool(maybe), bool(partly), error)


def _dead(row: tuple[str, str, str, str, float, str, int, int]) -> DeadLetter:
    id_, channel, kind, body, died_at, reason, attempts, maybe = row
    try:
        notification = _message(body, id_, channel)
    except ValueError:
        notification = unreadable.envelope(id_, channel, kind, died_at)
    return DeadLetter(notification, died_at, reason, attempts, bool(maybe))


def _message(body: str, id_: str, channel: str) -> Notification:
    message = load_notification(body)
    if (message.id, message.channel) != (id_, channel):
        raise ValueError(f"got the message {message.id!r} to {message.channel!r} in the row of another")
    return message


def _entries(notification: Notification, now: float, event: Event, text: str) -> list[Entry]:
    return [_entry(notification, told, now, event, text) for told in notification.alerts]


def _entry(notification: Notification, told: Told, now: float, event: Event, text: str) -> Entry:
    return Entry(now, told.alert.fingerprint, event, text, notification.channel, notification.id)
