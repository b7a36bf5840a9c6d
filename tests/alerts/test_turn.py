"""A turn: what is decided for every alert and channel, and what is remembered of it."""

from dataclasses import replace

import pytest

from sidecar.alerts.book import AlertBook
from sidecar.alerts.decisions import Turn
from sidecar.alerts.facts import Circumstances, Mute, Policy
from sidecar.alerts.record import Key, Record
from sidecar.alerts.timeline import Event
from sidecar.alerts.turn import Group, turn
from sidecar.model.alerts import EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import Notification, NotifyKind
from tests.alerts.examples import NOON, RULE, Listener, around, ended, firing, pending

A = firing("a").fingerprint
BOTH = {"mail": Listener(), "hook": Listener()}
PICKY = {"mail": Listener("warning"), "hook": Listener("critical")}
KEY = Key(A, "hook")


class Daemon:
    """A book, and turns that are committed at once."""

    def __init__(self, circumstances: Circumstances | None = None, book: AlertBook | None = None) -> None:
        self.book = book or AlertBook()
        self.around = circumstances or around()
        self.last = Turn(NOON)

    def turn(self, now: float, *alerts, changed=(), dropped: bool = True, hold: bool = False) -> list[str]:
        """One turn at *now*, with these alerts unless the rules are on *hold*; what is told, as `channel kind`."""
        if not hold:
            self.book.update(alerts, now)
        self.last = turn(self.book, self.around, now, changed)
        self.book.apply(self.last, self.last.obsolete if dropped else ())
        return [f"{n.channel} {n.kind.value}" for n in self.last.notifications]

    def told(self) -> list[str]:
        """What the last turn wrote into the timeline."""
        return [f"{entry.event.value}: {entry.text}" for entry in self.last.timeline]


def test_an_incident():
    """An alert opens on each channel that its rule names, is repeated, and is closed."""
    daemon = Daemon(around(listeners={"hook": Listener(), "mail": Listener()}))

    assert daemon.turn(NOON, firing()) == ["hook opening", "mail opening"]
    assert daemon.last.due == NOON + 4 * 3600
    assert daemon.turn(NOON + 15, firing()) == []
    assert daemon.turn(NOON + 4 * 3600, firing()) == ["hook reminder", "mail reminder"]
    assert daemon.turn(NOON + 15000, ended(at=NOON + 15000)) == ["hook resolve", "mail resolve"]
    assert daemon.turn(NOON + 15001, ended(at=NOON + 15000)) == []


def test_a_message_tells_what_happened():
    """Each message carries the alert as it was, when it was opened, what went before, and why."""
    daemon = Daemon(around(Policy(cooldown=60, repeat=600)))
    daemon.turn(NOON, firing())
    opening = daemon.last.notifications[0]
    daemon.turn(NOON + 600, firing())
    reminder = daemon.last.notifications[0]
    daemon.turn(NOON + 700, ended(at=NOON + 700, reason=EndReason.NO_DATA))
    resolve = daemon.last.notifications[0]
    daemon.turn(NOON + 800, firing(since=NOON + 800))
    again = daemon.last.notifications[0]

    told = [n.alerts[0] for n in (opening, reminder, resolve, again)]
    assert [(t.opened_at, t.n, t.flips, t.reason) for t in told] == [
        (NOON, 0, 0, "first"),
        (NOON, 0, 0, "repeat"),
        (NOON, 1, 0, "no_data"),
        (NOON + 800, 0, 1, "again"),
    ]
    assert [t.alert.firing for t in told] == [True, True, False, True]
    assert {n.group_key for n in (opening, reminder, resolve, again)} == {A}
    assert len({n.id for n in (opening, reminder, resolve, again)}) == 4
    assert reminder.expires_at == NOON + 1200
    assert opening.expires_at is None


def test_a_message_carries_what_speaks_for_the_alert():
    """Evidence is asked for when something is told, ends included, and does not make another message of it."""
    said = ["auth: invalid x-api-key", "timeout", "recovering"]
    daemon = Daemon(replace(around(Policy(repeat=600)), evidence_of=lambda alert: said[0] + alert.labels["check"]))
    plain = Daemon(around(Policy(repeat=600)))
    heard: list[Notification] = []
    for now, alert in ((NOON, firing()), (NOON + 600, firing()), (NOON + 700, ended(at=NOON + 700))):
        daemon.turn(now, alert)
        plain.turn(now, alert)
        heard += daemon.last.notifications
        assert [n.id for n in daemon.last.notifications] == [n.id for n in plain.last.notifications]
        said.append(said.pop(0))

    assert [n.alerts[0].evidence for n in heard] == ["auth: invalid x-api-keya", "timeouta", "recoveringa"]


