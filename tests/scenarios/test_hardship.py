"""Dead channels, clocks that jump, disks that are full."""

import asyncio

import pytest

from sidecar.model.matchers import Matcher, MatchOp
from sidecar.testing import VirtualTimeLoop
from tests.scenarios.world import OFTEN, World


async def test_a_dead_channel_hears_each_thing_once_when_it_is_back(world: World):
    """What became pointless while nobody listened is joined; the rest comes once and in order."""
    world.hook_status = 503
    await world.start()
    await asyncio.sleep(30.3)

    world.status = 503
    await asyncio.sleep(600)
    world.status = 200
    await asyncio.sleep(600)
    world.status = 503
    await asyncio.sleep(600)
    assert world.heard == []
    assert world.refused > 3
    world.hook_status = 200
    await asyncio.sleep(900)
    assert world.story() == ["opening"], "the first incident was over before anybody could be told of the second"
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


async def test_an_incident_that_nobody_heard_of_is_told_late(world: World):
    """Opening and resolve that waited together leave as one message."""
    world.hook_status = 503
    await world.start()
    await asyncio.sleep(30.3)

    world.status = 503
    await asyncio.sleep(300)
    world.status = 200
    await asyncio.sleep(300)
    world.hook_status = 200
    await asyncio.sleep(900)

    assert world.story() == ["closed"]


async def test_retry_after_is_honoured(world: World):
    """A channel that asks for seven seconds gets them, and then one delivery."""
    world.hook_status, world.hook_headers = 429, {"Retry-After": "7"}
    await world.start()
    await asyncio.sleep(30.3)

    world.status = 503
    while not world.refused:
        await asyncio.sleep(0.1)
    world.hook_status = 200
    await asyncio.sleep(6.5)
    assert world.heard == []
    await asyncio.sleep(10)

    assert world.story() == ["opening"]


@pytest.mark.parametrize("hours", [1, -1])
async def test_the_clock_is_stepped(world: World, hours: int):
    """An hour's step of the clock makes nobody miss an outage, repeats nothing and keeps the probes coming."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    await world.start()
    await asyncio.sleep(300.3)

    loop.step_wall(hours * 3600)
    probes = world.probes
    await asyncio.sleep(600)
    assert 38 <= world.probes - probes <= 43
    assert world.heard == []
    world.status = 503
    await asyncio.sleep(60)
    loop.step_wall(hours * 3600)
    await asyncio.sleep(300)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


async def test_alerting_goes_on_when_the_disk_is_full(world: World):
    """A database that cannot be written is said, and stops neither page nor resolve."""
    app = await world.start()
    await asyncio.sleep(30.3)
    await app.database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1"))

    world.status = 503
    await asyncio.sleep(60)
    assert "opening" in world.story()
    world.status = 200
    await asyncio.sleep(60)

    assert [kind for kind in world.story() if kind in ("opening", "resolve")] == ["opening", "resolve"]


async def test_a_full_disk_stops_neither_a_reload_nor_what_people_say(world: World):
    """What is new is taken up, an acknowledgement and a silence count, and the end is told, although none is saved."""
    app = await world.start(world.settings(OFTEN))
    await asyncio.sleep(30.3)
    world.status = 503
    await asyncio.sleep(60)
    assert world.story() == ["opening"]

    await app.database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
    now = app.clock.time()
    for _ in range(20):  # more than there is room for
        others = (Matcher("alertname", MatchOp.EQ, "Other"),)
        await app.quieter.silence(others, now, now + 60, "anna", "moving house " * 70)
    assert not app.database.writable
    (alert,) = app.book.alerts()
    await app.quieter.acknowledge(alert.fingerprint, "anna", "")
    await world.reload(world.settings(OFTEN, external_labels={"cluster": "eu"}))
    await asyncio.sleep(1300)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]
    assert world.heard[-1].body["externalLabels"] == {"cluster": "eu"}
    assert app.database.writable
