"""Reloads where they hurt: in the first minute, in flight, at the end, many, and at random."""

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest

from sidecar.services.evaluator import Stopped
from tests.scenarios.attacks import HardWorld, check
from tests.scenarios.world import DOWN

FOR = DOWN.replace("severity: critical", "severity: critical\n        for: 60s")
KEPT = DOWN.replace("severity: critical", "severity: critical\n        keep_firing_for: 5m")
RENAMED = DOWN.replace("- name: down", "- name: another")
RECORDED = """
groups:
  - name: recorded
    rules: [{record: "gateway:up", expr: "sidecar_check_up + 0"}]
  - name: down
    rules: [{alert: TargetDown, expr: "gateway:up == 0", severity: critical}]
"""


@pytest.fixture
async def world(tmp_path: Any, wire: Any) -> Any:
    """A world of which each path can be broken."""
    world = HardWorld(tmp_path, wire)
    yield world
    await world.stop()


def series(world: HardWorld) -> set[tuple[str, str]]:
    """Every live series."""
    assert world.app is not None
    return {(family.name, str(labels)) for family, children in world.app.store.live() for labels, _ in children}


def tasks() -> set[str]:
    """The tasks that somebody gave a name; what answers a probe has none."""
    return {task.get_name() for task in asyncio.all_tasks() if not task.get_name().startswith(("Task-", "probe "))}


async def outage(world: HardWorld, settings: dict[str, Any]) -> None:
    await world.start(settings)
    await asyncio.sleep(60)
    world.status = 503
    await asyncio.sleep(60)
    assert world.names() == [("opening", "TargetDown")]


async def test_reloads_in_the_first_minute(world: HardWorld) -> None:
    """An outage from before a cold start is told once, however often the files change meanwhile."""
    world.status = 503
    settings = world.settings(checks=[check()])
    await world.start(settings)
    for n in range(20):
        await world.reload(settings | {"external_labels": {"n": str(n)}})
        await asyncio.sleep(2)
    await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(60)

    assert world.names() == [("opening", "TargetDown"), ("resolve", "TargetDown")]


async def test_a_pending_alert_keeps_its_clock(world: HardWorld) -> None:
    """Reloads every few seconds neither shorten a `for` nor begin it anew."""
    settings = world.settings(FOR, checks=[check()])
    await world.start(settings)
    await asyncio.sleep(60)
    world.status = 503
    began = asyncio.get_running_loop().time()
    for n in range(30):
        await asyncio.sleep(3)
        await world.reload(settings | {"external_labels": {"n": str(n)}})

    assert [60 <= heard.at - began <= 60 + 25 for heard in world.heard] == [True]


async def test_what_is_kept_firing_ends_when_it_would_have(world: HardWorld) -> None:
    """`keep_firing_for` runs on over reloads."""
    settings = world.settings(KEPT, checks=[check()])
    await outage(world, settings)
    world.status = 200
    ended = asyncio.get_running_loop().time()
    for n in range(40):
        await asyncio.sleep(10)
        await world.reload(settings | {"external_labels": {"n": str(n)}})

    assert [(heard.kind, 290 <= heard.at - ended <= 330) for heard in world.heard[1:]] == [("resolve", True)]


@pytest.mark.parametrize("hook", [pytest.param(503, id="refused"), pytest.param(0, id="unanswered")])
async def test_a_message_that_waits_over_reloads(world: HardWorld, hook: int) -> None:
    """What the outbox holds, sent or not, is neither lost nor doubled by reloads of its channel."""
    settings = world.settings(checks=[check()])
    await world.start(settings)
    await asyncio.sleep(60)
    world.status, world.hook_status = 503, hook or 500
    await asyncio.sleep(30)
    for n in range(10):
        changed = {"type": "webhook", "name": "hook", "url": "http://hook/", "timeout": f"{10 + n}s"}
        await world.reload(settings | {"channels": [] if n % 3 == 2 else [changed]})
        await asyncio.sleep(5)
    await world.reload(settings)
    world.hook_status = 200
    await asyncio.sleep(300)
    world.status = 200
    await asyncio.sleep(60)

    assert world.names() == [("opening", "TargetDown"), ("resolve", "TargetDown")]


