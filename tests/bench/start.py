"""From exec to the first 200 of /health/ready."""

import asyncio
import compileall
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import sidecar
from tests.bench import idle
from tests.bench.reaction import config
from tests.bench.wires import Told, Watched, listening, quantile, spread
from tests.integration.harness import Daemon, free_port, within

GOAL = 1000  # milliseconds

REQUEST = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def _start(target: str, hook: str) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        settings = config(folder, target, hook, every="15s") | {"http": {"listen": f"127.0.0.1:{port}"}}
        daemon = Daemon(folder, settings)
        began = perf_counter()
        started = asyncio.create_task(daemon.start())
        try:
            await within(60, _ready(port), "the first 200 of /health/ready")
            return perf_counter() - began
        finally:
            await started
            await daemon.stop()


async def _ready(port: int) -> None:
    while not (await _ask(port)).startswith(b"HTTP/1.1 200 "):
        await asyncio.sleep(0.002)


async def _ask(port: int) -> bytes:
    """The answer of /health/ready; nothing while nobody listens."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return b""
    writer.write(REQUEST)
    answer = await reader.read()
    writer.close()
    return answer


async def measure(starts: int = 20) -> str:
    """One start after the other, of what is compiled as an installer would, after one that fills the file cache."""
    compileall.compile_dir(Path(sidecar.__file__).parent, quiet=1)
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(listening(Watched()))
        hook = await stack.enter_async_context(listening(Told()))
        first = await _start(target, hook)
        async with idle.beside() as late:
            found = [await _start(target, hook) for _ in range(starts)]
    verdict = "met" if quantile(found, 0.5) * 1000 <= GOAL else "missed"
    lines = (
        f"exec -> ready               {spread(found)}   (goal p50 <= {GOAL}: {verdict})",
        f"the first, not counted      {first * 1000:.1f} ms",
        f"an idle loop's timer        {spread(late)} late",
    )
    return "\n".join(lines)
