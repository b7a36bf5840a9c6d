import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

import pytest

from sidecar.model.families import GC_PAUSE, GC_SECONDS, LOOP_LAG
from sidecar.telemetry.loop import INTERVAL, LoopWatch


class Time:
    """The loop's own time, and what somebody held it for."""

    def __init__(self) -> None:
        self.held = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.held


@contextlib.asynccontextmanager
async def watching(watch: LoopWatch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def told(watch: LoopWatch) -> dict[str, float]:
    return {update.family.name: update.value for update in watch.updates()}


async def test_a_loop_that_nobody_holds_is_on_time():
    """Lateness is zero while everybody lets go in time."""
    watch = LoopWatch(Time())
    async with watching(watch):
        await asyncio.sleep(60.2)
        assert told(watch)[LOOP_LAG.name] == pytest.approx(0.0, abs=1e-6)


async def test_the_worst_since_the_last_look_is_told_once():
    """A hold of the loop is told as long as it was, and forgotten afterwards."""
    time = Time()
    watch = LoopWatch(time)
    async with watching(watch):
        await asyncio.sleep(INTERVAL / 2)
        time.held += 3.0
        await asyncio.sleep(10)
        time.held += 0.7
        await asyncio.sleep(10)
        assert told(watch)[LOOP_LAG.name] == pytest.approx(3.0)
        assert told(watch)[LOOP_LAG.name] == pytest.approx(0.0, abs=1e-6)


async def test_whoever_asks_first_after_a_hold_hears_of_it():
    """A hold counts even if the watch itself did not run yet."""
    time = Time()
    watch = LoopWatch(time)
    async with watching(watch):
        time.held += 5.0
        assert told(watch)[LOOP_LAG.name] == pytest.approx(5.0 - INTERVAL)


async def test_collections_are_counted_while_it_runs():
    """What the garbage collector takes is told, its longest pause and its sum; nothing stays behind."""
    watch, before = LoopWatch(), list(gc.callbacks)
    async with watching(watch):
        for _ in range(3):
            gc.collect()
        values = told(watch)
        assert 0 < values[GC_PAUSE.name] < values[GC_SECONDS.name]
    assert gc.callbacks == before
    gc.collect()
    assert told(watch)[LOOP_LAG.name] == 0.0
