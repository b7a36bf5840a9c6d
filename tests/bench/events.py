"""Events a second through the daemon's own listener, beside a bare handler that only parses the same lines."""

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter, thread_time
from typing import Final

import aiohttp
import psutil

from sidecar.clock import SystemClock
from sidecar.services.events import Events, EventSettings
from sidecar.store import Store
from tests.bench import idle
from tests.bench.wires import quantile
from tests.integration.harness import Daemon

BATCH, GOAL, HOLD = 500, 20_000, 0.010
_HEADERS: Final = {"Content-Type": "application/x-ndjson"}

PEER = """
import asyncio, json
from aiohttp import web

async def take(request):
    body = await request.read()
    return web.json_response({"accepted": sum(bool(json.loads(line)) for line in body.splitlines())})

async def main():
    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def batch(chance: random.Random, number: int) -> bytes:
    """Requests as a gateway tells them, each with an id of its own."""
    return b"\n".join(
        json.dumps(
            {
                "type": "request",
                "id": f"req-{number}-{n}",
                "model": chance.choice(("claude-opus-5", "claude-sonnet-5-20260101", "claude-haiku-5-5")),
                "target": "https://api.anthropic.com",
                "status": 200,
                "duration": chance.lognormvariate(1, 1),
                "time_to_first_token": chance.random(),
                "input_tokens": chance.randrange(10, 5000),
                "output_tokens": chance.randrange(1, 900),
                "cache_read_tokens": 100,
                "stop_reason": "end_turn",
                "stream": True,
            }
        ).encode()
        for n in range(BATCH)
    )


@asynccontextmanager
async def peer() -> AsyncIterator[tuple[str, int]]:
    """The bare handler in a process of its own: its URL and its process id."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PEER, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        await process.wait()


async def _speed(url: str, pid: int, batches: list[bytes]) -> tuple[float, float]:
    """Events per second as sent, one request after the other, and per second of the server's own processor time."""
    process = psutil.Process(pid)
    async with aiohttp.ClientSession() as session:
        before, began = process.cpu_times(), perf_counter()
        for body in batches:
            async with session.post(f"{url}/api/v1/events", data=body, headers=_HEADERS) as answer:
                found = await answer.json()
                assert answer.status == 200, found
                assert found["accepted"] == BATCH, found
        took, after = perf_counter() - began, process.cpu_times()
    used = after.user - before.user + after.system - before.system
    return BATCH * len(batches) / took, BATCH * len(batches) / used


async def _waits(url: str, batches: list[bytes]) -> list[float]:
    """How long a question of one line waits while events pour in: some turns of the loop."""
    waits: list[float] = []
    done = asyncio.Event()

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            while not done.is_set():
                began = perf_counter()
                async with session.get(f"{url}/health/live") as answer:
                    await answer.read()
                waits.append(perf_counter() - began)
                await asyncio.sleep(0.003)

    asking = asyncio.create_task(ask())
    async with aiohttp.ClientSession() as session:
        for body in batches:
            async with session.post(f"{url}/api/v1/events", data=body, headers=_HEADERS) as answer:
                await answer.read()
    done.set()
    await asking
    return waits


async def _held(batches: list[bytes]) -> list[float]:
    """Processor time from one turn of the loop to the next while requests are counted, in this process."""
    events = Events(EventSettings(rate=1e9), SystemClock(), Store())
    turns: list[float] = []

    async def watch() -> None:
        while True:
            began = thread_time()
            await asyncio.sleep(0)
            turns.append(thread_time() - began)

    watching = asyncio.create_task(watch())
    for number, body in enumerate(batches):
        if number == 5:
            turns.clear()  # what is imported and born once has been

        async def read(body: bytes = body) -> bytes:
            return body

        await events.take("", "application/x-ndjson", read)
    watching.cancel()
    return turns


async def measure(rounds: int = 200) -> str:
    """The same batches to both, in turns."""
    chance = random.Random(1)
    batches = [batch(chance, number) for number in range(2 * rounds)]
    config = {"http": {"listen": "127.0.0.1:0"}, "events": {"rate": 1e9}, "tick": "15s"}
    with tempfile.TemporaryDirectory() as folder:
        async with Daemon(Path(folder), config) as daemon, peer() as (bare, other), idle.beside() as late:
            await _speed(daemon.url, daemon.pid, batches[:5])
            await _speed(bare, other, batches[:5])
            ours = await _speed(daemon.url, daemon.pid, batches[5:rounds])
            theirs = await _speed(bare, other, batches[5:rounds])
            waits = await _waits(daemon.url, batches[rounds:])
    held = await _held(batches)
    verdict = "met" if ours[1] >= GOAL else "missed"
    short = "met" if quantile(held, 0.99) <= HOLD else "missed"
    return "\n".join(
        [
            f"sidecar       {ours[0]:8,.0f} events/s   {ours[1]:8,.0f} per core   (goal >= {GOAL:,}: {verdict})",
            f"bare handler  {theirs[0]:8,.0f} events/s   {theirs[1]:8,.0f} per core",
            f"sidecar / bare handler: {ours[0] / theirs[0]:.2f}",
            f"a turn of the loop takes {_spread(held)}   (goal: p99 <= {1000 * HOLD:.0f} ms: {short})",
            f"a question meanwhile waits {_spread(waits)}",
            f"an idle loop's timer: {_spread(late)} late",
        ]
    )


def _spread(seconds: list[float]) -> str:
    return ", ".join(f"p{round(100 * q)} {1000 * quantile(seconds, q):.1f} ms" for q in (0.5, 0.99, 1.0))
