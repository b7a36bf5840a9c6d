"""Stories of how long a check was up, told by the whole daemon."""

import asyncio

import pytest

from sidecar.api.exposition import Value
from sidecar.model.families import CHECK_UPTIME
from sidecar.model.uptime import WINDOWS, Uptime
from tests.scenarios.attacks import check, step_wall
from tests.scenarios.world import World


def uptime(world: World, window: str = "24h", name: str = "gateway") -> Uptime:
    """Of that window, as it is now."""
    app = world.app
    assert app is not None
    return app.uptimes.of(name).uptime(WINDOWS[window], app.clock.time())


def measured(world: World) -> list[Value]:
    """What rules see of a day."""
    app = world.app
    assert app is not None
    [children] = [children for family, children in app.store.live() if family is CHECK_UPTIME]
    return [value for labels, value in children if labels.text("window") == "24h"]


async def test_an_outage(world):
    """A check is down from the probe that made it so until the one that made it up; rules see the share in a minute."""
    await world.start()
    await asyncio.sleep(600)
    world.status = 503
    await asyncio.sleep(300)
    world.status = 200
    await asyncio.sleep(900)

    found = uptime(world)

    assert found.seen == pytest.approx(1800, abs=15)
    assert found.down == pytest.approx(300, abs=20)
    assert measured(world) == pytest.approx([found.ratio], abs=0.02)


@pytest.mark.parametrize("seconds", [pytest.param(7200.0, id="forward"), pytest.param(-7200.0, id="back")])
async def test_the_clock_jumps(world, seconds):
    """A jump of the clock is no time in which a check was up, and takes none away."""
    await world.start()
    await asyncio.sleep(600)
    step_wall(seconds)
    await asyncio.sleep(600)

    found = uptime(world)

    assert found.down == 0
    assert found.seen == pytest.approx(1200, abs=60)
    assert uptime(world, "1h").seen == pytest.approx(600 if seconds > 0 else 1200, abs=60)


async def test_a_restart(world):
    """What was seen before a restart counts after it; the time between does not, however the daemon ended."""
    await world.start()
    await asyncio.sleep(600)
    await world.kill()
    await asyncio.sleep(1000)
    await world.start()
    await asyncio.sleep(300)
    await world.stop()
    await asyncio.sleep(1000)
    await world.start()
    await asyncio.sleep(300)

    assert uptime(world).seen == pytest.approx(1200, abs=90)
    assert uptime(world).ratio == 1.0


async def test_a_check_leaves_and_returns(world):
    """While a check is not in the configuration it is neither up nor down; when it returns, it is known."""
    await world.start(world.settings(checks=[check("gateway"), check("other")]))
    await asyncio.sleep(300)
    await world.reload(world.settings(checks=[check("other")]))
    await asyncio.sleep(300)
    assert uptime(world).seen == 0
    await world.reload(world.settings(checks=[check("gateway"), check("other")]))
    await asyncio.sleep(300)

    assert uptime(world).seen == pytest.approx(600, abs=30)
    assert uptime(world, name="other").seen == pytest.approx(900, abs=30)
