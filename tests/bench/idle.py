"""`python -m tests.bench.idle`: how late a timer fires on a loop that has nothing to do, until standard input ends.

In a process of its own, at the same time as what is measured: this is what the machine adds to every figure.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

INTERVAL = 0.01


@asynccontextmanager
async def beside() -> AsyncIterator[list[float]]:
    """Seconds of lateness while the block lasted; filled at its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.idle"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    late: list[float] = []
    try:
        yield late
    finally:
        out, _ = await process.communicate(b"")  # closes its input
        late += json.loads(out)


async def _watch() -> list[float]:
    late = []
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not ended.done():
        due = perf_counter() + INTERVAL
        await asyncio.sleep(INTERVAL)
        late.append(perf_counter() - due)
    return late


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_watch())))
