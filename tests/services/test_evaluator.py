"""Turns: ticks, grids, and groups that are asked at once."""

import asyncio
from collections.abc import Sequence

from sidecar.clock import SystemClock
from sidecar.model.families import CHECK_UP
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Update
from sidecar.rules.engine import Engine, Result
from sidecar.rules.files import Source, load_rules
from sidecar.services.evaluator import Evaluator
from sidecar.store import Store

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
        self.fired += [(now, alert.name) for result in results for alert in result.changed if alert.fired_at == now]
        return None

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
