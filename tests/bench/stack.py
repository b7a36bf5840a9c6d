"""From failure to webhook and from recovery to resolve at 1 s, beside the three programs that do the same together."""

import asyncio
import random
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

from tests.bench import idle
from tests.bench.peers import missing, peers
from tests.bench.reaction import config
from tests.bench.wires import Told, Watched, listening, quantile, spread, turned
from tests.integration.harness import Daemon

OURS, THEIRS = "sidecar", "blackbox+Prometheus+Alertmanager"


async def measure(rounds: int = 100) -> str:
    """One target, watched by both in the same rounds, which begin at random phases of all their intervals."""
    if absent := missing():
        return f"not measured: {', '.join(absent)} not installed"
    found: dict[tuple[bool, str], list[float]] = {(way, who): [] for way in (True, False) for who in (OURS, THEIRS)}
    async with AsyncExitStack() as stack:
        ours, theirs = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
        watched, told = Watched(), (Told(), Told())
        target = await stack.enter_async_context(listening(watched))
        hooks = [await stack.enter_async_context(listening(one)) for one in told]
        settings = config(ours, target, hooks[0], every="1s", interval="1s")
        await stack.enter_async_context(Daemon(ours, settings))
        await stack.enter_async_context(peers(theirs, target, hooks[1]))
        for failing in (True, False):  # not counted: both are there when both have told
            await turned(watched, *told, failing=failing)
        late = await stack.enter_async_context(idle.beside())
        for _ in range(rounds):
            for failing in (True, False):
                await asyncio.sleep(2 + random.random())
                began = perf_counter()
                arrivals = await turned(watched, *told, failing=failing)
                for who, arrived in zip((OURS, THEIRS), arrivals, strict=True):
                    found[failing, who].append(arrived - began)
    words = {True: "failure -> webhook", False: "recovery -> resolve"}
    lines = [f"{words[failing]:20} {who:34} {spread(seconds)}" for (failing, who), seconds in found.items()]
    ratios = [quantile(found[way, OURS], 0.5) / quantile(found[way, THEIRS], 0.5) for way in (True, False)]
    lines.append(f"sidecar / peers, medians: failure {ratios[0]:.2f}, recovery {ratios[1]:.2f}")
    return "\n".join([*lines, f"an idle loop's timer: {spread(late)} late"])
