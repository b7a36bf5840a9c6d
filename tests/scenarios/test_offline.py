"""The daemon's own network is away."""

import asyncio
import contextlib
import json

import pytest

from sidecar import app as application
from sidecar import config as configuration
from sidecar.clock import SystemClock
from sidecar.outbound import Outbound
from tests.scenarios.world import DOWN, World

BLIND = (
    DOWN
    + """
      - alert: Blind
        expr: sidecar_connectivity_up == 0
        severity: critical
"""
)


class Cable:
    """What connects us to the world."""

    cut = False

    async def reach(self, _host: str, _port: int) -> None:
        if self.cut:
            raise OSError("no route to host")


@contextlib.asynccontextmanager
async def watching(world: World, cable: Cable):
    settings = world.settings(BLIND, connectivity={"addresses": ["a:1", "b:1"]})
    config = configuration.parse(json.dumps(settings), "sidecar.yml", folder=world.folder)
    clock = SystemClock(monotonic=asyncio.get_running_loop().time)
    outbound = Outbound(connector=world.wire.connector)
    async with application.build(config, clock=clock, outbound=outbound, reach=cable.reach) as app:
        task = asyncio.create_task(app.run(listen=False))
        yield app
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_whoever_is_cut_off_blames_nobody(world: World) -> None:
    """Checks are unknown and not down, one alert says that we are blind, and both end when we see again."""
    cable = Cable()
    async with watching(world, cable) as app:
        await asyncio.sleep(60)
        cable.cut = True
        world.wire.refuse("gateway")
        await asyncio.sleep(300)
        assert {name: state.status.value for name, state in app.prober.states().items()} == {"gateway": "unknown"}
        assert [heard.alerts for heard in world.heard] == [["Blind"]]

        cable.cut = False
        world.connect()
        await asyncio.sleep(300)

        assert app.prober.states()["gateway"].status.value == "up"
        assert [(heard.kind, heard.alerts) for heard in world.heard[1:]] == [("resolve", ["Blind"])]


@pytest.mark.parametrize("well", [pytest.param(True, id="well again"), pytest.param(False, id="still down")])
async def test_what_fires_is_kept_while_we_are_cut_off(world: World, *, well: bool) -> None:
    """An outage from before is neither closed nor told anew, and is judged when we see again."""
    cable = Cable()
    async with watching(world, cable):
        await asyncio.sleep(60)
        world.status = 503
        await asyncio.sleep(60)
        assert [heard.alerts for heard in world.heard] == [["TargetDown"]]

        cable.cut = True
        world.wire.refuse("gateway")
        await asyncio.sleep(3600)
        assert [(heard.kind, heard.alerts) for heard in world.heard[1:]] == [("opening", ["Blind"])]

        cable.cut = False
        world.connect()
        world.status = 200 if well else 503
        await asyncio.sleep(300)
        told = [(heard.kind, heard.alerts) for heard in world.heard[2:]]
        assert told == [("resolve", ["Blind"]), *([("resolve", ["TargetDown"])] if well else [])]