def test_only_changes_are_written():
    """A turn in which nothing changed writes nothing, and the value of the moment is no change."""
    daemon = Daemon()
    daemon.turn(NOON, firing())

    assert daemon.turn(NOON + 15, firing(value=9.0)) == []

    assert not daemon.last
    assert daemon.book.unsaved.alerts == ()
    assert daemon.book.alerts()[0].value == 9.0


def test_the_timeline_has_a_line_per_change_of_reason():
    """Why nothing is told is written once, when it becomes the reason."""
    daemon = Daemon(around(muted=(Mute.SILENCE,), until=NOON + 100))
    daemon.turn(NOON, firing())
    assert daemon.told() == ["state: firing", "nothing: muted: silence"]
    assert daemon.last.timeline[1].due == NOON + 100
    daemon.turn(NOON + 50, firing(), changed=None)
    assert daemon.told() == []

    daemon.around = around()
    daemon.turn(NOON + 100, firing())
    assert daemon.told() == ["put: opening: first"]
    assert daemon.last.timeline[0].message == daemon.last.notifications[0].id
    daemon.turn(NOON + 115, firing(), changed=None)
    assert daemon.told() == []
    daemon.turn(NOON + 120, ended(at=NOON + 120))
    assert daemon.told() == ["state: ended: recovered", "put: resolve: recovered"]
    daemon.turn(NOON + 130, firing(since=NOON + 130))
    assert daemon.told() == ["state: firing", "nothing: cooldown"]
    assert daemon.last.timeline[1].due == NOON + 400


def test_pending_alerts_are_only_noted():
    """While `for` runs nothing is decided, but the timeline knows; so it does when it did not last."""
    daemon = Daemon()

    daemon.turn(NOON, pending())
    assert daemon.told() == ["state: pending"]
    assert daemon.book.records() == ()
    daemon.book.update([], NOON + 15)
    assert daemon.book.unsaved.gone == (A,)
    daemon.turn(NOON + 15)

    assert daemon.told() == ["state: not pending any more"]
    assert daemon.book.alerts() == ()


def test_a_turn_looks_only_where_something_changed():
    """Other alerts are decided when their time has come, or when everything is asked for."""
    daemon = Daemon()
    daemon.turn(NOON, firing("a"), firing("b"))
    daemon.around = around(muted=(Mute.SILENCE,))

    daemon.turn(NOON + 10, firing("a"), firing("b"))
    assert daemon.last.dues == {}
    daemon.turn(NOON + 10, firing("a"), firing("b"), changed=[A])
    assert set(daemon.last.dues) == {KEY}
    daemon.turn(NOON + 10, firing("a"), firing("b"), changed=None)
    assert len(daemon.last.dues) == 2


def test_what_is_touched_is_decided_in_the_next_turn():
    """Whoever changes a fact says so, and does not have to take part in the turn."""
    daemon = Daemon()
    daemon.turn(NOON, firing())
    daemon.around = around(muted=(Mute.SILENCE,))
    daemon.book.touch([A])

    daemon.turn(NOON + 10, firing())

    assert daemon.told() == ["nothing: muted: silence"]
    assert daemon.book.touched == frozenset()


def test_what_is_touched_during_a_turn_is_not_forgotten():
    """What changes between deciding and committing is decided in the turn after."""
    daemon = Daemon()
    daemon.book.update([firing()], NOON)
    found = turn(daemon.book, daemon.around, NOON)
    daemon.book.touch(["other"])

    daemon.book.apply(found)

    assert daemon.book.touched == {"other"}


def test_nothing_is_so_before_it_is_applied():
    """Deciding twice without a commit gives the same answer, with the same ids."""
    daemon = Daemon()
    daemon.book.update([firing()], NOON)

    assert turn(daemon.book, daemon.around, NOON) == turn(daemon.book, daemon.around, NOON)
    assert daemon.book.records() == ()


