"""Killed, restarted, and still truthful."""

import asyncio

from tests.scenarios.world import OFTEN, World

RATE = """
groups:
  - name: rate
    rules:
      - alert: Failing
        expr: sum by (check) (rate(probe_failures_total[5m])) > 0.01
        severity: warning
"""


async def _fail(world: World, seconds: float = 60) -> None:
    await asyncio.sleep(30.3)
    world.status = 503
    await asyncio.sleep(seconds)
    assert world.story() == ["opening"]


async def test_killed_and_restarted_while_firing(world: World):
    """There is no second opening, and the resolve comes."""
    await world.start()
    await _fail(world)

    await world.kill()
    await asyncio.sleep(30)
    await world.start()
    await asyncio.sleep(600)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(30)

    assert world.story() == ["opening", "resolve"]


async def test_restarted_after_the_recovery(world: World):
    """What recovered while nobody looked is closed once, soon after the start."""
    await world.start()
    await _fail(world)

    await world.kill()
    world.status = 200
    await asyncio.sleep(120)
    await world.start()
    await asyncio.sleep(120)

    assert world.story() == ["opening", "resolve"]
    assert world.heard[-1].body["alerts"][0]["endReason"] == "recovered"


async def test_an_empty_window_is_no_recovery(world: World):
    """Under a rule over five minutes, a restart does not end what is still going on."""
    await world.start(world.settings(RATE))
    await _fail(world, 120)

    await world.kill()
    await asyncio.sleep(10)
    await world.start(world.settings(RATE))
    await asyncio.sleep(1200)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(600)

    assert world.story() == ["opening", "resolve"]


async def test_a_graceful_stop_and_start_say_nothing(world: World):
    """Stopping and starting while firing is no news to anybody."""
    await world.start()
    await _fail(world)

    await world.stop()
    await asyncio.sleep(5)
    await world.start()
    await asyncio.sleep(120)

    assert world.story() == ["opening"]


async def test_the_reminder_keeps_its_time_over_a_restart(world: World):
    """A restart neither restarts nor shortens the time to the reminder."""
    await world.start(world.settings(OFTEN))
    await _fail(world)
    opened = world.heard[0].at

    await asyncio.sleep(600)
    await world.kill()
    await world.start(world.settings(OFTEN))
    await asyncio.sleep(opened + 1200 + 30 - asyncio.get_running_loop().time())

    assert world.story() == ["opening", "reminder"]


async def test_what_was_put_is_delivered_after_a_kill(world: World):
    """A message that could not be delivered before the kill is delivered after it."""
    world.hook_status = 503
    await world.start()
    await asyncio.sleep(30.3)
    world.status = 503
    await asyncio.sleep(60)
    assert world.refused > 0

    await world.kill()
    world.hook_status = 200
    await world.start()
    await asyncio.sleep(30)

    assert world.story() == ["opening"]
