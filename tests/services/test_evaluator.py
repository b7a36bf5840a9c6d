"""Turns: ticks, grids, and groups that are asked at once."""

import asyncio
from collections.abc import Sequence

import pytest

from sidecar.clock import SystemClock
from sidecar.model.families import CHECK_UP
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Update
from sidecar.rules.engine import Engine, Result
from sidecar.rules.files import Source, load_rules
from sidecar.services.evaluator import Evaluator, Stopped
from sidecar.store import Store
from tests.services.desk import step_wall

RULES = """
groups:
  - name: seldom
    interval: 1m
    rules:
      - {alert: Down, expr: sidecar_check_up == 0}
      - {alert: DownForLong, expr: sidecar_check_up == 0, for: 10s}
"""


class Daemon:
    """An evaluator with a store, and a memory of what it announced."""

    def __init__(self, clock: SystemClock) -> None:
        self.clock = clock
        self.store = Store(tick=15.0)
        self.engine = Engine(load_rules([Source((("rules.yml", RULES),))]), clock.time())
        self.fired: list[tuple[float, str]] = []
        self.turns = 0
        self.due: float | None = None  # when something is due to be told
        self.asked: list[float] = []  # when it was asked what there is to tell
        self.evaluator = Evaluator(
            self.engine,
            self.store,
            clock,
            tick=15.0,
            collect=lambda _: None,
            announce=self.announce,
            ready=lambda _: True,
            stepped=lambda _seconds, _now: None,
            turned=lambda: None,
        )

    async def announce(self, now: float, results: Sequence[Result]) -> float | None:
        self.turns += bool(results)
        self.asked.append(now)
        self.fired += [(now, alert.name) for result in results for alert in result.changed if alert.fired_at == now]
        return self.due if self.due is not None and self.due > now else None

    def check(self, up: float) -> float:
        """A check ends with this state; the time at which it did."""
        at = self.clock.time()
        self.store.append(Batch("check:a", at, (Update(CHECK_UP, up, Labels(check="a")),)))
        self.evaluator.changed({"sidecar_check_up"}, at)
        return at


async def run(daemon: Daemon, seconds: float) -> None:
    """Let it take turns for so long."""
    task = asyncio.create_task(daemon.evaluator.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])


async def test_a_change_is_judged_at_once(clock):
    """A group whose grid is a minute away is evaluated when what it reads changes, at the sample's own time."""
    daemon = Daemon(clock)
    task = asyncio.create_task(run(daemon, 8))
    await asyncio.sleep(5.5)

    at = daemon.check(0.0)
    await task

    assert daemon.fired == [(at, "Down")]


async def test_a_for_that_runs_out_wakes_its_group(clock):
    """`for` is time, not a number of turns: it ends when it ends."""
    daemon = Daemon(clock)
    task = asyncio.create_task(run(daemon, 30))
    await asyncio.sleep(1.25)

    at = daemon.check(0.0)
    await task

    assert [name for _, name in daemon.fired] == ["Down", "DownForLong"]
    assert abs(daemon.fired[1][0] - (at + 10)) < 0.01


async def test_it_is_asked_when_there_may_be_something_to_tell(clock):
    """A decision is asked for at the start, when one is due, and when somebody wants it; not each second."""
    daemon = Daemon(clock)
    began = clock.time()
    daemon.due = began + 7
    task = asyncio.create_task(run(daemon, 30))
    await asyncio.sleep(6)
    assert [at - began for at in daemon.asked] == [0.0]
    await asyncio.sleep(1.5)
    assert daemon.asked[1] - began == pytest.approx(7.0)
    daemon.due = None
    await asyncio.sleep(5)
    daemon.asked.clear()
    daemon.evaluator.wake()
    await task

    assert len(daemon.asked) == 1


async def test_after_a_jump_back_it_is_asked_anew(clock):
    """What was due an hour ahead of a clock that was wrong is not waited for."""
    daemon = Daemon(clock)
    daemon.due = clock.time() + 20
    task = asyncio.create_task(run(daemon, 10))
    await asyncio.sleep(5)
    daemon.asked.clear()
    step_wall(-3600)
    await task

    assert daemon.asked