def test_a_record_is_dropped_when_it_is_history():
    """15 min after the end, when the cooldown is over and nothing waits, all is forgotten."""
    daemon = Daemon()
    daemon.turn(NOON, firing())
    daemon.turn(NOON + 60, ended(at=NOON + 60))
    assert daemon.last.due == NOON + 960
    daemon.turn(NOON + 959)
    assert daemon.book.record(A, "hook") is not None
    assert daemon.book.alerts() == (), "the rule has let go of it"

    daemon.turn(NOON + 960, dropped=False)
    assert daemon.last.obsolete == (KEY,)
    assert daemon.book.record(A, "hook") is not None, "a message waits"
    assert daemon.last.due == NOON + 960 + 900
    daemon.turn(NOON + 1860)

    assert daemon.book.record(A, "hook") is None
    assert daemon.book.alert(A) is None
    assert daemon.book.unsaved.gone == (A,)


def test_the_cooldown_outlives_the_alert():
    """A cooldown longer than the rule remembers the alert is kept all the same."""
    daemon = Daemon(around(Policy(cooldown=7200.0)))
    daemon.turn(NOON, firing())
    daemon.turn(NOON + 60, ended(at=NOON + 60))
    daemon.turn(NOON + 2000)

    assert daemon.turn(NOON + 3000, firing(since=NOON + 3000)) == []
    assert daemon.last.due == NOON + 7200
    assert daemon.turn(NOON + 7200, firing(since=NOON + 3000)) == ["hook opening"]


def test_a_firing_alert_that_nobody_holds_any_more_is_closed():
    """If a rule lets go of an alert without a word, those who were told hear that it is no longer watched."""
    daemon = Daemon()
    daemon.turn(NOON, firing("a"), firing("b", rule=RuleKey("other", "Rule")))
    daemon.book.update([], NOON + 60, rules=[RULE])
    found = turn(daemon.book, daemon.around, NOON + 60)

    (notification,) = found.notifications
    assert notification.kind is NotifyKind.RESOLVE
    assert notification.alerts[0].alert.end_reason is EndReason.REMOVED
    assert notification.alerts[0].alert.ended_at == NOON + 60


def test_a_resolve_is_owed_to_a_channel_that_is_gone():
    """A channel that was told and left the configuration is told the end all the same, should it come back."""
    daemon = Daemon()
    daemon.turn(NOON, firing())
    daemon.around = around(listeners={})
    assert daemon.turn(NOON + 9000, firing(), changed=None) == []
    assert daemon.told() == ["nothing: the channel is not configured"]

    assert daemon.turn(NOON + 9001, ended(at=NOON + 9001)) == ["hook resolve"]


@pytest.mark.parametrize(
    ("circumstances", "expected"),
    [
        pytest.param(around(Policy(channels=("mail",)), listeners=BOTH), ["mail"], id="named"),
        pytest.param(around(listeners=BOTH), ["hook", "mail"], id="all"),
        pytest.param(around(listeners=PICKY), ["hook"], id="severity"),
        pytest.param(around(Policy(channels=("gone",))), [], id="not configured"),
        pytest.param(Circumstances({"hook": Listener()}, {}), [], id="a rule that is gone"),
    ],
)
def test_who_is_told(circumstances, expected):
    """A channel is told when the rule names it, or nobody, and when it takes the severity."""
    daemon = Daemon(circumstances)

    daemon.turn(NOON, firing())

    assert [n.channel for n in daemon.last.notifications] == expected


def test_decisions_of_one_group_leave_together():
    """Grouping packs what is decided at once for one channel: one message with many alerts."""

    def by_rule(alert, channel):
        return Group(f"{channel}:{alert.name}", Labels(alertname=alert.name))

    book = AlertBook()
    book.update([firing("a"), firing("b"), firing("c")], NOON)
    found = turn(book, around(), NOON, group_of=by_rule)
    (opening,) = found.notifications
    book.apply(found)
    book.update([firing("a"), ended("b", NOON + 9), ended("c", NOON + 9)], NOON + 9)
    (resolve,) = turn(book, around(), NOON + 9, group_of=by_rule).notifications

    assert (opening.group_key, opening.group_labels) == ("hook:Down", Labels(alertname="Down"))
    assert len(opening.alerts) == 3
    assert {told.alert.labels["check"] for told in resolve.alerts} == {"b", "c"}
    assert resolve.group_key == opening.group_key


