"""Messages that wait while the worst happens to them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.db import outbox
from sidecar.testing import Wire
from tests.scenarios.attacks import HardWorld, step_wall

GARBAGE = "INSERT INTO outbox (id, channel, kind, body, waiting_since, expires_at) VALUES (?, ?, ?, ?, 0, 9e12)"


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[HardWorld]:
    """A world that breaks more easily."""
    world = HardWorld(tmp_path, wire)
    yield world
    await world.stop()


def execute(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...] = ()) -> None:
    connection.execute(statement, values)


async def test_a_message_that_cannot_be_read(world: HardWorld):
    """A row that is none of ours becomes a dead letter, and the daemon goes on telling."""
    app = await world.start()
    await asyncio.sleep(60.3)
    await app.database.run(execute, GARBAGE, ("x", "hook", "opening", "{}"))
    world.status = 503
    await asyncio.sleep(60)

    assert world.story() == ["opening"]
    assert [letter.reason for letter in await app.database.run(outbox.dead)] == ["unreadable"]


async def test_a_file_full_of_what_cannot_be_read(world: HardWorld):
    """A start over rows that cannot be read, in whatever table, is a start."""
    app = await world.start()
    await asyncio.sleep(60.3)
    world.hook_status, world.status = 503, 503
    await asyncio.sleep(60)
    await app.database.run(execute, "UPDATE outbox SET body = '{'")
    await app.database.run(execute, GARBAGE, ("y", "gone", "poem", "[]"))
    await app.database.run(execute, "UPDATE alerts SET body = 'x'")
    await app.database.run(execute, "UPDATE records SET opened_at = 'noon'")
    await app.database.run(execute, "UPDATE timeline SET event = 'party'")
    await app.database.run(execute, "UPDATE meta SET value = 'x'")
    world.hook_status = 200
    await world.kill()

    app = await world.start()
    await asyncio.sleep(60.3)

    assert world.story() == ["opening"], "nothing is known, so the outage is told anew"
    assert [letter.reason for letter in await app.database.run(outbox.dead)] == ["unreadable"]


async def test_an_opening_that_dies_after_the_clock_was_set_back(world: HardWorld):
    """An opening that waits while the clock is set back, and is refused for good after that, is told anew."""
    await world.start()
    await asyncio.sleep(60.3)
    world.hook_status, world.status = 503, 503
    await asyncio.sleep(30)
    step_wall(-3600)
    world.hook_status = 400
    await asyncio.sleep(300)
    world.hook_status = 200
    await asyncio.sleep(1800)

    assert world.story() == ["opening"]


async def test_a_channel_that_left_with_a_message_owed(world: HardWorld):
    """Nobody is paged for what waits for a channel that was taken out of the configuration, not even when it dies."""
    channels = [{"type": "webhook", "name": name, "url": f"http://hook/{name}"} for name in ("old", "hook")]
    await world.start(world.shipped(channels=channels))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    assert world.names() == [("opening", "GatewayDown")] * 2
    await world.kill()

    app = await world.start(world.shipped(channels=channels[1:]))
    await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(900)
    assert world.names()[2:] == [("resolve", "GatewayDown")]
    assert await app.database.run(outbox.depths), "it is owed still"
    await app.database.run(execute, "UPDATE outbox SET expires_at = 0")
    await asyncio.sleep(900)

    assert world.names()[2:] == [("resolve", "GatewayDown")]
    assert await app.database.run(outbox.depths) == {}
