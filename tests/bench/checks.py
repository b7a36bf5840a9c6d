"""A thousand HTTP checks at fifteen seconds, beside a hundred that hang: how far each is from its own grid."""

import asyncio
import tempfile
from asyncio import StreamReader, StreamWriter
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.bench import idle
from tests.bench.wires import listening, quantile, spread
from tests.integration.harness import Daemon

GOAL = 100
"""Milliseconds by which 99 of 100 probes may arrive later than their check's earliest did, on its grid."""
EVERY = 15.0
WARM_UP = 2 * EVERY + 5  # the first probes are placed by the start, and the second half an interval later


class Grid:
    """A peer that answers at once and remembers when whose request began; the body says whose."""

    def __init__(self) -> None:
        self.arrivals: dict[bytes, list[float]] = defaultdict(list)

    def __call__(self, first: float, body: bytes) -> int:
        self.arrivals[body].append(first)
        return 200

    def late(self) -> list[float]:
        """Seconds from each check's grid, which is where its earliest request stands."""
        found = []
        for times in self.arrivals.values():
            places = [at - round((at - times[0]) / EVERY) * EVERY for at in times]
            found += [place - min(places) for place in places]
        return found

    def missing(self, turns: int) -> int:
        """How many probes did not come, of as many turns for each check."""
        return sum(max(0, turns - len(times)) for times in self.arrivals.values())


def _config(folder: Path, url: str, silent: str, checks: int, hanging: int) -> dict[str, Any]:
    settings = {"type": "http", "every": "15s", "method": "POST"}
    return {
        "database": str(folder / "sidecar.db"),
        "http": {"listen": "127.0.0.1:0"},
        "checks": [
            *({**settings, "name": f"hangs-{n}", "url": silent, "timeout": "10s"} for n in range(hanging)),
            *({**settings, "name": f"check-{n}", "url": url, "body": str(n)} for n in range(checks)),
        ],
    }


async def _hang(reader: StreamReader, writer: StreamWriter) -> None:
    """Listen until the other side has enough."""
    with suppress(ConnectionError):
        await reader.read()
    writer.close()


async def measure(seconds: float = 300, checks: int = 1000, hanging: int = 100) -> str:
    """At least two turns of every check after the start is over."""
    turns = max(2, int(seconds // EVERY))
    grid = Grid()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = await stack.enter_async_context(listening(grid))
        silent = await asyncio.start_server(_hang, "127.0.0.1", 0)
        stack.callback(silent.close)
        nowhere = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
        daemon = await stack.enter_async_context(Daemon(folder, _config(folder, url, nowhere, checks, hanging)))
        await asyncio.sleep(WARM_UP)
        grid.arrivals.clear()
        late = await stack.enter_async_context(idle.beside())
        process = psutil.Process(daemon.pid)
        before = process.cpu_times()
        await asyncio.sleep(turns * EVERY)
        used = sum(process.cpu_times()[:2]) - sum(before[:2])
    found = grid.late()
    verdict = "met" if quantile(found, 0.99) * 1000 <= GOAL else "missed"
    return "\n".join(
        (
            f"{checks} checks and {hanging} that hang: {len(found)} probes, {grid.missing(turns)} missing",
            f"a probe from its grid       {spread(found)}   (goal p99 <= {GOAL}: {verdict})",
            f"an idle loop's timer        {spread(late)} late",
            f"cpu                         {used / (turns * EVERY):.1%} of a core",
        )
    )
