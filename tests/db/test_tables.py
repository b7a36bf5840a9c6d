"""The tables, as plain functions over a connection."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.alerts.book import AlertBook
from sidecar.alerts.record import Key, Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.alerts.turn import turn
from sidecar.db import alerts, files, history, meta, migrations, outbox, records, state
from sidecar.db.codec import dump_alert, dump_notification, load_alert, load_notification
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import NotifyKind
from tests.alerts.examples import NOON, around, ended, firing, message, pending


@pytest.fixture
def connection():
    """The tables, in memory."""
    connection = files.in_memory()
    yield connection
    connection.close()


TEXT = st.text(max_size=20)
NUMBER = st.floats(allow_nan=False)
LABELS = st.dictionaries(st.text(min_size=1, max_size=8), TEXT, max_size=4).map(Labels)
ALERTS = st.builds(
    Alert,
    rule=st.builds(RuleKey, TEXT, TEXT),
    labels=LABELS,
    state=st.sampled_from(AlertState),
    active_at=NUMBER,
    value=NUMBER,
    annotations=LABELS,
    fired_at=st.none() | NUMBER,
    ended_at=st.none() | NUMBER,
    end_reason=st.none() | st.sampled_from(EndReason),
    keep_firing_since=st.none() | NUMBER,
    peak=st.none() | NUMBER,
    condition=TEXT,
    samples=st.none() | NUMBER,
    quantile=st.none() | NUMBER,
    note=TEXT,
    replaced_by=TEXT,
)


@given(ALERTS)
def test_alerts_as_text(alert):
    """An alert is read as it was written, whatever is in it."""
    assert load_alert(dump_alert(alert)) == alert


def test_evidence_is_kept_with_its_message():
    """A notification is read with what the probe said; one that was written without it has none."""
    (told,) = message(NotifyKind.OPENING).alerts
    said = replace(message(NotifyKind.OPENING), alerts=(replace(told, evidence='auth: "no"'),))
    before = json.loads(dump_notification(said))
    del before["alerts"][0]["evidence"]

    assert load_notification(dump_notification(said)) == said
    assert load_notification(json.dumps(before)).alerts == (told,)


def test_no_value_is_a_value():
    """An alert whose value is not a number keeps that."""
    assert math.isnan(load_alert(dump_alert(firing(value=math.nan))).value)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"rule": 1}', dump_alert(firing()).replace("firing", "odd")])
def test_texts_that_are_no_alerts(text):
    """What was not written by us is a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        load_alert(text)


def test_alerts_are_saved_and_forgotten(connection):
    """Alerts are found as they were saved last, the pending ones too."""
    alerts.save(connection, [firing("a"), pending("b"), ended("c")])
    alerts.save(connection, [ended("a")], gone=[firing("c").fingerprint, "unknown"])

    assert sorted(alerts.load(connection), key=str) == sorted([ended("a"), pending("b")], key=str)


def test_one_bad_row_is_left_out(connection):
    """An alert that cannot be read does not keep the others away."""
    alerts.save(connection, [firing("a"), firing("b")])
    connection.execute("UPDATE alerts SET body = '{}' WHERE fingerprint = ?", (firing("a").fingerprint,))

    assert alerts.load(connection) == (firing("b"),)


def test_records_are_saved(connection):
    """Every field of a record comes back."""
    whole = Record("f", "a", True, 1.5, 2.5, 3, 4, True, True, 5.5, 6.5, "why")
    records.save(connection, [whole, Record("f", "b"), Record("g", "a")])
    records.save(connection, [replace(whole, n=9)])

    assert records.load(connection) == (replace(whole, n=9), Record("f", "b"), Record("g", "a"))


def test_records_are_dropped_when_nothing_waits(connection):
    """A record stays as long as a message about it does."""
    fingerprint = firing().fingerprint
    keys = [Key(fingerprint, "hook"), Key(fingerprint, "mail")]
    records.save(connection, [Record(*key) for key in keys])
    outbox.put(connection, [message(NotifyKind.RESOLVE)])

    assert records.drop(connection, keys) == {keys[1]}
    assert [record.key for record in records.load(connection)] == [keys[0]]


def test_signs_of_life(connection):
    """When state was saved last, and whether the daemon said goodbye, is found by the next one."""
    assert meta.saved_at(connection) is None
    meta.alive(connection, NOON + 0.1)
    assert (meta.saved_at(connection), meta.was_clean(connection)) == (NOON + 0.1, False)
    meta.stopped(connection, NOON + 9)

    assert state.load(connection) == state.State(saved_at=NOON + 9, clean=True)
    assert not meta.was_clean(connection), "a daemon works on it now"


