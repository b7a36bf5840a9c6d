"""From a failing gateway to one truthful message."""

import asyncio
from itertools import pairwise

from tests.scenarios.world import OFTEN, World

ERRORS = """
groups:
  - name: errors
    rules:
      - alert: ProbeErrors
        expr: increase(probe_failures_total[5m]) > 0
        severity: warning
"""


async def test_an_overload_pages_once_and_resolves(world: World):
    """An outage of ten minutes is one page and one resolve, both within seconds of their cause."""
    await world.start()
    await asyncio.sleep(100.3)

    world.status = 529
    await asyncio.sleep(20)
    assert world.story() == ["opening"], "the page comes after the confirming probe"
    await asyncio.sleep(580)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(20)

    assert world.story() == ["opening", "resolve"]
    opening, resolve = (heard.body for heard in world.heard)
    assert (opening["status"], resolve["status"]) == ("firing", "resolved")
    assert opening["alerts"][0]["labels"]["check"] == "gateway"
    assert opening["alerts"][0]["annotations"]["summary"] == "gateway is down"
    assert resolve["alerts"][0]["fingerprint"] == opening["alerts"][0]["fingerprint"]
    await asyncio.sleep(900)
    assert len(world.heard) == 2


async def test_a_blip_pages_nobody(world: World):
    """One failing probe between good ones tells nobody anything."""
    await world.start()
    await asyncio.sleep(100.3)

    for _ in range(5):
        world.status, probes = 503, world.probes
        while world.probes == probes:
            await asyncio.sleep(0.1)
        world.status = 200
        await asyncio.sleep(60)

    assert world.heard == []


async def test_a_reminder_comes_after_repeat(world: World):
    """An alert that goes on is told again after its `repeat`, and not before."""
    await world.start(world.settings(OFTEN))
    await asyncio.sleep(30.3)

    world.status = 503
    await asyncio.sleep(1200 - 60)
    assert world.story() == ["opening"]
    await asyncio.sleep(120)

    assert world.story() == ["opening", "reminder"]


async def test_a_flapping_check_obeys_the_cooldown(world: World):
    """However often a check turns, a channel hears one opening per cooldown, and each opening is closed."""
    await world.start()
    await asyncio.sleep(30.3)

    for _ in range(40):
        world.status = 503 if world.status == 200 else 200
        await asyncio.sleep(45)
    world.status = 200
    await asyncio.sleep(600)

    openings = [heard.at for heard in world.heard if heard.kind == "opening"]
    assert len(openings) >= 5
    assert all(later - earlier >= 300 for earlier, later in pairwise(openings))
    assert world.story() == ["opening", "resolve"] * len(openings)


async def test_the_first_error_is_an_increase(world: World):
    """A counter that is born with its first error is seen by `increase` all the same."""
    await world.start(world.settings(ERRORS))
    await asyncio.sleep(100.3)

    world.status, probes = 503, world.probes
    while world.probes == probes:
        await asyncio.sleep(0.1)
    world.status = 200
    await asyncio.sleep(40)

    assert world.story() == ["opening"]
    await asyncio.sleep(400)
    assert world.story() == ["opening", "resolve"]


async def test_a_cold_start_in_an_outage_pages_within_a_minute(world: World):
    """A daemon that starts during an outage pages within sixty seconds."""
    world.status = 503
    await world.start()

    await asyncio.sleep(59)

    assert world.story() == ["opening"]


async def test_a_seldom_check_neither_falls_silent_nor_recovers_by_lookback(world: World):
    """A check probed every ten minutes keeps its alert between two probes, and ends it by a probe alone."""
    seldom = {"type": "http", "name": "seldom", "url": "http://gateway/", "every": "10m", "confirm": "2s"}
    await world.start(world.settings(checks=[seldom]))
    await asyncio.sleep(1230.3)
    assert world.heard == []

    world.status = 503
    await asyncio.sleep(660)
    assert world.story() == ["opening"]
    await asyncio.sleep(1200)
    assert world.story() == ["opening"], "the lookback of five minutes ends nothing"
    world.status = 200
    await asyncio.sleep(660)

    assert world.story() == ["opening", "resolve"]
