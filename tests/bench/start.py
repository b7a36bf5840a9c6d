"""From exec to the first 200 of /health/ready."""

import asyncio
import socket
import tempfile
from pathlib import Path
from time import perf_counter

import aiohttp

from tests.bench.reaction import config
from tests.bench.wires import Told, Watched, listening, spread
from tests.integration.harness import Daemon


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def _start(target: str, hook: str) -> float:
    with tempfile.TemporaryDirectory() as name:
        settings = config(Path(name), target, hook, "15s")
        settings["http"] = {"listen": f"127.0.0.1:{(port := _free_port())}"}
        daemon = Daemon(Path(name), settings)
        began = perf_counter()
        started = asyncio.create_task(daemon.start())
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.005)
        took = perf_counter() - began
        await started
        await daemon.stop()
        return took


async def measure(starts: int = 20) -> str:
    """One start after the other."""
    async with listening(Watched()) as target, listening(Told()) as hook:
        found = [await _start(target, hook) for _ in range(starts)]
    return f"exec -> ready               {spread(found)}   (goal p50 <= 1000)"
