"""The daemon's own network is away."""

import asyncio
import contextlib
import json
from collections.abc import Iterable

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
async def watching(world: World, cable: Cable, rules: str = BLIND, packs: Iterable[str] = ()):
    settings = world.settings(rules, connectivity={"addresses": ["a:1", "b:1"]})
    if packs:
        settings["rules"] = [{"pack": pack} for pack in packs]
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
        await asyncio.sleep(1500)
        assert [(heard.kind, heard.alerts) for heard in world.heard[1:]] == [("opening", ["Blind"])]

        cable.cut = False
        world.connect()
        world.status = 200 if well else 503
        await asyncio.sleep(300)
        told = [(heard.kind, heard.alerts) for heard in world.heard[2:]]
        assert told == [("resolve", ["Blind"]), *([("resolve", ["TargetDown"])] if well else [])]


ABOUT_ALL = """
groups:
  - name: recorded
    rules: [{record: "all:down", expr: "count(sidecar_check_up == 0) or vector(0)"}]
  - name: blind
    rules:
      - {alert: Missing, expr: 'absent(sidecar_check_up{check="gateway"})', severity: critical}
      - {alert: MissingForLong, expr: "absent(sidecar_check_up)", for: 30s, severity: critical}
      - {alert: Silent, expr: "sum(sidecar_check_up) < 0", on_no_data: alert, severity: critical}
      - {alert: Ill, expr: "sidecar_health_status == 0", severity: critical}
      - {alert: SomeDown, expr: "count(sidecar_check_up == 0) > 0", severity: critical}
      - {alert: SomeRecordedDown, expr: "all:down > 0", severity: critical}
"""


async def test_what_is_missing_because_we_are_cut_off_pages_nobody(world: World) -> None:
    """Neither a rule that looks for missing series, nor one that alerts on no data, blames anybody for our network."""
    cable = Cable()
    async with watching(world, cable, ABOUT_ALL):
        await asyncio.sleep(120)
        cable.cut = True
        world.wire.refuse("gateway")
        await asyncio.sleep(1500)
        cable.cut = False
        world.connect()
        await asyncio.sleep(300)

    assert world.heard == []


async def test_what_is_said_of_all_checks_is_kept_while_we_are_cut_off(world: World) -> None:
    """An alert over many checks, or over what is recorded of them, is neither closed nor told anew meanwhile."""
    cable = Cable()
    async with watching(world, cable, ABOUT_ALL):
        await asyncio.sleep(60)
        world.status = 503
        await asyncio.sleep(60)
        told = sorted(name for heard in world.heard for name in heard.alerts)
        assert told == ["Ill", "SomeDown", "SomeRecordedDown"]
        before = len(world.heard)

        cable.cut = True
        world.wire.refuse("gateway")
        await asyncio.sleep(1500)
        assert world.story()[before:] == []

        cable.cut = False
        world.connect()
        world.status = 200
        await asyncio.sleep(300)

    ends = {name: heard.body["alerts"][0]["endReason"] for heard in world.heard[before:] for name in heard.alerts}
    # A count of nothing is no data, as it always is.
    assert ends == {"Ill": "recovered", "SomeDown": "no_data", "SomeRecordedDown": "recovered"}


async def test_a_network_that_comes_and_goes(world: World) -> None:
    """Minutes with and without a network blame nobody, and what is broken all the same is told once."""
    cable = Cable()
    async with watching(world, cable) as app:
        await asyncio.sleep(60)
        world.status = 503
        for turn in range(40):
            cable.cut = turn % 2 == 1
            if cable.cut:
                world.wire.refuse("gateway")
            else:
                world.connect()
            await asyncio.sleep(45)
        assert [heard.alerts for heard in world.heard if "TargetDown" in heard.alerts] == [["TargetDown"]]
        cable.cut = False
        world.connect()
        world.status = 200
        await asyncio.sleep(300)

        assert app.book.alerts() == () or all(not alert.firing for alert in app.book.alerts())
    told = [(heard.kind, name) for heard in world.heard for name in heard.alerts]
    assert told.count(("resolve", "TargetDown")) == 1


async def test_a_start_without_a_network(world: World) -> None:
    """From the first second on nobody is blamed; we say that we are blind, and that we see again."""
    cable = Cable()
    cable.cut = True
    world.wire.refuse("gateway")
    async with watching(world, cable):
        await asyncio.sleep(300)
        cable.cut = False
        world.connect()
        await asyncio.sleep(300)

    assert [(heard.kind, heard.alerts) for heard in world.heard] == [("opening", ["Blind"]), ("resolve", ["Blind"])]


async def test_the_shipped_packs_speak_once_while_we_are_cut_off(world: World) -> None:
    """With what is shipped, one alert says that we are blind, and no other blames anybody."""
    cable = Cable()
    async with watching(world, cable, packs=configuration.packs()):
        await asyncio.sleep(120)
        cable.cut = True
        world.wire.refuse("gateway")
        await asyncio.sleep(600)
        cable.cut = False
        world.connect()
        await asyncio.sleep(600)

    told = [(heard.kind, heard.alerts) for heard in world.heard]
    assert told == [("opening", ["SidecarOffline"]), ("resolve", ["SidecarOffline"])]
