"""One turn of deciding: for every alert and channel of which something changed, or whose time has come."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sidecar.alerts.book import AlertBook
from sidecar.alerts.decide import Decision, decide, obsolete_at
from sidecar.alerts.decisions import Turn
from sidecar.alerts.facts import Circumstances, Facts, Mute
from sidecar.alerts.record import Key, Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.model.alerts import Alert, severity_rank
from sidecar.model.labels import EMPTY, Labels
from sidecar.model.notifications import STORM, Notification, NotifyKind, Told, notification_id

_RETRY: Final = 900.0
"""Seconds after which an obsolete record, for which a message still waited, is looked at again."""


@dataclass(frozen=True, slots=True)
class Group:
    """What leaves together: the incident's key, and the labels that its alerts share."""

    key: str
    labels: Labels = EMPTY


Packs = defaultdict[tuple[str, NotifyKind, Group], list[tuple[Told, Facts]]]
"""What leaves together, by channel, kind and group."""


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
    packs: Packs = defaultdict(list)
    held: dict[str, float | None] = {}
    for key in sorted(_keys(book, around, changed, now)):
        alert, before = book.alert(key.fingerprint), book.record(*key)
        facts = around.facts(alert, key.channel, now)
        if key.channel not in held:
            held[key.channel] = book.allowance.held_until(key.channel, around.cap(key.channel), now)
        if (until := held[key.channel]) is not None and facts.firing_since is not None:
            facts = replace(facts, mutes=facts.mutes.with_(Mute.STORM, until))
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
    packs = _within(packs, {channel: book.allowance.single(channel, around.cap(channel), now) for channel in held})
    notifications = tuple(_pack(*kind, contents, now) for kind, contents in packs.items())
    timeline += [entry for notification in notifications for entry in _put(notification, dues)]
    due = min((at for at in {**book.dues(), **dues}.values() if at is not None), default=None)
    return Turn(now, tuple(records), notifications, tuple(timeline), tuple(obsolete), considered, dues, due)


def _within(packs: Packs, allowed: Mapping[str, int | None]) -> Packs:
    """*packs*, of which no more than *allowed* are told each by itself; the rest of a kind is told together.

    What fires goes before what ends, the worst first.
    """
    by_channel: defaultdict[str, list[tuple[str, NotifyKind, Group]]] = defaultdict(list)
    for key in packs:
        by_channel[key[0]].append(key)
    found: Packs = defaultdict(list)
    for channel, keys in by_channel.items():
        most = allowed.get(channel)
        if most is not None and len(keys) > most:
            keys.sort(key=lambda key: (key[1] is not NotifyKind.OPENING, _rank(packs[key])))
            together = [same for kind in NotifyKind if (same := [key for key in keys[most:] if key[1] is kind])]
            del keys[most:]
            for several in together:
                contents = [content for key in several for content in packs[key]]
                found[several[0] if len(several) == 1 else (channel, several[0][1], _storm(several))] = contents
        found |= {key: packs[key] for key in keys}
    return found


def _rank(contents: list[tuple[Told, Facts]]) -> int:
    return min(severity_rank(told.alert.severity) for told, _ in contents)


def _storm(keys: Collection[tuple[str, NotifyKind, Group]]) -> Group:
    """The group of what has nothing in common but its time."""
    text = "\x00".join(sorted(group.key for _, _, group in keys))
    return Group(f"{STORM}-{hashlib.sha256(text.encode()).hexdigest()[:16]}")


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
    return Told(
        alert,
        opened_at,
        decision.n,
        decision.flips,
        decision.reason,
        around.evidence_of(alert),
        advice=around.advice_of(alert),
    )


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
