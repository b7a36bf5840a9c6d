"""A real process, killed with -9 at random moments."""

import asyncio
import os
import random
import signal
from collections import Counter

import pytest

from tests.integration.harness import Daemon, Receiver, Target, serve

KILLS = int(os.environ.get("SIDECAR_KILLS", "5"))

RULES = """
groups:
  - name: one
    interval: 1s
    rules:
      - alert: TargetDown
        expr: sidecar_check_up == 0
        severity: critical
        cooldown: 0s
"""


def config(folder, target: str, receiver: str) -> dict:
    """A daemon that probes five times a second and tells at once."""
    (folder / "rules.yml").write_text(RULES)
    return {
        "database": str(folder / "sidecar.db"),
        "http": {"listen": "127.0.0.1:0"},
        "tick": "1s",
        "checks": [{"type": "http", "name": "target", "url": target, "every": "200ms", "timeout": "1s", "confirm": "50ms"}],
        "channels": [{"type": "webhook", "name": "hook", "url": receiver}],
        "rules": [{"file": "rules.yml"}],
    }


@pytest.mark.realtime
@pytest.mark.timeout(60 + 10 * KILLS)
async def test_killed_at_random_moments(tmp_path):
    """Whenever it is killed, nothing due is lost, and no message arrives more than once more, with the same id."""
    chance = random.Random(os.environ.get("SIDECAR_SEED", "kill"))
    target, receiver = Target(), Receiver()
    async with serve(target.app()) as watched, serve(receiver.app()) as told:
        daemon = Daemon(tmp_path, config(tmp_path, watched, told))
        for _ in range(KILLS):
            await daemon.start()
            target.status = chance.choice([200, 503])
            await asyncio.sleep(chance.uniform(0.0, 1.2))
            target.status = chance.choice([200, 503])
            await asyncio.sleep(chance.uniform(0.0, 0.6))
            await daemon.stop(signal.SIGKILL)

        await daemon.start()
        target.status = 503
        async with asyncio.timeout(20):
            while receiver.story()[-1:] != ["opening"]:
                await asyncio.sleep(0.05)
        target.status = 200
        async with asyncio.timeout(20):
            while receiver.story()[-1] == "opening":
                await asyncio.sleep(0.05)
        assert await daemon.stop() == 0

    story = [kind for kind in receiver.story() if kind != "closed"]
    assert story == ["opening", "resolve"] * (len(story) // 2), "each opening is closed once, in order"
    arrivals = Counter(heard.key for heard in receiver.heard)
    repeated = [n for n in arrivals.values() if n > 1]
    assert len(repeated) <= KILLS
    assert all(n == 2 for n in repeated), "a kill costs at most one repetition"