def test_a_turn_is_written_whole(connection):
    """Alerts, records, messages and timeline of a turn are all there, and a record that is history is gone."""
    book = AlertBook()
    book.update([firing("a"), pending("b")], NOON)
    found = turn(book, around(), NOON)

    assert state.commit(connection, book.unsaved, found) == frozenset()
    book.apply(found)

    left = state.load(connection)
    assert set(left.alerts) == {firing("a"), pending("b")}
    assert left.records == book.records()
    assert left.saved_at == NOON
    assert [row.notification for row in outbox.waiting(connection)] == list(found.notifications)
    assert history.latest(connection) == found.timeline


def entry(n: int, at: float = NOON, fingerprint: str = "f") -> Entry:
    return Entry(at, fingerprint, Event.NOTHING, f"line {n}", "hook", "id", at + 5)


def test_the_timeline_of_an_alert(connection):
    """The last lines about an alert come oldest first, and know everything that was written."""
    history.add(connection, [entry(n) for n in range(5)])
    history.add(connection, [entry(9, fingerprint="other")])

    assert history.of_alert(connection, "f", 2) == (entry(3), entry(4))
    assert history.latest(connection, 2) == (entry(4), entry(9, fingerprint="other"))


def test_long_texts_are_cut(connection):
    """No answer of a channel fills the file."""
    history.add(connection, [replace(entry(1), text="x" * 10**6)])

    assert len(history.latest(connection)[0].text) == 1000


def test_old_history_goes(connection):
    """After thirty days a line is gone; it is looked for once an hour."""
    history.add(connection, [entry(1, NOON), entry(2, NOON + 86400)])

    history.prune(connection, NOON + 30 * 86400 + 1)
    assert [one.text for one in history.latest(connection)] == ["line 2"]
    history.prune(connection, NOON + 31 * 86400 - 3600)
    history.add(connection, [entry(3, NOON)])
    history.prune(connection, NOON + 31 * 86400 - 1801)
    assert len(history.latest(connection)) == 2
    history.prune(connection, NOON + 31 * 86400 + 1)
    assert history.latest(connection) == ()


def test_history_that_is_too_large_goes(connection, monkeypatch):
    """When there is no room, the oldest lines go first, and what is needed stays."""
    monkeypatch.setattr(history, "ROOM_IN_MEMORY", 200_000)
    outbox.put(connection, [message(NotifyKind.OPENING)])
    history.add(connection, [replace(entry(n), text=f"{n:04} " + "x" * 500) for n in range(2000)])

    history.prune(connection, NOON)

    left = [one.text[:4] for one in history.latest(connection, 5000)]
    assert 50 < len(left) < 400
    assert left[-1] == "1999"
    assert len(outbox.waiting(connection)) == 1


def test_history_without_room_at_all(connection, monkeypatch):
    """A file that is too large without any history is left alone."""
    monkeypatch.setattr(history, "ROOM_IN_MEMORY", 1)
    history.add(connection, [entry(1)])

    history.prune(connection, NOON)

    assert history.latest(connection) == ()


def test_dead_letters_are_bounded(connection, monkeypatch):
    """Only the last dead letters are kept."""
    monkeypatch.setattr(history, "DEAD_LETTERS", 3)
    for n in range(5):
        put = message(NotifyKind.OPENING, f"c{n}")
        outbox.put(connection, [put])
        row = outbox.get(connection, put.id)
        assert row is not None
        outbox.bury(connection, row, NOON + n, "400", maybe=False)

    history.prune(connection, NOON + 10)

    assert [letter.died_at for letter in outbox.dead(connection)] == [NOON + 4, NOON + 3, NOON + 2]


def test_migrations_are_done_once(connection):
    """Tables that are up to date are left alone."""
    meta.alive(connection, NOON)

    migrations.migrate(connection)

    assert meta.saved_at(connection) == NOON
    assert migrations.check(connection) == len(migrations.STEPS)


def test_a_migration_is_all_or_nothing(connection, monkeypatch):
    """A step that fails half way leaves nothing behind."""
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ("CREATE TABLE half (x)", "no statement")))

    with pytest.raises(Exception, match="syntax error"):
        migrations.migrate(connection)

    assert migrations.check(connection) == len(migrations.STEPS) - 1
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
