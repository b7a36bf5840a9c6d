"""The simulator, where a client can reach it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future

import aiohttp
import pytest

from sidecar.simulator import KEY, Latency, Simulator, application, serve
from sidecar.testing import Wire

QUICK = Latency(overhead=0.0, first_token=0.01, tokens_per_second=20_000.0, jitter=0.0)


@pytest.fixture
def running() -> Iterator[tuple[Simulator, str]]:
    """A quick simulator on a free port, in a thread of its own, and its base URL."""
    simulator = Simulator(latency=QUICK, control=True)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        async with serve(application(simulator)) as url:
            started.set_result((asyncio.get_running_loop(), stop, url))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop, stop, url = started.result(10)
    yield simulator, url
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


@pytest.fixture
def simulator() -> Simulator:
    """A simulator for the wire in memory, with an answer that takes exactly as long as it says."""
    return Simulator(
        latency=Latency(overhead=0.1, first_token=1.0, tokens_per_second=10.0, jitter=0.0, ping_every=15.0),
        control=True,
    )


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with a valid key, on a wire in memory where only the simulator answers."""
    wire = Wire()
    wire.serve("claude.test", application(simulator))
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    async with aiohttp.ClientSession(
        "http://claude.test", connector=wire.connector(), headers=headers, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        yield session
    await wire.close()
