"""The one home of active alerts, and of what each channel was told about them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sidecar.alerts.allowance import Allowance
from sidecar.alerts.decisions import Turn
from sidecar.alerts.record import Key, Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import EMPTY
from sidecar.model.notifications import Notification, NotifyKind

_NONE: Mapping[str, Record] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Unsaved:
    """Alerts that are not in the database as they are here, and fingerprints of those that are no more."""

    alerts: tuple[Alert, ...] = ()
    gone: tuple[str, ...] = ()


class AlertBook:
    """Alerts by fingerprint, records by fingerprint and channel; in memory, saved by whoever owns the database.

    `update` takes what the rules came to, `turn` decides what follows, and once that is committed, `apply` makes it
    so. Between reading and `apply` nobody else may change the book: hold the database's lock.
    """

    def __init__(self, alerts: Iterable[Alert] = (), records: Iterable[Record] = ()) -> None:
        self._alerts: dict[str, Alert] = {}
        self._left: set[str] = set()  # alerts that no rule holds any more, kept for their records
        self._records: defaultdict[str, dict[str, Record]] = defaultdict(dict)
        self._due: dict[Key, float] = {}
        self._touched: set[str] = set()
        self._unsaved: set[str] = set()
        self._gone: set[str] = set()
        self._news: list[Entry] = []
        self.allowance = Allowance()
        for alert in alerts:
            self._alerts[alert.fingerprint] = alert
        for record in records:
            self._records[record.fingerprint][record.channel] = record
        self._touched |= self._alerts.keys() | self._records.keys()

    # What is in it.

    def alerts(self) -> tuple[Alert, ...]:
        """Every alert that a rule holds: pending, firing, and for a while the ended."""
        return tuple(alert for fingerprint, alert in self._alerts.items() if fingerprint not in self._left)

    def alert(self, fingerprint: str) -> Alert | None:
        """The alert as it is now, or as it was when its rule let go of it."""
        return self._alerts.get(fingerprint)

    def records(self, fingerprint: str | None = None) -> tuple[Record, ...]:
        """What the channels were told about one alert, or about all."""
        if fingerprint is not None:
            return tuple(self._records.get(fingerprint, _NONE).values())
        return tuple(record for records in self._records.values() for record in records.values())

    def record(self, fingerprint: str, channel: str) -> Record | None:
        """What *channel* was told about one alert; None when nothing is remembered."""
        return self._records.get(fingerprint, _NONE).get(channel)

    def told(self, alert: Alert) -> bool:
        """Whether some channel holds a "firing" of it."""
        return any(record.open for record in self.records(alert.fingerprint))

    @property
    def touched(self) -> frozenset[str]:
        """Fingerprints whose facts changed since they were decided last."""
        return frozenset(self._touched)

    @property
    def news(self) -> tuple[Entry, ...]:
        """What happened to alerts since the last `apply`."""
        return tuple(self._news)

    @property
    def unsaved(self) -> Unsaved:
        """What the next commit has to write."""
        alerts = tuple(self._alerts[fingerprint] for fingerprint in sorted(self._unsaved))
        return Unsaved(alerts, tuple(sorted(self._gone)))

    def due(self, now: float) -> Collection[Key]:
        """Records that are to be decided again by *now*, whatever has changed."""
        return [key for key, due in self._due.items() if due <= now]

    def dues(self) -> Mapping[Key, float]:
        """When each record that waits for a time is decided again."""
        return MappingProxyType(self._due)

    # What changes it.

    def update(self, alerts: Iterable[Alert], now: float, rules: Collection[RuleKey] | None = None) -> frozenset[str]:
        """*alerts* are all that *rules* hold now, or without these all that there are.

        Returns the fingerprints about which there is something to decide. A firing alert that is not among them ends
        as removed: a rule that lets go of one says so first.
        """
        new = {alert.fingerprint: alert for alert in alerts}
        changed = {fingerprint for fingerprint, alert in new.items() if self._take(fingerprint, alert, now)}
        for fingerprint, alert in list(self._alerts.items()):
            held = fingerprint not in new and fingerprint not in self._left
            if held and (rules is None or alert.rule in rules) and self._let_go(fingerprint, alert, now):
                changed.add(fingerprint)
        self._touched |= changed
        return frozenset(changed)

    def touch(self, fingerprints: Iterable[str]) -> None:
        """Something outside the alert changed: a silence, an acknowledgement, a route."""
        self._touched.update(fingerprints)

    def apply(self, turn: Turn, dropped: Collection[Key] = ()) -> None:
        """*turn* is written: from now on it is so. *dropped* are those of its obsolete records that are gone."""
        for record in turn.records:
            self._records[record.fingerprint][record.channel] = record
        for key, due in turn.dues.items():
            if due is None:
                self._due.pop(key, None)
            else:
                self._due[key] = due
        self.allowance.put((notification.channel for notification in turn.notifications), turn.at)
        self._touched -= turn.considered
        self._unsaved.clear()
        self._gone.clear()
        self._news.clear()
        for key in dropped:
            self._drop(key)
        for fingerprint in [one for one in self._left if one not in self._records]:
            self._forget(fingerprint)

    def on_dead(self, notification: Notification, *, maybe: bool) -> tuple[Record, ...]:
        """A message is not tried any more; the records that changed by it, to be saved in the same transaction.

        A channel that surely never got an OPENING holds nothing that needs closing, and is told anew later.
        """
        if notification.kind is not NotifyKind.OPENING or maybe:
            return ()
        changed = []
        for told in notification.alerts:
            fingerprint = told.alert.fingerprint
            record = self.record(fingerprint, notification.channel)
            if record is None or record.opened_at != told.opened_at:
                continue  # that opening is history
            record = replace(record, open=False, hushed=False, failed=True)
            self._records[fingerprint][notification.channel] = record
            self._touched.add(fingerprint)
            changed.append(record)
        return tuple(changed)

    def step(self, seconds: float) -> tuple[Record, ...]:
        """The clock went back by *seconds*, a negative number: what was told keeps its age.

        The records, to be saved.
        """
        for records in self._records.values():
            for channel, record in records.items():
                records[channel] = replace(
                    record,
                    opened_at=_moved(record.opened_at, seconds),
                    told_at=_moved(record.told_at, seconds),
                    ended_at=_moved(record.ended_at, seconds),
                )
        self._due = {key: due + seconds for key, due in self._due.items()}
        self.allowance.step(seconds)
        return self.records()

    def _take(self, fingerprint: str, alert: Alert, now: float) -> bool:
        before = self._alerts.get(fingerprint)
        self._alerts[fingerprint] = alert
        self._left.discard(fingerprint)
        if before is None or _essence(before) != _essence(alert):
            self._unsaved.add(fingerprint)
            self._gone.discard(fingerprint)
        if before is None or _situation(before) != _situation(alert):
            self._tell(fingerprint, _state(alert), now)
            return alert.state is not AlertState.PENDING or fingerprint in self._records
        return False

    def _let_go(self, fingerprint: str, alert: Alert, now: float) -> bool:
        """A rule holds *alert* no more; whether there is something to decide."""
        firing = alert.firing
        if firing:
            alert = replace(alert, state=AlertState.ENDED, ended_at=now, end_reason=EndReason.REMOVED)
            self._alerts[fingerprint] = alert
            self._unsaved.add(fingerprint)
        if alert.state is AlertState.PENDING or firing:
            self._tell(fingerprint, _state(alert) if firing else "not pending any more", now)
        self._left.add(fingerprint)
        if fingerprint not in self._records and not firing:
            self._forget(fingerprint)
        return firing

    def _tell(self, fingerprint: str, text: str, now: float) -> None:
        self._news.append(Entry(now, fingerprint, Event.STATE, text))

    def _drop(self, key: Key) -> None:
        self._due.pop(key, None)
        records = self._records.get(key.fingerprint)
        if records is not None:
            records.pop(key.channel, None)
            if not records:
                del self._records[key.fingerprint]

    def _forget(self, fingerprint: str) -> None:
        self._left.discard(fingerprint)
        self._unsaved.discard(fingerprint)
        self._touched.discard(fingerprint)
        if self._alerts.pop(fingerprint, None) is not None:
            self._gone.add(fingerprint)


def _situation(alert: Alert) -> tuple[Any, ...]:
    """What decisions depend on."""
    return alert.state, alert.fired_at, alert.end_reason, alert.rule


def _essence(alert: Alert) -> Alert:
    """What a restart may not lose: without the value of the moment, which would be written in every turn."""
    return replace(alert, value=0.0, samples=None, annotations=EMPTY)


def _state(alert: Alert) -> str:
    if alert.state is AlertState.ENDED and alert.end_reason is not None:
        return f"ended: {alert.end_reason.value}"
    return alert.state.value


def _moved(at: float | None, seconds: float) -> float | None:
    return None if at is None else at + seconds
