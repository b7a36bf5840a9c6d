"""Jobs on a grid, on a clock that does not jump."""

import asyncio
import itertools
import logging

import pytest

from sidecar.services.scheduler import Scheduler, place
from sidecar.testing import START, VirtualTimeLoop


def now() -> float:
    return asyncio.get_running_loop().time()


def step_wall(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.step_wall(seconds)


@pytest.fixture
async def scheduler(clock):
    scheduler = Scheduler(clock)
    scheduler.start()

    async def watch() -> None:
        while True:
            await asyncio.sleep(1)
            scheduler.watch()

    task = asyncio.create_task(watch())
    yield scheduler
    task.cancel()
    await scheduler.shutdown()


async def test_a_job_runs_on_its_grid(scheduler):
    """An hour at 15 s is 240 runs, evenly, at the place that the name gives."""
    runs = []
    scheduler.every("gateway", 15.0, lambda: runs.append(now()))

    await asyncio.sleep(3600)

    offset = (place("gateway") * 15 - START) % 15
    assert runs == pytest.approx([offset + 15 * n for n in range(240)], abs=1e-3)


async def test_names_are_spread_over_the_interval(scheduler):
    """A hundred checks of one interval do not start together."""
    runs: list[float] = []
    for n in range(100):
        scheduler.every(f"check {n}", 60.0, lambda: runs.append(now()))

    await asyncio.sleep(59.9)

    per_six_seconds = [sum(6 * k <= run < 6 * (k + 1) for run in runs) for k in range(10)]
    assert len(runs) in (99, 100)
    assert min(per_six_seconds) >= 2
    assert max(per_six_seconds) <= 22


def test_a_place_is_the_same_in_every_process():
    """The grid survives a restart: the place is not Python's own hash, which is salted."""
    assert place("gateway") == pytest.approx(0.50614, abs=1e-5)


async def test_a_first_run_may_come_before_the_grid(scheduler):
    """After a first run at once, the grid places the second, not sooner than half an interval later."""
    runs: list[float] = []
    scheduler.every("gateway", 60.0, lambda: runs.append(now()), first=3.0)

    await asyncio.sleep(240)

    assert runs[0] == pytest.approx(3.0, abs=1e-3)
    assert 30 <= runs[1] - runs[0] <= 90
    assert runs[2] - runs[1] == pytest.approx(60, abs=1e-3)
    assert (START + runs[1]) % 60 == pytest.approx(place("gateway") * 60, abs=1e-3)


async def test_once_is_once(scheduler):
    """A job that runs once does so at its time, and is gone."""
    runs = []
    scheduler.once("confirm", 2.0, lambda: runs.append(now()))
    assert scheduler.has("confirm")

    await asyncio.sleep(100)

    assert runs == pytest.approx([2.0], abs=1e-3)
    assert not scheduler.has("confirm")


async def test_a_job_of_the_same_name_is_replaced(scheduler):
    """Planning a name again forgets what it was."""
    runs: list[str] = []
    scheduler.once("confirm", 2.0, lambda: runs.append("first"))
    scheduler.once("confirm", 5.0, lambda: runs.append("second"))

    await asyncio.sleep(100)

    assert runs == ["second"]


async def test_a_removed_job_runs_no_more(scheduler):
    """Removing is quiet and final, also of what is not there."""
    runs: list[float] = []
    scheduler.every("gateway", 15.0, lambda: runs.append(now()))
    await asyncio.sleep(60)
    so_far = len(runs)

    scheduler.remove("gateway")
    scheduler.remove("gateway")
    await asyncio.sleep(600)

    assert len(runs) == so_far == 4
    assert not scheduler.has("gateway")


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([3600.0], id="an hour forward"),
        pytest.param([-3600.0], id="an hour back"),
        pytest.param([3600.0, -3600.0], id="forward and back"),
        pytest.param([-3600.0, 3600.0], id="back and forward"),
        pytest.param([1.7e9], id="from 1970 to the present, as a board without a battery does"),
        pytest.param([-7.3, 7.3], id="a few seconds, off the grid"),
    ],
)
async def test_a_step_of_the_wall_keeps_the_cadence(scheduler, steps):
    """Whoever sets the wall clock, an hour of virtual time has its 240 runs, 15 s apart."""
    runs: list[float] = []
    once: list[float] = []
    scheduler.every("gateway", 15.0, lambda: runs.append(now()))
    scheduler.once("later", 3000.0, lambda: once.append(now()))

    for step in steps:
        await asyncio.sleep(607.2)
        step_wall(step)
    await asyncio.sleep(3600 - now())

    gaps = [later - run for run, later in itertools.pairwise(runs)]
    assert len(runs) == 240
    assert gaps == pytest.approx([15.0] * 239, abs=1.0)  # a second is how often the wall is looked at
    assert once == pytest.approx([3000.0], abs=1.0)


