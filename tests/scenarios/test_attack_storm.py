"""Storms, odd intervals and slow channels that try to make the daemon noisy, late or fat."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from sidecar.db import files
from sidecar.model.matchers import Matcher
from sidecar.store import Series, Store
from sidecar.testing import Wire
from tests.scenarios.attacks import HardWorld, check, step_wall
from tests.scenarios.world import DOWN, OFTEN

SLOW = """
  - name: slow
    interval: 5m
    rules:
      - alert: SlowlyDown
        expr: sidecar_check_up == 0
        for: 3s
"""

CRASHING = """    rules:
      - record: doubled
        expr: probe_duration_seconds * 2
      - alert: Slow
        expr: probe_duration_seconds > 5
"""


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[HardWorld]:
    """A world that breaks more easily."""
    world = HardWorld(tmp_path, wire)
    yield world
    await world.stop()


async def test_fifty_checks_fail_at_once(world: HardWorld):
    """Each alert of a storm is told once and closed once, and the daemon does not complain of itself."""
    app = await world.start(world.shipped(checks=[check(f"c{n}") for n in range(50)]))
    await asyncio.sleep(60.3)
    assert world.heard == []

    world.status = 503
    await asyncio.sleep(120)
    assert Counter(world.names()) == {("opening", "DependencyDown"): 50}
    world.status = 200
    await asyncio.sleep(120)

    assert Counter(world.names()) == {("opening", "DependencyDown"): 50, ("resolve", "DependencyDown"): 50}
    assert app.store.dropped() == {}


async def test_changes_between_two_ticks_are_all_taken_in(world: HardWorld):
    """What a postponed turn yields is not behind the tick that came meanwhile."""
    checks = [check(f"c{n}", every="1s", confirm="300ms") for n in range(3)]
    app = await world.start(world.settings(checks=checks, tick="500ms"))
    for n in range(60):
        world.paths["/c0"] = 200 if n % 3 else 503
        world.paths["/c1"] = 200 if n % 4 else 503
        world.paths["/c2"] = 200 if n % 5 else 503
        await asyncio.sleep(1.37)

    assert app.store.dropped() == {}


@pytest.mark.parametrize("tick", ["100ms", "130ms", "15s"])
async def test_quick_grids(world: HardWorld, tick: str):
    """Ticks and turns of a tenth of a second keep their pace and stay in order."""
    rules = DOWN.replace("name: down", "name: down\n    interval: 100ms") + SLOW
    app = await world.start(world.settings(rules, tick=tick, checks=[check(every="1s")]))
    await asyncio.sleep(20.3)
    world.status = 503
    await asyncio.sleep(20)
    assert world.names() == [("opening", "TargetDown"), ("opening", "SlowlyDown")]
    world.status = 200
    await asyncio.sleep(10)
    assert sorted(world.story()) == ["opening", "opening", "resolve", "resolve"]
    assert app.store.dropped() == {}
    evaluations = {
        labels["group"]: value
        for family, children in app.store.live()
        for labels, value in children
        if family.name == "sidecar_rule_evaluations_total" and isinstance(value, float)
    }
    assert 450 <= evaluations["down"] <= 550


async def test_a_channel_that_returns_hears_what_it_is_owed(world: HardWorld):
    """A channel that left the configuration and came back within a day is told the end of what it was told."""
    two = [{"type": "webhook", "name": name, "url": f"http://hook/{name}"} for name in ("old", "hook")]
    await world.start(world.settings(channels=two))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    await world.kill()
    await world.start(world.settings())
    await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(900)
    await world.stop()
    await world.start(world.settings(channels=two))
    await asyncio.sleep(30)

    assert Counter(world.story()) == {"opening": 2, "resolve": 2}


@pytest.mark.parametrize("seconds", [-4 * 3600, -300, 300, 3 * 3600])
async def test_reminders_and_steps(world: HardWorld, seconds: int):
    """A reminder comes after `repeat` of the time that passed, or at once when the machine slept longer."""
    await world.start(world.settings(OFTEN))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(300)
    step_wall(seconds)
    await asyncio.sleep(60)
    late = 900 - max(0, seconds)
    assert world.story() == ["opening"] + ["reminder"] * (late <= 0)
    await asyncio.sleep(max(0, late - 180))
    assert world.story() == ["opening"] + ["reminder"] * (late <= 0)
    await asyncio.sleep(200)
    assert world.story() == ["opening", "reminder"]
    world.status = 200
    await asyncio.sleep(60)
    assert world.story() == ["opening", "reminder", "resolve"]


async def test_a_slow_channel_holds_back_no_other(world: HardWorld):
    """A channel that never answers costs the others nothing, and a stop in the middle takes seconds."""
    hole = web.Application()

    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(86400)
        return web.Response()

    hole.router.add_post("/{path:.*}", never)
    world.wire.serve("hole", hole)
    channels = [
        {"type": "webhook", "name": name, "url": f"http://{name}/", "max_per_minute": 0} for name in ("hole", "hook")
    ]
    await world.start(world.settings(channels=channels, checks=[check(f"c{n}") for n in range(30)]))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(40)
    assert len(world.heard) == 30
    at = asyncio.get_running_loop().time()
    await world.stop()
    assert asyncio.get_running_loop().time() - at < 12


async def test_no_checks_at_all(world: HardWorld):
    """A daemon without checks evaluates its rules and holds openings for a minute at most."""
    rules = """
