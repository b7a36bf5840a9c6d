"""A world in which anything may happen to alerts, channels and the daemon; it checks every promise as it goes."""

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from sidecar.alerts.book import AlertBook
from sidecar.alerts.decisions import Turn
from sidecar.alerts.facts import Circumstances, Mute, Mutes, Policy
from sidecar.alerts.record import KEPT, Key
from sidecar.alerts.turn import turn
from sidecar.db import files, outbox, state
from sidecar.model.alerts import Alert, EndReason
from sidecar.model.notifications import Notification, NotifyKind
from tests.alerts.examples import NOON, RULE, Listener, ended, firing

CHECKS = ("a", "b")
CHANNELS = ("page", "mail", "quiet")
OVER = (NotifyKind.RESOLVE, NotifyKind.CLOSED)
FINGERPRINTS = {check: firing(check).fingerprint for check in CHECKS}
CHECK_OF = {fingerprint: check for check, fingerprint in FINGERPRINTS.items()}


@dataclass
class Receiver:
    """What one channel believes: deduplicates by id, as the promise allows it to."""

    name: str
    arrived: Counter[str] = field(default_factory=Counter)
    excuses: Counter[str] = field(default_factory=Counter)  # kills and unanswered attempts, by id
    holds: set[str] = field(default_factory=set)  # fingerprints it believes to be firing
    doubtful: set[str] = field(default_factory=set)  # fingerprints of which a message was lost for good

    def take(self, notification: Notification) -> None:
        """A message arrives."""
        self.arrived[notification.id] += 1
        assert self.arrived[notification.id] <= 1 + self.excuses[notification.id], "one repetition per excuse"
        if self.arrived[notification.id] > 1:
            return
        for told in notification.alerts:
            fingerprint = told.alert.fingerprint
            doubt = fingerprint in self.doubtful
            match notification.kind:
                case NotifyKind.OPENING:
                    assert doubt or fingerprint not in self.holds or self.name == "quiet", "an opening is closed first"
                case NotifyKind.REMINDER | NotifyKind.RESOLVE:
                    assert doubt or fingerprint in self.holds, f"a {notification.kind} follows an opening"
                case NotifyKind.CLOSED:
                    assert doubt or fingerprint not in self.holds, "what was told is not told as closed"
            if notification.kind in OVER:
                assert self.name != "quiet", "send_resolved is off"
                self.holds.discard(fingerprint)
            else:
                self.holds.add(fingerprint)
            self.doubtful.discard(fingerprint)