async def test_a_late_loop_runs_a_job_late_rather_than_not(scheduler):
    """A loop that was held up makes up for the turn once, and goes on on the grid."""
    runs: list[float] = []
    scheduler.every("gateway", 15.0, lambda: runs.append(now()))
    await asyncio.sleep(20)
    loop = asyncio.get_running_loop()
    so_far = len(runs)
    loop._now += 40  # type: ignore[attr-defined]  # the loop was busy that long
    loop._move_wall()  # type: ignore[attr-defined]

    await asyncio.sleep(0.5)

    assert len(runs) == so_far + 1
    await asyncio.sleep(30)
    assert len(runs) == so_far + 3


async def test_a_job_s_error_reaches_the_owner(clock):
    """What a job raises is not lost in APScheduler's log: the next look raises it."""

    def broken() -> None:
        raise KeyError("nothing")

    scheduler = Scheduler(clock)
    scheduler.start()
    scheduler.once("broken", 1.0, broken)

    await asyncio.sleep(2)

    with pytest.raises(KeyError):
        scheduler.watch()
    await scheduler.shutdown()


async def test_after_shutdown_nothing_runs(clock):
    """A scheduler that was shut down runs nothing, and can be shut down again."""
    scheduler = Scheduler(clock)
    scheduler.start()
    runs: list[float] = []
    scheduler.every("gateway", 15.0, lambda: runs.append(now()))

    await scheduler.shutdown()
    await scheduler.shutdown()
    await asyncio.sleep(60)

    assert runs == []


async def test_runs_are_not_logged_one_by_one(scheduler, caplog):
    """APScheduler's line per run stays out of the log."""
    with caplog.at_level(logging.INFO):
        scheduler.once("confirm", 2.0, lambda: None)
        await asyncio.sleep(10)

    assert caplog.records == []


def hourly(after: float) -> float:
    return (after // 3600 + 1) * 3600


async def test_a_calendar_goes_by_the_wall(scheduler):
    """A job of a calendar runs when the wall clock shows its time, also after somebody has set it."""
    runs: list[float] = []
    scheduler.at("hourly", hourly, lambda: runs.append(now()))
    assert scheduler.due("hourly") == pytest.approx(3600)

    await asyncio.sleep(3700)
    step_wall(1800)
    await asyncio.sleep(3600)

    assert runs == pytest.approx([3600, 5400], abs=0.01)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(3600 * 5.5, [1000, 1800], id="forward over five runs is one"),
        pytest.param(-3600 * 5.5, [1800], id="back"),
        pytest.param(1.7e9, [1000], id="from 1970 to the present"),
    ],
)
async def test_a_step_over_runs_of_a_calendar(scheduler, step, expected):
    """What the step went over is made up for once; then the wall's times come again."""
    runs: list[float] = []
    scheduler.at("hourly", hourly, lambda: runs.append(now()))

    await asyncio.sleep(1000)
    step_wall(step)
    await asyncio.sleep(900)

    assert runs == pytest.approx(expected, abs=1.1)


async def test_a_calendar_may_end(scheduler):
    """A calendar without another time is forgotten, and one without any is not planned."""
    runs: list[float] = []
    scheduler.at("last", lambda after: START + 10 if after < START + 10 else None, lambda: runs.append(now()))
    scheduler.at("never", lambda _: None, lambda: runs.append(now()))
    assert not scheduler.has("never")

    await asyncio.sleep(7200)

    assert runs == pytest.approx([10.0], abs=0.01)
    assert not scheduler.has("last")


async def test_a_calendar_runs_each_time_once(scheduler):
    """A timer that is a little early does not find the same time again."""
    runs: list[float] = []
    scheduler.at("often", lambda after: after // 1 + 1.0, lambda: runs.append(now()))

    await asyncio.sleep(100.5)

    assert runs == pytest.approx([float(n) for n in range(1, 101)], abs=0.01)


async def test_how_late_a_job_is(scheduler):
    """A job sees how long its time is over."""
    late: list[float] = []
    scheduler.once("confirm", 2.0, lambda: late.append(scheduler.late))
    await asyncio.sleep(1)
    loop = asyncio.get_running_loop()
    loop._now += 4  # type: ignore[attr-defined]  # the loop was busy that long
    loop._move_wall()  # type: ignore[attr-defined]

    await asyncio.sleep(1)

    assert late == pytest.approx([3.0], abs=0.1)
