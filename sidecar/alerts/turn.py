"""One turn of deciding: for every alert and channel of which something changed, or whose time has come."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.alerts.book import AlertBook
from sidecar.alerts.decide import Decision, decide, obsolete_at
from sidecar.alerts.decisions import Turn
from sidecar.alerts.facts import Circumstances, Facts
from sidecar.alerts.record import Key, Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.model.alerts import Alert
from sidecar.model.labels import EMPTY, Labels
from sidecar.model.notifications import Notification, NotifyKind, Told, notification_id

_RETRY: Final = 900.0
"""Seconds after which an obsolete record, for which a message still waited, is looked at again."""


@dataclass(frozen=True, slots=True)
class Group:
    """What leaves together: the incident's key, and the labels that its alerts share."""

    key: str
    labels: Labels = EMPTY


def alone(alert: Alert, _channel: str) -> Group:
    """Every alert is an incident of its own."""
    return Group(alert.fingerprint)


def turn(
    book: AlertBook,
    around: Circumstances,
    now: float,
    changed: Collection[str] | None = (),
    group_of: Callable[[Alert, str], Group] = alone,
) -> Turn:
    """Decide at *now*; the book stays as it is until the answer is committed and applied.

    *changed* are fingerprints whose facts changed beyond what the book knows by itself; None decides everything.
    """
    considered = book.touched
    records, timeline, obsolete = [], list(book.news), []
    dues: dict[Key, float | None] = {}
    packs: defaultdict[tuple[str, NotifyKind, Group], list[tuple[Told, Facts]]] = defaultdict(list)
    for key in sorted(_keys(book, around, changed, now)):
        alert, before = book.alert(key.fingerprint), book.record(*key)
        facts = around.facts(alert, *key, now)
        if before is None and facts.firing_since is None:
            continue
        decision = decide(before or Record(*key), facts, now)
        if decision.record != before:
            records.append(decision.record)
        message = decision.message if alert else None
        if message and alert:
            packs[key.channel, message, group_of(alert, key.channel)].append((_told(alert, decision, around), facts))
        elif decision.record.reason != (before.reason if before else ""):
            timeline.append(_nothing(key, decision, now))
        dues[key] = decision.due
        done_at = obsolete_at(decision.record, facts)
        if done_at is not None and now >= done_at:
            obsolete.append(key)
            dues[key] = now + _RETRY
    notifications = tuple(_pack(*kind, contents, now) for kind, contents in packs.items())
    timeline += [entry for notification in notifications for entry in _put(notification, dues)]
    due = min((at for at in {**book.dues(), **dues}.values() if at is not None), default=None)
    return Turn(now, tuple(records), notifications, tuple(timeline), tuple(obsolete), considered, dues, due)


def _keys(book: AlertBook, around: Circumstances, changed: Collection[str] | None, now: float) -> set[Key]:
    keys = set(book.due(now))
    if changed is None:
        fingerprints = {alert.fingerprint for alert in book.alerts()} | {r.fingerprint for r in book.records()}
    else:
        fingerprints = {*changed, *book.touched}
    for fingerprint in fingerprints:
        keys.update(record.key for record in book.records(fingerprint))
        alert = book.alert(fingerprint)
        if alert is not None and alert.firing:
            keys.update(Key(fingerprint, channel) for channel in around.listeners(alert))
    return keys


def _told(alert: Alert, decision: Decision, around: Circumstances) -> Told:
    opened_at = decision.record.opened_at
    assert opened_at is not None  # whatever is told was opened, now or before
    # An end has evidence, too: it may be told as one with an opening that waits.
    return Told(alert, opened_at, decision.n, decision.flips, decision.reason, around.evidence_of(alert))


def _pack(channel: str, kind: NotifyKind, group: Group, contents: list[tuple[Told, Facts]], now: float) -> Notification:
    """The decisions of one channel, kind and group as one message."""
    told = tuple(told for told, _ in contents)
    lifetimes = [facts.repeat for _, facts in contents if kind is NotifyKind.REMINDER and facts.repeat > 0]
    return Notification(
        id=notification_id(channel, kind, told),
        channel=channel,
        kind=kind,
        group_key=group.key,
        alerts=told,
        created_at=now,
        group_labels=group.labels,
        # The next reminder says all that this one says.
        expires_at=now + min(lifetimes) if lifetimes else None,
    )


def _nothing(key: Key, decision: Decision, now: float) -> Entry:
    return Entry(now, key.fingerprint, Event.NOTHING, decision.record.reason, key.channel, due=decision.due)


def _put(notification: Notification, dues: Mapping[Key, float | None]) -> list[Entry]:
    return [
        Entry(
            notification.created_at,
            told.alert.fingerprint,
            Event.PUT,
            f"{notification.kind.value}: {told.reason}",
            notification.channel,
            notification.id,
            dues.get(Key(told.alert.fingerprint, notification.channel)),
        )
        for told in notification.alerts
    ]
