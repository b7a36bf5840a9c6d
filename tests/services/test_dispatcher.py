"""What is decided is written, and what is written is believed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sidecar.alerts.book import AlertBook
from sidecar.alerts.facts import Circumstances
from sidecar.clock import Clock
from sidecar.db import Database, outbox, records, state
from sidecar.services.dispatcher import Dispatcher
from sidecar.services.start import Start
from tests.alerts.examples import around, ended, firing


@pytest.fixture
async def database(clock):
    """A database in memory."""
    async with Database(None, clock) as database:
        yield database


def dispatcher(database: Any, clock: Clock, book: AlertBook, circumstances: Circumstances | None = None) -> Dispatcher:
    """Whoever decides about *book*, in a daemon that has just begun."""
    start = Start(clock.time(), clock.time(), (), (), dict)
    return Dispatcher(database, book, circumstances or around(), start, lambda: None)


class Lagging:
    """A database whose answer comes long after the commit."""

    def __init__(self, database: Database) -> None:
        self.lock = database.lock
        self._run = database.run

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        answer = await self._run(function, *args)
        await asyncio.sleep(60)
        return answer


async def test_what_is_committed_is_believed_whoever_is_cancelled(database: Database, clock: Clock):
    """A turn that is cancelled after its commit ends with a book that knows of it, and frees the lock only then."""
    alert, book = firing(), AlertBook()
    book.update([alert], clock.time())
    turn = asyncio.create_task(dispatcher(Lagging(database), clock, book).announce(clock.time(), []))
    await asyncio.sleep(1)
    (saved,) = await database.run(records.load)
    assert book.record(alert.fingerprint, "hook") is None

    for _ in range(2):
        turn.cancel()
        await asyncio.sleep(1)
        assert database.lock.locked()
    with pytest.raises(asyncio.CancelledError):
        await turn

    assert book.record(alert.fingerprint, "hook") == saved
    assert not database.lock.locked()


async def test_a_commit_that_fails_is_not_believed(database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    """Nothing is announced that is not remembered: the error goes on, and the book is as it was."""

    def commit(*_: object) -> Awaitable[None]:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(state, "commit", commit)
    alert, book = firing(), AlertBook()
    book.update([alert], clock.time())

    with pytest.raises(ZeroDivisionError):
        await dispatcher(database, clock, book).announce(clock.time(), [])

    assert book.record(alert.fingerprint, "hook") is None
    assert not database.lock.locked()


async def test_what_waits_moves_with_what_is_remembered(database: Database, clock: Clock):
    """After a step back, book, file and outbox agree on when an alert was opened; until then they agree as well."""
    now = clock.time()
    alert, book = firing(), AlertBook()
    book.update([alert], now)
    told = dispatcher(database, clock, book)
    await told.announce(now, [])
    (before,) = await database.run(outbox.waiting)

    async def agree() -> float | None:
        (row,) = await database.run(outbox.waiting)
        record = book.record(alert.fingerprint, "hook")
        assert record is not None
        assert (await database.run(records.load)) == (record,)
        assert row.id == before.id
        assert row.notification.alerts[0].opened_at == record.opened_at
        return record.opened_at

    told.step(-3000)
    told.step(-600)
    assert await agree() == now
    await told.announce(now - 3600, [])
    assert await agree() == now - 3600
    await told.announce(now - 3590, [])
    assert await agree() == now - 3600


async def test_an_end_after_a_step_is_joined_with_its_opening(database: Database, clock: Clock):
    """What is put in the turn that moves what waits has the new time, and is not moved."""
    now, book = clock.time(), AlertBook()
    told = dispatcher(database, clock, book)
    book.update([firing(since=now)], now)
    await told.announce(now, [])

    told.step(-3600)
    book.update([ended(at=now - 3590, since=now - 3600)], now - 3590)
    await told.announce(now - 3590, [])

    (row,) = await database.run(outbox.waiting)
    (closed,) = row.notification.alerts
    assert (row.notification.kind.value, row.notification.created_at) == ("closed", now - 3590)
    assert (closed.opened_at, closed.alert.ended_at, row.waiting_since) == (now - 3600, now - 3590, now - 3600)
