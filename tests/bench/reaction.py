"""From the last byte of a failing answer to the first byte of the webhook."""

import asyncio
import random
import tempfile
from pathlib import Path

from tests.bench.wires import Told, Watched, lateness, listening, spread
from tests.integration.harness import Daemon

RULES = """
groups:
  - name: one
    interval: 1s
    rules:
      - {alert: Down, expr: "probe_success == 0", severity: critical, cooldown: 0s}
"""


def config(folder: Path, watched: str, told: str, every: str) -> dict[str, object]:
    """A daemon that pages on the first failing probe."""
    (folder / "rules.yml").write_text(RULES)
    check = {"type": "http", "name": "watched", "url": watched, "every": every, "timeout": "5s", "failure_threshold": 1}
    return {
        "database": str(folder / "sidecar.db"),
        "http": {"listen": "127.0.0.1:0"},
        "log": {"level": "info"},
        "checks": [check],
        "channels": [{"type": "webhook", "name": "hook", "url": told}],
        "rules": [{"file": "rules.yml"}],
    }


async def _rounds(n: int, found: list[float]) -> None:
    watched, told = Watched(), Told()
    with tempfile.TemporaryDirectory() as name:
        async with listening(watched) as target, listening(told) as hook:
            async with Daemon(Path(name), config(Path(name), target, hook, "200ms")):
                await asyncio.sleep(2)
                for _ in range(n):
                    arrived = told.expect("firing")
                    watched.turn(failing=True)
                    async with asyncio.timeout(30):
                        at = await arrived
                    assert watched.turned is not None
                    found.append(at - watched.turned)
                    over = told.expect("resolved")
                    watched.turn(failing=False)
                    async with asyncio.timeout(30):
                        await over
                    # A group is evaluated at once at most once a second: leave it its second, then a random phase.
                    await asyncio.sleep(1.0 + random.random() * 0.3)


async def measure(rounds: int = 1000, daemons: int = 4) -> str:
    """*rounds* incidents over *daemons* processes that run side by side."""
    found: list[float] = []
    idle: list[float] = []
    timer = asyncio.create_task(lateness(idle))
    await asyncio.gather(*(_rounds(rounds // daemons, found) for _ in range(daemons)))
    timer.cancel()
    return f"failing answer -> webhook   {spread(found)}   (goal p99 <= 25)\nidle loop's timer lateness  {spread(idle)}"