groups:
  - name: always
    rules:
      - alert: Watchdog
        expr: vector(1)
"""
    await world.start(world.settings(rules, checks=[]))
    await asyncio.sleep(61)
    assert world.story() == ["opening"]


async def test_an_hour_of_flapping_leaves_nothing_behind(world: HardWorld):
    """After an hour of turning every minute, nothing is kept but history."""
    app = await world.start(world.settings(checks=[check(every="30s")]))
    for _ in range(46):
        world.status = 503 if world.status == 200 else 200
        await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(1500)

    assert not app.book.records()
    assert not app.book.alerts()
    for table, most in {"alerts": 0, "records": 0, "outbox": 0, "outbox_alerts": 0, "timeline": 5_000}.items():
        assert await app.database.run(_count, table) <= most, table
    assert len(app.store.select(())) < 200
    openings = [heard.at for heard in world.heard if heard.kind == "opening"]
    assert all(later - earlier >= 300 for earlier, later in pairwise(openings))


def _in_memory(connection: sqlite3.Connection) -> bool:
    return not connection.execute("PRAGMA database_list").fetchone()[2]


def _count(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


async def test_a_rule_that_crashes_us_silences_no_other(world: HardWorld, monkeypatch: pytest.MonkeyPatch):
    """A mistake of ours over one rule is that rule's error, and every other rule goes on."""
    rules = DOWN.replace("    rules:", CRASHING)
    select = Store.select

    def broken(store: Store, matchers: Sequence[Matcher]) -> Sequence[Series]:
        if any(matcher.value == "probe_duration_seconds" for matcher in matchers):
            raise ZeroDivisionError("nobody thought of this")
        return select(store, matchers)

    monkeypatch.setattr(Store, "select", broken)
    settings = world.settings(rules)
    settings["rules"].append({"pack": "sidecar"})
    await world.start(settings)
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)

    assert Counter(world.names()) == {("opening", "SidecarRuleFailing"): 2, ("opening", "TargetDown"): 1}


@pytest.mark.parametrize("hours", [-3, 3])
@pytest.mark.parametrize(
    ("fails_for", "story"),
    [
        pytest.param(60, ["opening", "resolve"], id="the resolve waits"),
        pytest.param(0, ["closed"], id="both wait"),
    ],
)
async def test_messages_wait_while_the_clock_jumps(world: HardWorld, hours: int, fails_for: int, story: list[str]):
    """What waits for a dead channel when the clock is set is told once, and joined as ever."""
    await world.start()
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(fails_for)
    world.hook_status = 503
    await asyncio.sleep(60)
    step_wall(hours * 3600)
    await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(60)
    world.hook_status = 200
    await asyncio.sleep(900)

    assert world.story() == story


async def test_somebody_else_holds_the_database(world: HardWorld, monkeypatch: pytest.MonkeyPatch):
    """A file that another program keeps locked delays a page by seconds, and nothing is forgotten by it."""
    monkeypatch.setattr(files, "_PATIENCE", 0.1)  # real seconds
    app = await world.start()
    await asyncio.sleep(60.3)
    with contextlib.closing(sqlite3.connect(world.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        world.status = 503
        await asyncio.sleep(60)
        assert world.story() == ["opening"]
        assert await app.database.run(_in_memory)
    await asyncio.sleep(60)
    assert not await app.database.run(_in_memory)

    await world.kill()
    await world.start()
    await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


@pytest.mark.parametrize("status", [503, 0], ids=["it refuses", "it hangs"])
async def test_a_cold_start_under_a_slow_grid(world: HardWorld, status: int):
    """A group that is evaluated every five minutes tells of an outage in the first minute all the same."""
    world.status = status
    await world.start(world.settings(DOWN.replace("name: down", "name: down\n    interval: 5m")))

    await asyncio.sleep(61)

    assert world.story() == ["opening"]
