"""What the database tells of alerts that ended, and of messages that did not arrive."""

import pytest

from sidecar.alerts.record import Key
from sidecar.alerts.timeline import Entry, Event
from sidecar.clock import SystemClock
from sidecar.db import Database, ended, history, names, undelivered
from sidecar.model.alerts import Alert, AlertState, RuleKey
from sidecar.model.labels import Labels

LABELS = Labels(alertname="Down", check="a")
ALERT = Alert(RuleKey("g", "Down"), LABELS, AlertState.ENDED, 0.0, 1.0)
A, B = ALERT.fingerprint, "b" * 16


def story(fingerprint: str, *lines: tuple[float, Event, str, str]) -> list[Entry]:
    return [Entry(at, fingerprint, event, text, channel) for at, event, text, channel in lines]


@pytest.fixture
async def database(clock: SystemClock):
    """One in memory."""
    async with Database(None, clock) as database:
        yield database


async def test_an_alert_that_ended_is_told_with_what_was_heard_of_it(database):
    """When it fired last, how it ended, and who was reached since then; an earlier firing is another story."""
    lines = story(
        A,
        (100, Event.STATE, "firing", ""),
        (101, Event.DELIVERED, "HTTP 200", "early"),
        (150, Event.STATE, "ended: recovered", ""),
        (200, Event.STATE, "pending", ""),
        (210, Event.STATE, "firing", ""),
        (211, Event.DELIVERED, "HTTP 200", "mail"),
        (212, Event.FAILED, "no connection", "dead"),
        (250, Event.STATE, "ended: no_data", ""),
        (251, Event.DELIVERED, "HTTP 200", "chat"),
    )
    await database.run(history.add, lines)
    await database.run(names.save, [ALERT], 250.0)

    (found,) = await database.run(ended.lately, 0.0, 10)

    assert found == ended.Ended(A, LABELS, 250.0, "no_data", 210.0, ("chat", "mail"))


async def test_the_latest_end_comes_first_and_what_is_older_is_left_out(database):
    """So many since then; one whose name or beginning nobody remembers is told all the same."""
    await database.run(history.add, story(A, (10, Event.STATE, "firing", ""), (20, Event.STATE, "ended: removed", "")))
    await database.run(history.add, story(B, (30, Event.STATE, "ended: replaced", "")))
    await database.run(history.add, story("c" * 16, (40, Event.STATE, "firing", "")))

    every = await database.run(ended.lately, 0.0, 10)
    last = await database.run(ended.lately, 0.0, 1)
    late = await database.run(ended.lately, 25.0, 10)

    assert [one.fingerprint for one in every] == [B, A]
    assert every[0] == ended.Ended(B, Labels(), 30.0, "replaced", None, ())
    assert last == late == every[:1]


async def test_nothing_waits_and_nothing_was_given_up(database):
    """An empty outbox is an empty answer."""
    assert await database.run(undelivered.pairs) == frozenset[Key]()
    assert await database.run(undelivered.given_up, 0.0) == {}
