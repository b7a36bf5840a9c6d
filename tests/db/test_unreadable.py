"""Rows that are none of ours."""

import json
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.alerts.record import Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.db import alerts, files, history, meta, outbox, records, state
from sidecar.model.notifications import NotifyKind
from tests.alerts.examples import NOON, firing, message

OPENING, RESOLVE = NotifyKind.OPENING, NotifyKind.RESOLVE


@pytest.fixture
def connection():
    """The tables, in memory."""
    connection = files.in_memory()
    yield connection
    connection.close()


def body(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the one row of the outbox says."""
    fields: dict[str, Any] = json.loads(connection.execute("SELECT body FROM outbox").fetchone()[0])
    return fields


def spoil(connection: sqlite3.Connection, id_: str, text: str = "{}") -> None:
    """The body of a message is overwritten."""
    connection.execute("UPDATE outbox SET body = ? WHERE id = ?", (text, id_))


def changed(fields: dict[str, Any], *path: Any) -> str:
    """The body *fields* with another value at *path*, or without it."""
    *way, last, value = path
    inner = fields
    for step in way:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(fields)


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda _: "{", id="half of it"),
        pytest.param(lambda _: b"\xff\xfe\x00\xd8", id="bytes"),
        pytest.param(lambda _: "[" * 100_000, id="very deep"),
        pytest.param(lambda _: "[]", id="a list"),
        pytest.param(lambda _: "7", id="a number"),
        pytest.param(lambda f: changed(f, "alerts", None), id="without alerts"),
        pytest.param(lambda f: changed(f, "alerts", 0, "alert", "labels", None), id="without labels"),
        pytest.param(lambda f: changed(f, "alerts", 0, "alert", "labels", "check", 5), id="a label that is no text"),
        pytest.param(lambda f: changed(f, "alerts", 0, "alert", "labels", "check"), id="labels that are a text"),
        pytest.param(lambda f: changed(f, "alerts", 0, "alert", "fired_at", "noon"), id="a time that is a text"),
        pytest.param(lambda f: changed(f, "alerts", 0, "opened_at", float("inf")), id="a time that is none"),
        pytest.param(lambda f: changed(f, "alerts", 0, "n", "1"), id="a count that is a text"),
        pytest.param(lambda f: changed(f, "created_at", True), id="a time that is a truth"),
        pytest.param(lambda f: changed(f, "kind", "poem"), id="a kind that we do not know"),
        pytest.param(lambda f: changed(f, "id", "another"), id="the message of another row"),
    ],
)
def test_a_row_that_cannot_be_read(connection, spoiled):
    """Whatever is in a row, it can be listed, is not begun, becomes a dead letter and stays one."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    spoil(connection, opening.id, spoiled(body(connection)))

    (row,) = outbox.waiting(connection)
    assert row.error
    assert row.id == opening.id
    assert outbox.begin(connection, opening.id) == row
    assert not row.maybe
    assert outbox.get(connection, opening.id) == row, "no attempt was begun"
    outbox.bury(connection, row, NOON + 1, "unreadable", maybe=False)

    assert outbox.waiting(connection) == ()
    (letter,) = outbox.dead(connection)
    assert (letter.notification.id, letter.notification.kind, letter.reason) == (opening.id, OPENING, "unreadable")


def test_what_the_other_tables_say(connection):
    """What cannot be read is still known to be about the alerts that it was put for."""
    alert, opening = firing(), message(OPENING)
    alerts.save(connection, [alert])
    records.save(connection, [Record(alert.fingerprint, "hook", open=True, opened_at=NOON)])
    outbox.put(connection, [opening])
    spoil(connection, opening.id)

    (row,) = outbox.waiting(connection)

    (told,) = row.notification.alerts
    assert (told.alert, told.opened_at, row.notification.group_key) == (alert, NOON, alert.fingerprint)


def test_a_record_that_speaks_of_a_later_opening(connection):
    """A message that cannot be read says nothing about an alert that a later opening tells of."""
    alert, opening = firing(), message(OPENING)
    alerts.save(connection, [alert])
    records.save(connection, [Record(alert.fingerprint, "hook", open=True, opened_at=NOON + 600)])
    outbox.put(connection, [opening])
    outbox.begin(connection, opening.id)
    outbox.put(connection, [message(RESOLVE, at=NOON + 60), message(OPENING, at=NOON + 600, opened_at=NOON + 600)])
    spoil(connection, opening.id)

    assert outbox.waiting(connection)[0].notification.alerts == ()


def test_an_alert_that_cannot_be_read_either(connection):
    """A message about nothing that can be read tells of no alerts."""
    alert, opening = firing(), message(OPENING)
    records.save(connection, [Record(alert.fingerprint, "hook", open=True, opened_at=NOON)])
    connection.execute("INSERT INTO alerts (fingerprint, body) VALUES (?, '{}')", (alert.fingerprint,))
    outbox.put(connection, [opening])
    spoil(connection, opening.id)

    assert outbox.waiting(connection)[0].notification.alerts == ()


def test_what_follows_what_cannot_be_read(connection):
    """A message is not joined with one that cannot be read: it waits behind it, and leaves after its burial."""
    opening, resolve = message(OPENING), message(RESOLVE, at=NOON + 60)
    outbox.put(connection, [opening])
    spoil(connection, opening.id)

    outbox.put(connection, [resolve])

    assert [row.notification.kind for row in outbox.waiting(connection)] == [OPENING, RESOLVE]
    assert outbox.heads(connection, "hook") == (opening.id,)
    outbox.bury(connection, outbox.waiting(connection)[0], NOON + 90, "unreadable", maybe=False)
    assert outbox.heads(connection, "hook") == (resolve.id,)


def test_what_cannot_be_read_behind_a_message_that_failed(connection):
    """When messages are joined after a failure, one that cannot be read stays where it is."""
    opening, resolve = message(OPENING), message(RESOLVE, at=NOON + 60)
    outbox.put(connection, [opening])
    row = outbox.begin(connection, opening.id)
    assert row is not None
    outbox.put(connection, [resolve])
    spoil(connection, resolve.id)

    outbox.failed(connection, row, NOON + 90, "503", maybe=False)

    assert [(row.id, bool(row.error)) for row in outbox.waiting(connection)] == [
        (opening.id, False),
        (resolve.id, True),
    ]


def test_a_row_that_does_not_tell_of_its_alert(connection):
    """An index that leads to a message about another alert joins nothing."""
    opening = message(OPENING)
    outbox.put(connection, [opening])
    fields = body(connection)
    fields["alerts"] = []
    spoil(connection, opening.id, json.dumps(fields))

    outbox.put(connection, [message(RESOLVE, at=NOON + 60)])

    assert [row.notification.kind for row in outbox.waiting(connection)] == [OPENING, RESOLVE]


@pytest.mark.parametrize("column", ["opened_at", "told_at", "n", "ended_at", "open"])
def test_a_record_that_cannot_be_read(connection, column):
    """A start leaves out a record that is none of ours, says so, and finds the others."""
    good, bad = Record("a", "hook", opened_at=NOON), Record("b", "hook", opened_at=NOON)
    records.save(connection, [good, bad])
    connection.execute(f"UPDATE records SET {column} = 'x' WHERE fingerprint = 'b'")

    with capture_logs() as logs:
        assert state.load(connection).records == (good,)

    assert [(entry["event"], entry["fingerprint"]) for entry in logs] == [("record.unreadable", "b")]


def test_a_line_that_cannot_be_read(connection):
    """A line of the timeline that is none of ours is left out, and said so."""
    entry = Entry(NOON, "a", Event.STATE, "firing")
    history.add(connection, [entry, replace(entry, text="odd"), entry])
    connection.execute("UPDATE timeline SET event = 'party' WHERE text = 'odd'")

    with capture_logs() as logs:
        assert history.of_alert(connection, "a") == (entry, entry)

    assert [line["event"] for line in logs] == ["timeline.unreadable"]


def test_a_time_that_cannot_be_read(connection):
    """A start that cannot tell when the daemon was alive last is a first start."""
    meta.alive(connection, NOON)
    connection.execute("UPDATE meta SET value = 'noon'")

    with capture_logs() as logs:
        assert state.load(connection).saved_at is None

    assert [line["event"] for line in logs] == ["meta.unreadable"]