def test_a_restart_says_nothing():
    """A book that was loaded from what was saved decides nothing anew, and forgets nothing."""
    before = Daemon()
    before.turn(NOON, firing())
    daemon = Daemon(book=AlertBook(before.book.alerts(), before.book.records()))

    assert daemon.turn(NOON + 600, firing(), changed=None) == []
    assert not daemon.last
    assert daemon.last.due == NOON + 4 * 3600
    assert daemon.turn(NOON + 700, ended(at=NOON + 700)) == ["hook resolve"]


def test_a_record_without_its_alert_is_closed_in_silence():
    """A record of which only that much was saved cannot be told of, and does not stay open for ever."""
    daemon = Daemon(book=AlertBook(records=[Record("lost", "hook", open=True, opened_at=NOON, told_at=NOON)]))

    assert daemon.turn(NOON + 9, changed=None) == []

    record = daemon.book.record("lost", "hook")
    assert record is not None
    assert not record.open


def test_a_dead_opening_is_decided_again():
    """After a dead letter the alert is looked at in the next turn, and opened anew later."""
    daemon = Daemon()
    daemon.turn(NOON, firing())
    (opening,) = daemon.last.notifications
    assert daemon.book.on_dead(opening, maybe=True) == ()

    (record,) = daemon.book.on_dead(opening, maybe=False)
    assert (record.open, record.failed) == (False, True)
    assert daemon.turn(NOON + 1, firing()) == []
    assert daemon.last.due == NOON + 900
    assert daemon.turn(NOON + 900, firing()) == ["hook opening"]
    assert daemon.book.on_dead(opening, maybe=False) == (), "that opening is history"


def test_a_dead_reminder_or_resolve_changes_no_record():
    """Only an opening that nobody got changes what is owed."""
    daemon = Daemon()
    daemon.turn(NOON, firing())
    daemon.turn(NOON + 4 * 3600, firing())

    assert daemon.book.on_dead(daemon.last.notifications[0], maybe=False) == ()


def test_the_clock_goes_back():
    """After a step back, what was told is as old as before: nothing is repeated early, nothing is held for an hour."""
    daemon = Daemon()
    daemon.turn(NOON, firing())
    daemon.turn(NOON + 60, ended(at=NOON + 60))

    (record,) = daemon.book.step(-3600)
    assert (record.opened_at, record.told_at, record.ended_at) == (NOON - 3600, NOON - 3600, NOON - 3540)
    back = firing(since=NOON - 3500)
    assert daemon.turn(NOON - 3500, back) == []
    assert daemon.last.due == NOON - 3300
    assert daemon.turn(NOON - 3300, back) == ["hook opening"]


def test_states_are_noted_once():
    """Each change of an alert's own state is one line, whatever else about it changes."""
    daemon, lines = Daemon(), []
    for alert in (pending(), pending(), firing(), firing(value=7.0), ended(), ended(reason=EndReason.RECOVERED)):
        daemon.turn(NOON, alert)
        lines += [entry.text for entry in daemon.last.timeline if entry.event is Event.STATE]

    assert lines == ["pending", "firing", "ended: recovered"]


def test_the_book_knows_whether_somebody_was_told():
    """A channel that holds a firing keeps a raised `for` from taking it back."""
    daemon = Daemon()
    daemon.turn(NOON, firing("a"), pending("b"))

    assert daemon.book.told(firing("a"))
    assert not daemon.book.told(pending("b"))


def test_what_a_commit_has_to_write():
    """New, changed and vanished alerts are to be saved; those that only have another value are not."""
    daemon = Daemon()
    daemon.book.update([firing("a"), pending("b")], NOON)
    assert set(daemon.book.unsaved.alerts) == {firing("a"), pending("b")}
    daemon.turn(NOON, firing("a"), pending("b"))
    assert not daemon.book.unsaved.alerts

    daemon.book.update([firing("a", peak=5.0, value=5.0), pending("b")], NOON + 15)
    assert [alert.labels["check"] for alert in daemon.book.unsaved.alerts] == ["a"]
