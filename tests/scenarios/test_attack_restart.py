"""Restarts that try to make the daemon lie."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sidecar.db import Database, files, state
from sidecar.testing import Wire
from tests.scenarios.attacks import HardWorld, check, step_wall
from tests.scenarios.world import DOWN

RATE = """
groups:
  - name: rate
    rules:
      - alert: Failing
        expr: rate(probe_failures_total[5m]) > 0.01
        for: 2m
        repeat: 30m
"""

TWINS = """
groups:
  - name: twins
    rules:
      - alert: Twins
        expr: label_replace(label_replace(sidecar_check_up, "target", "t", "", ""), "check", "same", "", "") > 5
        on_error: alert
        on_no_data: keep
"""


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[HardWorld]:
    """A world that breaks more easily."""
    world = HardWorld(tmp_path, wire)
    yield world
    await world.stop()


@pytest.mark.parametrize("threshold", [2, 4])
async def test_a_restart_while_the_target_hangs_is_no_recovery(world: HardWorld, threshold: int):
    """A check that needs long to be known down again keeps its alert firing meanwhile."""
    settings = world.settings(checks=[check(failure_threshold=threshold)])
    await world.start(settings)
    await asyncio.sleep(30.3)
    world.status = 0
    await asyncio.sleep(120)
    assert world.story() == ["opening"]

    await world.kill()
    await asyncio.sleep(10)
    await world.start(world.settings(checks=[check(failure_threshold=threshold)]))
    await asyncio.sleep(900)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


async def test_a_restart_while_everything_hangs_is_no_recovery(world: HardWorld):
    """Many checks that hang together queue for their probes, and no alert of theirs ends for it."""

    def settings() -> dict[str, Any]:
        channel = {"type": "webhook", "name": "hook", "url": "http://hook/", "max_per_minute": 0}
        return world.settings(checks=[check(f"c{n}") for n in range(20)], channels=[channel])

    await world.start(settings())
    await asyncio.sleep(60.3)
    world.status = 0
    await asyncio.sleep(120)
    assert len(world.heard) == 20

    await world.kill()
    await world.start(settings())
    await asyncio.sleep(100)

    assert len(world.heard) == 20


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([check("other")], id="the check is renamed"),
        pytest.param([check("gateway", url="http://gateway/elsewhere"), check("other")], id="the target is another"),
        pytest.param([check("gateway", critical=False)], id="the check is no longer critical"),
    ],
)
@pytest.mark.parametrize("packs", [True, False], ids=["packs", "own rule"])
async def test_a_check_that_changed_between_two_lives(world: HardWorld, after: list[dict[str, Any]], packs: bool):
    """Alerts of a check that is not watched any more end as removed soon after the start."""
    settings = world.shipped if packs else world.settings
    await world.start(settings(checks=[check()]))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    assert world.story() == ["opening"]

    await world.kill()
    world.status = 200
    await world.start(settings(checks=after))
    await asyncio.sleep(1200)

    assert world.story() == ["opening", "resolve"]
    assert world.heard[-1].body["alerts"][0]["endReason"] == "removed"


async def test_a_severity_that_changed_between_two_lives(world: HardWorld):
    """An alert whose labels a changed rule file alters is closed as replaced, and the new one opens."""
    await world.start()
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    await world.kill()
    await world.start(world.settings(DOWN.replace("critical", "warning")))
    await asyncio.sleep(120)

    assert sorted(world.story()) == ["opening", "opening", "resolve"]
    resolve = next(heard for heard in world.heard if heard.kind == "resolve")
    assert resolve.body["alerts"][0]["endReason"] == "replaced"


async def test_a_rule_that_moved_between_two_lives(world: HardWorld):
    """A group that got another name while its alert fired is no news to anybody."""
    await world.start()
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    await world.kill()
    await world.start(world.settings(DOWN.replace("name: down", "name: availability")))
    await asyncio.sleep(600)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


async def test_a_clock_set_back_while_the_daemon_was_down(world: HardWorld):
    """An hour that comes again delays neither what is pending nor what may be told again."""
    rules = DOWN.replace("        severity", "        for: 60s\n        severity")
    await world.start(world.settings(rules))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(100)
    world.status = 200
    await asyncio.sleep(60)
    assert world.story() == ["opening", "resolve"]
    world.status = 503
    await asyncio.sleep(40)

    await world.kill()
    step_wall(-3600)
    await world.start(world.settings(rules))
    await asyncio.sleep(700)

    assert world.story() == ["opening", "resolve", "opening"]


async def test_killed_soon_after_the_clock_was_set_back(world: HardWorld):
    """What was told keeps its age in the file, too, when the clock is set back."""
    await world.start()
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(60)
    assert world.story() == ["opening", "resolve"]
    step_wall(-3600)
    await asyncio.sleep(30)

    await world.kill()
    world.status = 503
    await world.start()
    await asyncio.sleep(400)

    assert world.story() == ["opening", "resolve", "opening"]


async def test_a_pending_alert_does_not_ripen_while_nobody_looks(world: HardWorld):
    """After a restart `for` goes on when the condition is seen to hold again, not before."""
    await world.start(world.settings(RATE))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(30)
    world.status = 200
    await world.kill()
    await world.start(world.settings(RATE))
    await asyncio.sleep(200)
    world.status, probes = 503, world.probes
    while world.probes < probes + 5:
        await asyncio.sleep(0.1)
    world.status = 200
    await asyncio.sleep(30)

    assert world.heard == []


async def test_what_is_judged_late_is_repeated(world: HardWorld):
    """An alert that after a restart is judged only when its windows are full is reminded of in its time."""
    await world.start(world.settings(RATE))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(300)
    assert world.story() == ["opening"]
    opened = world.heard[0].at

    await world.kill()
    world.status = 200
    await world.start(world.settings(RATE))
    await asyncio.sleep(120)
    world.status = 503
    await asyncio.sleep(opened + 1800 + 60 - asyncio.get_running_loop().time())

    assert world.story() == ["opening", "reminder"]


async def test_an_error_alert_does_not_outlive_its_error_over_a_restart(world: HardWorld):
    """The alert about a rule that failed ends when the rule works again, whatever no data means to it."""
    await world.start(world.settings(TWINS, checks=[check("a"), check("b")]))
    await asyncio.sleep(90.3)
    assert world.story() == ["opening"]
    assert world.heard[0].body["alerts"][0]["labels"]["reason"] == "evaluation_error"

    await world.kill()
    await world.start(world.settings(TWINS, checks=[check("a")]))
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


async def test_no_data_after_a_restart_is_no_data_only_when_the_windows_are_full(world: HardWorld):
    """Where no data is an alert, an empty window after a restart neither raises it nor makes one recover."""
    rules = RATE.replace("for: 2m", "on_no_data: alert")
    await world.start(world.settings(rules))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(120)
    assert world.story() == ["opening"]

    await world.kill()
    world.status = 0
    await world.start(world.settings(rules))
    await asyncio.sleep(20)
    world.status = 503
    await asyncio.sleep(600)

    assert world.story() == ["opening"]


async def test_what_is_known_can_be_written_anew(world: HardWorld):
    """Where a file cannot be read any more, the daemon knows by itself what fires and who was told."""
    app = await world.start()
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    with closing(files.in_memory()) as memory:
        app.database.rebuild(memory)

        saved = state.load(memory)
    assert [alert.firing for alert in saved.alerts] == [True]
    assert [record.open for record in saved.records] == [True]


async def test_a_stop_on_purpose_is_written_down(world: HardWorld):
    """A daemon that was asked to end says in its file that it did, and when."""
    app = await world.start()
    await asyncio.sleep(40.3)
    await world.stop()
    stopped_at = app.clock.time()

    async with Database(world.database, app.clock) as database:
        saved = await database.run(state.load)

    assert saved.clean
    assert saved.saved_at == pytest.approx(stopped_at, abs=0.5)