@pytest.mark.parametrize(
    ("other", "story"),
    [
        pytest.param({"rules": RENAMED}, [], id="a group renamed"),
        pytest.param({"rules": RECORDED}, [], id="by way of a recorded series"),
        pytest.param({"timezone": "Europe/Berlin"}, [], id="the timezone"),
        pytest.param({"external_url": "https://sidecar.example"}, [], id="the url"),
        pytest.param({"external_labels": {"cluster": "b"}}, [], id="external labels"),
        pytest.param({"channels": [{"type": "webhook", "name": "hook", "url": "http://hook/x"}]}, [], id="its url"),
        pytest.param(
            {"channels": [{"type": "webhook", "name": "hook", "url": "http://hook/", "max_per_minute": 1}]},
            [],
            id="a cap",
        ),
        pytest.param({"connectivity": {"every": "5s"}}, [], id="connectivity"),
        pytest.param(
            {"channels": [{"type": "webhook", "name": "new", "url": "http://hook/"}]}, ["opening"], id="renamed channel"
        ),
        pytest.param({"checks": [check("renamed")]}, ["resolve", "opening"], id="a check renamed"),
        pytest.param(
            {"checks": [{"type": "tcp", "name": "gateway", "address": "gateway:80", "critical": True}]},
            ["resolve", "opening"],
            id="a check of another type",
        ),
    ],
)
async def test_what_changes_in_an_outage(world: HardWorld, other: dict[str, Any], story: list[str]) -> None:
    """A change that tells nothing new repeats nothing, and what was told ends."""
    settings = world.settings(checks=[check()])
    await outage(world, settings)

    rules = other.get("rules", DOWN)
    await world.reload(world.settings(rules, checks=[check()]) | {k: v for k, v in other.items() if k != "rules"})
    await asyncio.sleep(120)
    assert world.story()[1:] == story

    await world.reload(world.settings(checks=[check()]))
    await asyncio.sleep(30)
    world.status = 200
    await asyncio.sleep(120)

    kinds = Counter(world.story())
    owed = 1 if story == ["opening"] else 0  # to a channel that was taken out
    assert kinds["opening"] - kinds["resolve"] == owed


async def test_many_reloads_leave_nothing_behind(world: HardWorld) -> None:
    """Neither tasks, nor series, nor objects: what runs afterwards is what ran before."""
    one = world.settings(checks=[check()])

    def settings(n: int) -> dict[str, Any]:
        (world.folder / f"r{n % 7}.yml").write_text(DOWN.replace("name: down", f"name: down{n}"))
        return one | {
            "checks": [check(f"c{n}", every=f"{5 + n % 3}s"), check()],
            "channels": [*one["channels"], {"type": "webhook", "name": f"h{n}", "url": "http://hook/"}],
            "rules": [{"file": f"r{n % 7}.yml"}],
        }

    app = await world.start(one)
    await asyncio.sleep(65)
    counts = []
    before = series(world)
    before_tasks = tasks()
    for n in range(80):
        await world.reload(settings(n))
        await asyncio.sleep(1)
        if n in (40, 79):
            gc.collect()
            counts.append(len(gc.get_objects()))
    await world.reload(world.settings(checks=[check()]))
    await asyncio.sleep(90)

    assert tasks() == before_tasks
    new = {(name, labels) for name, labels in series(world) - before if "=" in labels}
    assert new == set()
    assert app.delivery._latest.keys() == {"hook"}
    assert counts[1] - counts[0] < 100 * 120  # objects per reload: samples of what ended wait for their time


async def test_many_who_ask_at_once(world: HardWorld) -> None:
    """Whoever asks for a reload is answered, the last configuration wins, and nothing is told twice."""
    settings = world.settings(checks=[check()])
    await outage(world, settings)
    app = world.app
    assert app is not None

    await asyncio.gather(*(world.reload(settings | {"external_labels": {"n": str(n)}}) for n in range(20)))

    assert app.config.settings.external_labels == {"n": "19"}
    await asyncio.sleep(60)
    assert world.story() == ["opening"]


async def test_a_reload_while_the_daemon_stops(world: HardWorld) -> None:
    """It is refused, and the daemon ends in time."""
    settings = world.settings(checks=[check()])
    await world.start(settings)
    await asyncio.sleep(60)
    app = world.app
    assert app is not None
    asking = asyncio.create_task(world.reload(settings))
    stopping = asyncio.create_task(world.stop())
    await asyncio.sleep(0)
    later = asyncio.create_task(world.reload(settings))
    done, late = await asyncio.wait([asking, stopping, later], timeout=30)

    assert late == set()
    assert all(task.exception() is None or isinstance(task.exception(), Stopped) for task in done)