class World:
    """Two checks, three channels, one rule, and a daemon that may die at any moment."""

    def __init__(self) -> None:
        self.now = NOON
        self.alerts: dict[str, Alert] = {}  # by check, as the rules hold them
        self.listeners = {name: Listener(send_resolved=name != "quiet") for name in CHANNELS}
        self.policy = Policy(cooldown=300.0, repeat=3600.0)
        self.mutes: dict[str, set[Mute]] = {check: set() for check in CHECKS}
        self.acked: set[str] = set()
        self.receivers = {name: Receiver(name) for name in CHANNELS}
        self.flying: dict[str, outbox.Row] = {}  # the running attempt of each channel
        self.connection = files.in_memory()
        self.book = AlertBook()
        self.elsewhere = False  # something outside the alerts changed since the last turn
        # What the promises are checked against.
        self.episode = dict.fromkeys(CHECKS, 0)
        self.always_muted = dict.fromkeys(CHECKS, True)
        self.opened: dict[Key, float] = {}
        self.ids: set[str] = set()
        self.story: defaultdict[Key, list[NotifyKind]] = defaultdict(list)

    # What may happen.

    def __del__(self) -> None:
        self.connection.close()

    def fire(self, check: str) -> None:
        if not self._fires(check):
            self.alerts[check] = firing(check, self.now)
            self.episode[check] += 1
            self.always_muted[check] = True

    def end(self, check: str, reason: EndReason) -> None:
        if self._fires(check):
            self.alerts[check] = ended(check, self.now, reason, self.alerts[check].fired_at or self.now)
            self.elsewhere = True
            self.acked.discard(check)  # an acknowledgement ends with the alert

    def mute(self, check: str, mute: Mute) -> None:
        self.elsewhere = True
        self.mutes[check] ^= {mute}

    def ack(self, check: str) -> None:
        self.elsewhere = True
        if self._fires(check):
            self.acked ^= {check}

    def route(self, names: tuple[str, ...]) -> None:
        self.elsewhere = True
        self.policy = Policy(names, self.policy.cooldown, self.policy.repeat)

    def severities(self, channel: str, severities: tuple[str, ...]) -> None:
        self.elsewhere = True
        if channel in self.listeners:
            self.listeners[channel] = Listener(*severities, send_resolved=channel != "quiet")

    def configure(self, channel: str) -> None:
        """A channel leaves the configuration, or comes back."""
        self.elsewhere = True
        if channel not in self.listeners:
            self.listeners[channel] = Listener(send_resolved=channel != "quiet")
        elif channel not in self.flying:
            del self.listeners[channel]

    def timing(self, cooldown: float, repeat: float) -> None:
        self.elsewhere = True
        self.policy = Policy(self.policy.channels, cooldown, repeat)

    def begin(self, channel: str, which: int = 0) -> None:
        """An attempt begins, if something waits for the channel; any of what could go may go."""
        if channel in self.flying or channel not in self.listeners:
            return
        ids = outbox.heads(self.connection, channel)
        if ids:
            row = outbox.begin(self.connection, ids[which % len(ids)])
            assert row is not None
            if channel == "quiet" and not row.notification.firing:
                outbox.drop(self.connection, row, self.now, "the channel does not take resolves")
            else:
                self.flying[channel] = row

    def finish(self, channel: str, outcome: str) -> None:
        """The running attempt ends: taken, refused, forbidden; silent arrived without an answer, lost did not."""
        row = self.flying.pop(channel, None)
        if row is None:
            return
        receiver = self.receivers[channel]
        if outcome in ("silent", "lost"):
            receiver.excuses[row.id] += 1
        if outcome in ("taken", "silent"):
            receiver.take(row.notification)
        match outcome:
            case "taken":
                outbox.delivered(self.connection, row, self.now)
            case "forbidden":
                self._bury(row, maybe=row.maybe)
            case _:
                outbox.failed(self.connection, row, self.now, outcome, maybe=outcome != "refused")

    def attempt(self, channel: str, outcome: str, which: int = 0) -> None:
        self.begin(channel, which)
        self.finish(channel, outcome)

    def kill(self, arrived: bool, in_turn: bool) -> None:
        """The process dies, perhaps with a decision made and not committed; another one finds the file."""
        if in_turn:
            self._decide()
        for channel, row in self.flying.items():
            self.receivers[channel].excuses[row.id] += 1
            if arrived:
                self.receivers[channel].take(row.notification)
        self.flying.clear()
        image = self.connection.serialize()
        self.connection.close()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(image)
        found = state.load(self.connection)
        self.book = AlertBook(found.alerts, found.records)

    def wait(self, seconds: float) -> None:
        """Time passes, with a turn whenever one is due; no attempt lasts longer than its timeout."""
        for channel in list(self.flying) if seconds > 60 else ():
            self.finish(channel, "lost")
        until = self.now + seconds
        for _ in range(1000):
            due = self.turn()
            if due is None or due > until:
                break
            assert due > self.now, "a turn is due later"
            self.now = due
        else:
            raise AssertionError("turns without end")
        self.now = until

    # What the daemon does about it.

    def turn(self) -> float | None:
        """One turn; when the next is due."""
        for check, alert in list(self.alerts.items()):
            if alert.ended_at is not None and self.now - alert.ended_at > KEPT:
                del self.alerts[check]
        for check in CHECKS:
            self.always_muted[check] &= bool(self.mutes[check])
        found = self._decide()
        self._check(found)
        dropped = state.commit(self.connection, self.book.unsaved, found)
        for key in dropped:
            record = self.book.record(*key)
            assert record is not None
            assert not record.open
            assert self.now >= self.opened.pop(key, -1e9) + self.policy.cooldown
        self.book.apply(found, dropped)
        self.elsewhere = False
        again = turn(self.book, self.around(), self.now, None)
        assert not again.notifications, "whatever is to be told is told in the turn in which it becomes so"
        for channel in CHANNELS:
            for row in outbox.expired(self.connection, channel, self.now):
                if row.id not in {flying.id for flying in self.flying.values()}:
                    self._bury(row, maybe=row.maybe)
        self._check_rows()
        for record in self.book.records():
            assert not record.open or self._fires(CHECK_OF[record.fingerprint]), (
                "an end is told at once, whatever mutes"
            )
        return found.due

    def around(self) -> Circumstances:
        return Circumstances(
            channels=self.listeners,
            policies={RULE: self.policy},
            mutes_of=lambda alert, channel, now: Mutes(frozenset(self.mutes[alert.labels["check"]])),
            acked=lambda alert: CHECK_OF[alert.fingerprint] in self.acked,
        )

    def quiesce(self) -> None:
        """Nothing mutes any more, every channel takes what it gets, and time passes."""
        self.elsewhere = True
        for check in CHECKS:
            self.mutes[check].clear()
        self.acked.clear()
        for channel in CHANNELS:
            self.finish(channel, "taken")
        for _ in range(4):
            self.wait(7200.0)
            self.turn()
            for channel in self.listeners:
                for _ in range(100):
                    if not outbox.heads(self.connection, channel):
                        break
                    self.attempt(channel, "taken")
        for channel in self.listeners:
            assert not outbox.waiting(self.connection, channel)

    def check_views(self) -> None:
        """What each routed channel believes is the truth, but for what was lost for good."""
        for channel, listener in self.listeners.items():
            receiver = self.receivers[channel]
            routed = channel in (self.policy.channels or self.listeners)
            routed = routed and (not listener.severities or "critical" in listener.severities)
            for check, fingerprint in FINGERPRINTS.items():
                if fingerprint in receiver.doubtful:
                    continue
                if self._fires(check) and routed:
                    assert fingerprint in receiver.holds, f"{channel} was not told of {check}"
                if not self._fires(check) and listener.send_resolved:
                    assert fingerprint not in receiver.holds, f"{channel} was not told that {check} is over"

    # How it is checked.

    def _fires(self, check: str) -> bool:
        return check in self.alerts and self.alerts[check].firing

    def _decide(self) -> Turn:
        self.book.update(self.alerts.values(), self.now)
        return turn(self.book, self.around(), self.now, None if self.elsewhere else ())

    def _check(self, found: Turn) -> None:
        for notification in found.notifications:
            assert notification.id not in self.ids, "an id names one message"
            self.ids.add(notification.id)
            (told,) = notification.alerts
            check = told.alert.labels["check"]
            key = Key(told.alert.fingerprint, notification.channel)
            self.story[key].append(notification.kind)
            if notification.kind in OVER:
                assert not self._fires(check)
                continue
            assert not self.mutes[check], "nothing is opened or repeated under a mute"
            assert check not in self.acked
            assert not self.always_muted[check], "an episode that was muted throughout leaves no message"
            assert notification.channel in self.listeners
            if notification.kind is NotifyKind.OPENING:
                before = self.opened.get(key)
                assert before is None or self.now >= before + self.policy.cooldown, "openings keep their distance"
                self.opened[key] = told.opened_at
        for check in CHECKS:
            if self.always_muted[check] and self._fires(check):
                fired_at = self.alerts[check].fired_at
                alerts = [told.alert for notification in found.notifications for told in notification.alerts]
                assert not [a for a in alerts if a.firing and (a.labels["check"], a.fired_at) == (check, fired_at)]

    def _check_rows(self) -> None:
        counts = self.connection.execute(
            "SELECT channel, fingerprint, count(*) FROM outbox JOIN outbox_alerts USING (seq) GROUP BY 1, 2"
        )
        for channel, fingerprint, count in counts:
            assert count <= 3, f"{count} rows wait for {channel} about {fingerprint}"

    def _bury(self, row: outbox.Row, *, maybe: bool) -> None:
        notification = row.notification
        receiver = self.receivers[notification.channel]
        arrived = row.id in receiver.arrived
        assert maybe or not arrived, "what may have arrived is marked"
        changed = self.book.on_dead(notification, maybe=maybe)
        outbox.bury(self.connection, row, self.now, "dead", maybe=maybe, changed=changed)
        if not arrived and (
            notification.kind is NotifyKind.RESOLVE or (notification.kind is NotifyKind.OPENING and maybe)
        ):
            receiver.doubtful |= {told.alert.fingerprint for told in notification.alerts}
