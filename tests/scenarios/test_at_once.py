"""How soon after a probe its alert is told."""

import asyncio
import itertools

from tests.scenarios.world import World

HOOK = {"type": "webhook", "name": "hook", "url": "http://hook/", "max_per_minute": 0}
RULES = """
groups:
  - name: down
    interval: 1s
    rules:
      - {alert: Down, expr: "probe_success == 0", severity: critical, cooldown: 0s}
"""


async def test_a_change_is_told_at_once_whatever_the_grid(world: World):
    """A failing probe is told within a moment wherever it falls between two turns of the grid, as is its end."""
    loop = asyncio.get_running_loop()
    check = {"type": "http", "name": "gateway", "url": "http://gateway/", "every": "300ms", "failure_threshold": 1}
    await world.start(world.settings(RULES, checks=[check], channels=[HOOK]))
    await asyncio.sleep(30)

    delays = []
    for n, status in zip(range(20), itertools.cycle((503, 200))):
        await asyncio.sleep(1.5 + 0.07 * n)  # the last turn at once is a second ago, the grid's is anywhere
        world.status, probes = status, world.probes
        while world.probes == probes:
            await asyncio.sleep(0.01)
        probed_at = loop.time()
        while len(world.heard) == n:
            await asyncio.sleep(0.01)
        delays.append(loop.time() - probed_at)

    assert world.story() == ["opening", "resolve"] * 10
    assert max(delays) < 0.1
