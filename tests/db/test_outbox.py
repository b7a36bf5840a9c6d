"""Messages that wait: joined, ordered, dead."""

import sqlite3
from dataclasses import replace

import pytest

from sidecar.alerts.record import Record
from sidecar.alerts.timeline import Event
from sidecar.db import files, history, outbox, records
from sidecar.model.notifications import Blame, NotifyKind, notification_id
from tests.alerts.examples import NOON, firing, message

OPENING, REMINDER, RESOLVE, CLOSED = NotifyKind.OPENING, NotifyKind.REMINDER, NotifyKind.RESOLVE, NotifyKind.CLOSED
FINGERPRINT = firing().fingerprint


@pytest.fixture
def connection():
    """The tables, in memory."""
    connection = files.in_memory()
    yield connection
    connection.close()


def story(connection: sqlite3.Connection, channel: str = "hook") -> list[str]:
    """What waits, in order."""
    return [row.notification.kind.value for row in outbox.waiting(connection, channel)]


def events(connection: sqlite3.Connection) -> list[Event]:
    return [entry.event for entry in history.latest(connection)]


@pytest.mark.parametrize(
    ("kinds", "maybe", "expected"),
    [
        pytest.param([OPENING], 0, "opening", id="one message"),
        pytest.param([OPENING, RESOLVE], 0, "closed", id="an incident that nobody heard of"),
        pytest.param([OPENING, RESOLVE, OPENING], 0, "opening", id="and that came back"),
        pytest.param([OPENING, RESOLVE, OPENING, RESOLVE], 0, "closed", id="and went again"),
        pytest.param([OPENING, REMINDER], 0, "opening", id="a reminder of what was not told yet"),
        pytest.param([REMINDER, REMINDER], 0, "reminder", id="two reminders"),
        pytest.param([REMINDER, RESOLVE], 0, "resolve", id="a reminder that is over"),
        pytest.param([RESOLVE, OPENING], 0, "resolve opening", id="a resolve is owed whatever follows"),
        pytest.param([RESOLVE, OPENING, RESOLVE], 0, "resolve closed", id="and what follows is joined"),
        pytest.param([OPENING, OPENING], 0, "opening", id="no resolve in between, because the channel takes none"),
        pytest.param([OPENING, RESOLVE], 1, "opening resolve", id="what may have arrived is followed"),
        pytest.param([OPENING, REMINDER], 1, "opening", id="a reminder behind an opening that may have arrived"),
        pytest.param([OPENING, RESOLVE, OPENING], 1, "opening resolve opening", id="at most three rows"),
        pytest.param([OPENING, RESOLVE, OPENING, RESOLVE], 1, "opening resolve closed", id="and never a fourth"),
        pytest.param(
            [REMINDER, RESOLVE, OPENING], 1, "reminder resolve opening", id="a reminder that may have arrived"
        ),
        pytest.param([CLOSED, OPENING], 1, "closed opening", id="a closed that may have arrived"),
        pytest.param([RESOLVE, OPENING, REMINDER], 1, "resolve opening", id="a reminder behind a waiting opening"),
    ],
)
def test_what_follows_a_waiting_message(connection, kinds, maybe, expected):
    """What surely has not arrived is joined with what follows; what may have arrived is followed."""
    for n, kind in enumerate(kinds):
        outbox.put(connection, [message(kind, at=NOON + 300 * n, opened_at=NOON + 600 * (n // 2), n=n)])
        if n < maybe:
            outbox.begin(connection, outbox.waiting(connection)[0].id)

    assert story(connection) == expected.split()


def test_putting_twice_changes_nothing(connection):
    """A message that waits already is not put again."""
    outbox.put(connection, [message(OPENING)])
    outbox.put(connection, [message(OPENING), message(OPENING)])

    assert story(connection) == ["opening"]


def test_a_joined_message_tells_everything(connection):
    """A closed message has its resolve's times, its opening's flips, an id of its own, and the age of the first."""
    blame = Blame("provider", "Anthropic", "overloaded")
    opening = message(OPENING, flips=2)
    known = replace(opening.alerts[0], blame=blame, advice="wait")
    outbox.put(connection, [replace(opening, alerts=(known,))])
    outbox.put(connection, [message(RESOLVE, at=NOON + 60, n=1)])

    (row,) = outbox.waiting(connection)
    (told,) = row.notification.alerts
    assert (row.notification.kind, row.notification.created_at, row.waiting_since) == (CLOSED, NOON + 60, NOON)
    assert (told.opened_at, told.flips, told.alert.ended_at) == (NOON, 2, NOON + 60)
    assert (told.blame, told.advice) == (blame, "wait")
    assert row.id == notification_id("hook", CLOSED, [told])
    assert row.expires_at == NOON + 60 + outbox.MAX_AGE
    assert events(connection) == [Event.JOINED]


def test_ends_that_nobody_heard_of_add_up(connection):
    """An opening that replaced others tells the ends since the last opening that the channel heard."""
    for n in range(3):
        outbox.put(connection, [message(OPENING, at=NOON + 600 * n, opened_at=NOON + 600 * n, flips=1)])
        outbox.put(connection, [message(RESOLVE, at=NOON + 600 * n + 60, opened_at=NOON + 600 * n)])

    (row,) = outbox.waiting(connection)
    assert row.notification.alerts[0].flips == 3


def test_messages_about_one_alert_leave_in_order(connection):
    """A message waits for those before it that share an alert, and for no others."""
    first, second = message(OPENING, "a", "b"), message(RESOLVE, "b", at=NOON + 9)
    other, elsewhere = message(OPENING, "c"), message(RESOLVE, "b", channel="other")
    outbox.put(connection, [first])
    outbox.begin(connection, first.id)
    outbox.put(connection, [second, other, elsewhere])

    assert outbox.heads(connection, "hook") == (first.id, other.id)
    assert outbox.heads(connection, "other") == (elsewhere.id,)
    row = outbox.get(connection, first.id)
    assert row is not None
    outbox.delivered(connection, row, NOON + 10)
    assert outbox.heads(connection, "hook") == (second.id, other.id)


def test_one_alert_of_a_group_is_joined_alone(connection):
    """An end takes its alert out of an opening that waits; the others stay in it, under another id."""
    outbox.put(connection, [message(OPENING, "a", "b", "c")])
    outbox.put(connection, [message(RESOLVE, "b", "d", at=NOON + 60)])

    contents = [
        (row.notification.kind, [told.alert.labels["check"] for told in row.notification.alerts])
        for row in outbox.waiting(connection)
    ]
    assert contents == [(OPENING, ["a", "c"]), (CLOSED, ["b"]), (RESOLVE, ["d"])]
    ids = [row.id for row in outbox.waiting(connection)]
    assert ids[0] == notification_id("hook", OPENING, outbox.waiting(connection)[0].notification.alerts)
    assert len(set(ids)) == 3
    assert set(outbox.heads(connection, "hook")) == set(ids)


def test_an_attempt_is_marked_before_it_is_made(connection):
    """From the beginning of an attempt the message may have arrived; an attempt of nothing is none."""
    opening = message(OPENING)
    outbox.put(connection, [opening])

    row = outbox.begin(connection, opening.id)

    assert row is not None
    assert (row.maybe, row.attempts) == (False, 0)
    after = outbox.get(connection, opening.id)
    assert after is not None
    assert (after.maybe, after.attempts) == (True, 1)
    assert outbox.begin(connection, "gone") is None


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        pytest.param([False], False, id="refused"),
        pytest.param([True], True, id="unanswered"),
        pytest.param([True, False], True, id="an answer does not take back that the one before may have arrived"),
        pytest.param([False, True], True, id="unanswered at last"),
    ],
)
def test_whether_a_message_may_have_arrived(connection, attempts, expected):
    """A message may have arrived if any of its attempts was not answered."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    for maybe in attempts:
        row = outbox.begin(connection, opening.id)
        assert row is not None
        outbox.failed(connection, row, NOON, "why", maybe=maybe)

    (row,) = outbox.waiting(connection)
    assert row.maybe is expected
    assert events(connection) == [Event.UNANSWERED if maybe else Event.FAILED for maybe in attempts]


def test_what_was_put_during_an_attempt_is_joined_after_it(connection):
    """When the attempt surely did not arrive, what waited behind it is joined with it."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    row = outbox.begin(connection, opening.id)
    assert row is not None
    outbox.put(connection, [message(RESOLVE, at=NOON + 5)])
    outbox.put(connection, [message(OPENING, at=NOON + 300, opened_at=NOON + 300)])
    outbox.put(connection, [message(RESOLVE, at=NOON + 310, opened_at=NOON + 300)])
    assert story(connection) == ["opening", "resolve", "closed"]

    outbox.failed(connection, row, NOON + 320, "503", maybe=False)

    # closed + closed stay two: two incidents, both over
    assert story(connection) == ["closed", "closed"]
    assert len(outbox.heads(connection, "hook")) == 1


def test_joining_behind_keeps_the_order_of_groups(connection):
    """What waits behind a failed message only through a third one stays behind that."""
    first = message(OPENING, "a")
    outbox.put(connection, [first])
    row = outbox.begin(connection, first.id)
    assert row is not None
    outbox.put(connection, [message(RESOLVE, "a", "b", at=NOON + 5)])
    outbox.put(connection, [message(OPENING, "b", at=NOON + 6, opened_at=NOON + 6)])
    outbox.put(connection, [message(OPENING, "z", at=NOON + 7)])

    outbox.failed(connection, row, NOON + 8, "503", maybe=False)

    contents = [
        (row.notification.kind.value, [told.alert.labels["check"] for told in row.notification.alerts])
        for row in outbox.waiting(connection)
    ]
    assert contents.index(("resolve", ["b"])) < contents.index(("opening", ["b"]))
    assert ("closed", ["a"]) in contents
    assert ("opening", ["z"]) in contents
    assert len(contents) == 4


def test_nothing_waits_for_a_message_that_is_partly_delivered(connection):
    """What some recipients have is neither replaced nor waited for."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    row = outbox.begin(connection, opening.id)
    assert row is not None
    outbox.failed(connection, row, NOON, "2 of 3", maybe=True, partly=True)

    resolve = message(RESOLVE, at=NOON + 60)
    outbox.put(connection, [resolve])

    assert outbox.heads(connection, "hook") == (opening.id, resolve.id)


def test_a_dead_opening_takes_its_resolve_along(connection):
    """Nobody heard that it fired, so nobody hears that it is over; a later incident is told."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    row = outbox.begin(connection, opening.id)
    assert row is not None
    outbox.put(connection, [message(RESOLVE, at=NOON + 5), message(OPENING, at=NOON + 300, opened_at=NOON + 300)])
    record = Record(FINGERPRINT, "hook", failed=True)

    outbox.bury(connection, row, NOON + 310, "400", maybe=False, changed=[record])

    assert story(connection) == ["opening"]
    (letter,) = outbox.dead(connection)
    assert (letter.notification, letter.reason, letter.attempts, letter.maybe) == (opening, "400", 1, False)
    assert records.load(connection) == (record,)
    assert events(connection) == [Event.DEAD, Event.DROPPED]


def test_a_dead_group_takes_its_own_resolves_along(connection):
    """Of a resolve behind a dead opening, only the alerts of that opening are dropped."""
    opening = message(OPENING, "a", "b")
    outbox.put(connection, [opening])
    row = outbox.begin(connection, opening.id)
    assert row is not None
    outbox.put(connection, [message(RESOLVE, "a", "b", "c", at=NOON + 5)])

    outbox.bury(connection, row, NOON + 310, "400", maybe=False)

    (left,) = outbox.waiting(connection)
    assert [told.alert.labels["check"] for told in left.notification.alerts] == ["c"]


def test_a_dead_opening_that_may_have_arrived_is_still_resolved(connection):
    """Whoever may have heard that it fired hears that it is over."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    row = outbox.begin(connection, opening.id)
    assert row is not None
    outbox.put(connection, [message(RESOLVE, at=NOON + 5)])

    outbox.bury(connection, row, NOON + 90000, "too old", maybe=True)

    assert story(connection) == ["resolve"]


@pytest.mark.parametrize(
    ("notification", "lifetime"),
    [
        pytest.param(message(OPENING), 86400.0, id="a day"),
        pytest.param(message(REMINDER, expires_at=NOON + 3600), 3600.0, id="a reminder until the next one"),
        pytest.param(message(REMINDER, expires_at=NOON + 9e9), 86400.0, id="but a day at most"),
    ],
)
def test_messages_grow_too_old(connection, notification, lifetime):
    """Each message has an age after which it is not tried any more."""
    outbox.put(connection, [notification])

    assert outbox.expired(connection, "hook", NOON + lifetime - 1) == ()
    assert [row.id for row in outbox.expired(connection, "hook", NOON + lifetime)] == [notification.id]
    assert outbox.expired(connection, "other", NOON + lifetime) == ()


def test_a_clock_that_is_set_back(connection):
    """What waits keeps its age, its id and its place; its alerts move as those do that the rules hold."""
    put = [message(OPENING, "a", flips=1), message(REMINDER, "b", n=2, expires_at=NOON + 3600)]
    outbox.put(connection, put)
    outbox.begin(connection, put[0].id)

    outbox.step(connection, -7200)

    opening, reminder = outbox.waiting(connection)
    assert (opening.id, reminder.id) == (put[0].id, put[1].id)
    assert (opening.maybe, opening.attempts) == (True, 1)
    (told,) = opening.notification.alerts
    before = put[0].alerts[0]
    assert told == replace(before, opened_at=NOON - 7200, alert=told.alert)
    assert told.alert == replace(before.alert, active_at=NOON - 7210, fired_at=NOON - 7200)
    assert (opening.notification.created_at, opening.waiting_since) == (NOON - 7200, NOON - 7200)
    assert opening.expires_at == NOON - 7200 + outbox.MAX_AGE
    assert reminder.expires_at == reminder.notification.expires_at == NOON - 3600


def test_a_row_that_cannot_be_read_on_a_clock_that_is_set_back(connection):
    """What is known of a row that cannot be read moves too."""
    outbox.put(connection, [message(OPENING)])
    connection.execute("UPDATE outbox SET body = '{}'")

    outbox.step(connection, -7200)

    (row,) = outbox.waiting(connection)
    assert (row.waiting_since, row.expires_at) == (NOON - 7200, NOON - 7200 + outbox.MAX_AGE)


def test_a_dead_opening_takes_its_resolve_along_after_a_step(connection):
    """A resolve that was put after the clock was set back belongs to the opening before."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    outbox.begin(connection, opening.id)
    outbox.step(connection, -3600)
    outbox.put(connection, [message(RESOLVE, at=NOON - 3500, opened_at=NOON - 3600)])
    row = outbox.get(connection, opening.id)
    assert row is not None

    outbox.bury(connection, row, NOON - 3400, "400", maybe=False)

    assert outbox.waiting(connection) == ()


def test_depths(connection):
    """How much waits is known for each channel, also for one that is not configured any more."""
    outbox.put(connection, [message(OPENING, "a"), message(OPENING, "b", at=NOON + 5), message(OPENING, channel="old")])

    assert outbox.depths(connection) == {"hook": outbox.Depth(2, NOON), "old": outbox.Depth(1, NOON)}


def test_messages_survive_being_written(connection):
    """What comes out is what went in, whatever the numbers."""
    alert = firing(value=float("inf"), peak=None, samples=412.0, note="settling", keep_firing_since=NOON)
    put = message(REMINDER, n=3, flips=2, expires_at=NOON + 9)
    put = replace(put, alerts=(replace(put.alerts[0], alert=alert),), group_labels=alert.labels)

    outbox.put(connection, [put])

    assert outbox.waiting(connection)[0].notification == put
