"""From the last byte of an answer that changes everything to the first byte of the webhook."""

import asyncio
import random
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.bench import idle
from tests.bench.wires import Told, Watched, listening, quantile, spread, turned
from tests.integration.harness import Daemon

GOAL = 25  # milliseconds

RULES = """
groups:
  - name: one
    interval: {interval}
    rules:
      - {{alert: Down, expr: "probe_success == 0", severity: critical, cooldown: 0s}}
"""


def config(folder: Path, watched: str, told: str, *, every: str, interval: str = "15s") -> dict[str, Any]:
    """A daemon that pages on the first failing probe."""
    (folder / "rules.yml").write_text(RULES.format(interval=interval))
    check = {"type": "http", "name": "watched", "url": watched, "every": every, "timeout": "5s", "failure_threshold": 1}
    return {
        "database": str(folder / "sidecar.db"),
        "http": {"listen": "127.0.0.1:0"},
        "checks": [check],
        "channels": [{"type": "webhook", "name": "hook", "url": told, "max_per_minute": 0}],
        "rules": [{"file": "rules.yml"}],
    }


async def _rounds(n: int, found: dict[bool, list[float]]) -> None:
    watched, told = Watched(), Told()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = await stack.enter_async_context(listening(watched))
        hook = await stack.enter_async_context(listening(told))
        daemon = await stack.enter_async_context(Daemon(folder, config(folder, target, hook, every="200ms")))
        await daemon.ready()
        for _ in range(n):
            for failing in (True, False):
                # A group is evaluated at once at most once a second: leave it its second, then a random phase.
                await asyncio.sleep(1.0 + random.random() * 0.2)
                (began,) = await turned(watched, told, failing=failing)
                assert watched.answered is not None, "told of what was never seen"
                found[failing].append(began - watched.answered)


async def measure(rounds: int = 1000, daemons: int = 4) -> str:
    """*rounds* incidents over *daemons* processes that run side by side."""
    found: dict[bool, list[float]] = {True: [], False: []}
    async with idle.beside() as late, asyncio.TaskGroup() as group:
        for n in range(daemons):
            group.create_task(_rounds(rounds // daemons + (n < rounds % daemons), found))
    verdict = "met" if quantile(found[True], 0.99) * 1000 <= GOAL else "missed"
    lines = (
        f"failing answer -> webhook   {spread(found[True])}   (goal p99 <= {GOAL}: {verdict})",
        f"good answer -> resolve      {spread(found[False])}",
        f"an idle loop's timer        {spread(late)} late",
    )
    return "\n".join(lines)
