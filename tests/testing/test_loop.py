"""Time that jumps."""

import asyncio
import os
import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.testing import START, VirtualTimeError, VirtualTimeLoop


async def test_an_hour_of_waiting_costs_nothing():
    """A sleep of an hour ends at once, an hour later on every clock of the process."""
    await asyncio.sleep(3600)

    assert asyncio.get_running_loop().time() == 3600
    assert time.time() == START + 3600
    assert datetime.now(UTC) == datetime(2026, 1, 5, 13, tzinfo=UTC)


async def test_sleeps_add_up_exactly():
    """Time goes to each timer's own instant, so sums are not blurred by rounding."""
    for _ in range(240):
        await asyncio.sleep(15)

    assert asyncio.get_running_loop().time() == 3600


async def test_timeouts_are_virtual():
    """`asyncio.timeout` ends what hangs after exactly its virtual time."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(86400 * 3):
            await asyncio.Event().wait()

    assert asyncio.get_running_loop().time() == 86400 * 3


async def test_tasks_wake_in_the_order_of_their_timers():
    """What is due earlier runs earlier, however the tasks were started."""
    heard = []

    async def speak(after: int) -> None:
        await asyncio.sleep(after)
        heard.append((after, time.time() - START))

    await asyncio.gather(*(speak(after) for after in (30, 10, 20)))

    assert heard == [(10, 10), (20, 20), (30, 30)]


async def test_an_executor_job_holds_time():
    """While a thread works, time stands still, although timers are due."""
    loop = asyncio.get_running_loop()
    started, finish = threading.Event(), threading.Event()

    def job():
        started.set()
        assert finish.wait(10)
        return "done"

    ticks = []
    loop.call_later(1, lambda: ticks.append(loop.time()))
    future = loop.run_in_executor(None, job)
    while not started.is_set():
        await asyncio.sleep(0)
    threading.Timer(0.02, finish.set).start()

    assert await future == "done"
    assert loop.time() == 0
    assert ticks == []


async def test_a_job_that_nobody_awaits_any_more_still_holds_time():
    """A cancelled wait does not let time jump past the job, which still runs."""
    loop = asyncio.get_running_loop()
    finish = threading.Event()
    seen = []

    def job():
        assert finish.wait(10)
        seen.append(time.time() - START)

    future = loop.run_in_executor(None, job)
    await asyncio.sleep(0)
    future.cancel()
    threading.Timer(0.02, finish.set).start()
    await asyncio.sleep(100)

    assert seen == [0]


async def test_many_jobs_and_timers_keep_their_order():
    """A coroutine that alternates threads and sleeps sees the sleeps alone on the clock."""
    for n in range(200):
        assert await asyncio.to_thread(lambda: n) == n  # noqa: B023 -- awaited in the same turn
        await asyncio.sleep(1)

    assert asyncio.get_running_loop().time() == 200


@pytest.mark.parametrize("seconds", [pytest.param(3600, id="forward"), pytest.param(-3600, id="back")])
async def test_the_wall_steps_alone(seconds):
    """A step of the wall clock leaves the loop's time as it is, and stays."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    await asyncio.sleep(10)

    loop.step_wall(seconds)

    assert (loop.time(), time.time()) == (10, START + 10 + seconds)
    await asyncio.sleep(5)
    assert (loop.time(), time.time()) == (15, START + 15 + seconds)


async def test_processes_are_refused():
    """A process would wait in real time while the loop jumps; it is refused with a hint."""
    with pytest.raises(VirtualTimeError, match="ordinary loop"):
        await asyncio.create_subprocess_exec("true")


def test_the_wall_is_real_again_after_the_loop():
    """Closing the loop gives the process its clock back."""
    before = time.time()

    async def nap() -> float:
        await asyncio.sleep(5)
        return time.time()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(nap()) == START + 5

    assert time.time() >= before > START + 5


async def test_what_others_send_is_seen_by_who_never_rests():
    """A test that asks again and again, without a pause, for what comes through a pipe gets it in the end."""
    loop, heard = asyncio.get_running_loop(), []
    ours, theirs = os.pipe()
    try:
        loop.add_reader(ours, lambda: heard.append(os.read(ours, 1)))
        os.write(theirs, b"x")
        while not heard:
            await asyncio.sleep(0)
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)

    assert heard == [b"x"]


@pytest.mark.parametrize("pause", [pytest.param(1, id="of timers"), pytest.param(0, id="without a pause")])
def test_an_endless_loop_is_given_up(pause):
    """A virtual loop that lives longer than its patience raises, and can still clean up."""
    cleaned = []

    async def forever() -> None:
        try:
            while True:
                await asyncio.sleep(pause)
        finally:
            await asyncio.sleep(1)
            cleaned.append(True)

    with (
        pytest.raises(VirtualTimeError, match="still running"),
        asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=0.05)) as runner,
    ):
        runner.run(forever())

    assert cleaned == [True]


@settings(max_examples=20)
@given(naps=st.lists(st.integers(0, 10_000), max_size=5))
async def test_every_example_of_a_property_has_a_time_of_its_own(naps):
    """Hypothesis' examples each begin at the start, and its own clocks are not disturbed."""
    assert asyncio.get_running_loop().time() == 0

    for nap in naps:
        await asyncio.sleep(nap)

    assert time.time() == START + sum(naps)


@pytest.mark.realtime
async def test_a_test_marked_realtime_runs_on_the_ordinary_loop():
    """The mark `realtime` gives a test real sockets, processes and time."""
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0


async def test_the_clock_agrees_with_the_wall(clock):
    """The fixture `clock` reads the same time as everybody who asks the machine."""
    await asyncio.sleep(60)

    assert clock.time() == time.time() == START + 60
    assert clock.monotonic() == 60