async def test_a_storm_of_changes_is_one_turn_a_second(clock):
    """However often what it reads changes, a group is evaluated at most once a second beside its grid."""
    daemon = Daemon(clock)
    task = asyncio.create_task(run(daemon, 10))
    for _ in range(90):
        await asyncio.sleep(0.1)
        daemon.check(1.0)
    await task

    assert 8 <= daemon.turns <= 12


async def test_the_grid_goes_on(clock):
    """Turns at once move nothing: the grid has a turn a minute."""
    daemon = Daemon(clock)

    await run(daemon, 600)

    assert daemon.turns == 10


async def test_every_live_series_is_written_at_ticks(clock):
    """At each tick every live series gets its value, at a time that all pods share."""
    daemon = Daemon(clock)
    task = asyncio.create_task(run(daemon, 61))
    await asyncio.sleep(0.5)
    daemon.check(1.0)
    await task

    (series,) = [one for one in daemon.store.select(()) if one.labels.name == "sidecar_check_up"]
    assert [at % 15000 for at in series.times][-3:] == [0, 0, 0]
    assert len(series.times) >= 5


async def test_who_wakes_it_while_it_announces_is_heard(clock):
    """What changes while a decision is written is decided next, and not when something else happens to be due."""
    asked: list[float] = []
    daemon = Daemon(clock)

    async def announce(now: float, _: Sequence[Result]) -> float | None:
        asked.append(now)
        await asyncio.sleep(0.1)
        return now + 3600.0

    daemon.evaluator._announce = announce
    task = asyncio.create_task(run(daemon, 5))
    await asyncio.sleep(0.05)
    daemon.evaluator.wake()
    await task

    assert len(asked) == 2


async def test_who_has_nothing_to_tell_is_not_asked_every_second(clock):
    """After the first turn and those in which a rule came to something, there is nothing to decide until it is due."""
    asked: list[float] = []
    daemon = Daemon(clock)

    async def announce(now: float, _: Sequence[Result]) -> float | None:
        asked.append(now)
        return None

    daemon.evaluator._announce = announce

    await run(daemon, 600)

    assert len(asked) == 11  # the first, and the grid's


@pytest.mark.parametrize("turning", [pytest.param(True, id="in a turn"), pytest.param(False, id="after the last one")])
async def test_a_change_that_comes_too_late_is_refused(clock, *, turning: bool):
    """Whoever wants another configuration of a daemon that stops is told so, and does not wait for ever."""
    daemon = Daemon(clock)

    async def announce(_now: float, _results: Sequence[Result]) -> float | None:
        await asyncio.sleep(3600)
        return None

    daemon.evaluator._announce = announce
    task = asyncio.create_task(daemon.evaluator.run())
    await asyncio.sleep(1)
    changing = asyncio.create_task(daemon.evaluator.between(lambda _: [])) if turning else None
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])

    with pytest.raises(Stopped):
        await (changing or daemon.evaluator.between(lambda _: []))


async def test_nothing_is_judged_as_it_was_before_a_change(clock):
    """A turn of the grid that is late by a moment does not see what a change in the same turn ended."""
    daemon = Daemon(clock)
    grid = daemon.evaluator._schedules[0].on_grid
    task = asyncio.create_task(daemon.evaluator.run())
    await asyncio.sleep(grid - clock.time() - 5)
    daemon.store.append(Batch("check:a", clock.time(), (Update(CHECK_UP, 0.0, Labels(check="a")),)))
    await asyncio.sleep(4.9)
    daemon.evaluator._clock = Late(clock)  # the loop was held up for a second

    def end(now: float) -> list[Result]:
        daemon.store.end("check:a", now)
        return []

    await daemon.evaluator.between(end)
    await asyncio.sleep(2)
    task.cancel()
    await asyncio.wait([task])

    assert daemon.engine.alerts == ()


class Late:
    """A clock whose reader comes a second late."""

    def __init__(self, clock: SystemClock) -> None:
        self.clock = clock

    def time(self) -> float:
        return self.clock.time() + 1.0

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def check(self) -> float:
        return 0.0
