"""A real process, killed with -9 at random moments and at the worst ones."""

import asyncio
import json
import os
import random
import signal
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sidecar.alerts.timeline import Entry, Event
from sidecar.db import history, outbox, records
from tests.integration.harness import Daemon, Heard, Receiver, Target, serve, until

KILLS = int(os.environ.get("SIDECAR_KILLS", "3"))
CHECKS = ("left", "right")
SPOKEN = ("alert.opened", "alert.reminded", "alert.resolved", "alert.closed")

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


def config(folder: Path, target: str, receiver: str) -> dict[str, Any]:
    """A daemon that probes two places five times a second and tells at once."""
    (folder / "rules.yml").write_text(RULES)
    every = {"type": "http", "every": "200ms", "timeout": "1s", "confirm": "50ms"}
    return {
        "database": str(folder / "sidecar.db"),
        "http": {"listen": "127.0.0.1:0"},
        "tick": "1s",
        "checks": [every | {"name": name, "url": f"{target}/{name}"} for name in CHECKS],
        "channels": [{"type": "webhook", "name": "hook", "url": receiver}],
        "rules": [{"file": "rules.yml"}],
    }


class Life:
    """A daemon that is killed again and again, and all that one can know about it from outside."""

    def __init__(
        self, daemon: Daemon, database: Path, target: Target, receiver: Receiver, chance: random.Random
    ) -> None:
        self.daemon = daemon
        self.target, self.receiver = target, receiver
        self.killed_at: list[float] = []
        self.cut_off: list[str] = []  # ids of messages whose answer the daemon did not live to see
        self._database = database
        self._chance = chance

    # Three ways to die.

    async def at_random(self) -> None:
        """Somewhere in an incident, or between two."""
        for longest in (0.8, 0.4):
            for name in CHECKS:
                self.target.status[name] = self._chance.choice([200, 503])
            await asyncio.sleep(self._chance.uniform(0.0, longest))
        await self._kill()

    async def once_decided(self) -> None:
        """As soon as something is committed, when it is hardly on its way."""
        await self._something_to_tell(self.daemon.event(*SPOKEN, since=len(self.daemon.log)))
        await self._kill()

    async def unanswered(self) -> None:
        """While the receiver has the message, and the daemon does not know it."""
        async with self.receiver.held():
            heard = await self._something_to_tell(self.receiver.next())
            await self._kill()
        self.cut_off.append(heard.key)

    async def _something_to_tell(self, awaited):
        """What *awaited* comes to, while one check goes up and down as slowly as it takes."""
        waiting = asyncio.ensure_future(awaited)
        name = self._chance.choice(CHECKS)
        while not waiting.done():
            self.target.status[name] = 503 if self.target.status.get(name, 200) == 200 else 200
            await asyncio.wait([waiting], timeout=2.5)
        return await waiting

    async def _kill(self) -> None:
        await self.daemon.stop(signal.SIGKILL)
        self.killed_at.append(asyncio.get_running_loop().time())

    # What is left.

    async def settle(self, status: int) -> None:
        """Everything answers *status*: wait until that is known, decided, committed and delivered."""
        self.target.status = dict.fromkeys(CHECKS, status)
        state = "up" if status == 200 else "down"

        async def known() -> bool:
            checks = json.loads((await self.daemon.get("/health"))[1])["checks"]
            return all(check["state"] == state for check in checks)

        async def told() -> bool:
            with closing(sqlite3.connect(self._database)) as connection:
                owed = outbox.waiting(connection)
                opened = [record.open for record in records.load(connection)]
            return not owed and sum(opened) == (0 if status == 200 else len(CHECKS))

        await until(known, f"every check to be {state}")
        await until(told, f"everybody to know that every check is {state}")

    def timeline(self) -> tuple[Entry, ...]:
        """Everything that was ever committed, the oldest first."""
        with closing(sqlite3.connect(self._database)) as connection:
            return history.latest(connection, 1_000_000)


@pytest.mark.realtime
@pytest.mark.timeout(60 + 10 * KILLS)
async def test_killed_again_and_again(tmp_path):
    """Whenever it is killed, nothing due is lost, all stays in order, and a kill costs at most one repetition."""
    target, receiver = Target(), Receiver()
    async with AsyncExitStack() as stack:
        watched = await stack.enter_async_context(serve(target.app()))
        told = await stack.enter_async_context(serve(receiver.app()))
        daemon = await stack.enter_async_context(Daemon(tmp_path, config(tmp_path, watched, told)))
        chance = random.Random(os.environ.get("SIDECAR_SEED", "kill"))
        life = Life(daemon, tmp_path / "sidecar.db", target, receiver, chance)
        deaths = (life.unanswered, life.at_random, life.once_decided)
        for n in range(KILLS):
            await deaths[n % len(deaths)]()
            await daemon.start()
        await life.settle(503)
        await life.settle(200)
        assert await daemon.stop() == 0

    for check in CHECKS:
        tells_the_truth(receiver.story(check))
    is_complete(life.timeline(), daemon.log, receiver.heard)
    repeats_only_after_kills(receiver.heard, life.killed_at)
    arrivals = Counter(heard.key for heard in receiver.heard)
    assert all(arrivals[key] > 1 for key in life.cut_off), "what was cut off is sent again, with the same id"


def tells_the_truth(story: list[str]) -> None:
    """Every opening is followed by its end, before the next one; the last word is that all is well."""
    rest = [kind for kind in story if kind != "closed"]
    assert rest
    assert rest == ["opening", "resolve"] * (len(rest) // 2)
    assert all(after != "closed" for before, after in pairwise(story) if before == "opening")


def is_complete(timeline: Iterable[Entry], log: list[dict[str, Any]], heard: list[Heard]) -> None:
    """What was committed was told, once each or joined with what followed it; what was logged was committed."""
    messages: dict[Event, set[str]] = defaultdict(set)
    counts: dict[str, Counter[Event]] = defaultdict(Counter)
    for entry in timeline:
        messages[entry.event].add(entry.message)
        counts[entry.fingerprint][entry.event] += 1
    assert {line["id"] for line in log if line["event"] in SPOKEN} <= messages[Event.PUT]
    assert {one.key for one in heard} == messages[Event.DELIVERED]
    for events in counts.values():
        assert events[Event.PUT] == events[Event.DELIVERED] + events[Event.JOINED] + events[Event.DROPPED]
        assert not events[Event.DEAD]


def repeats_only_after_kills(heard: list[Heard], killed_at: list[float]) -> None:
    """Between two arrivals of one message somebody was killed, and nobody takes two messages with him."""
    times = defaultdict(list)
    for one in heard:
        times[one.key].append(one.at)
    for arrivals in times.values():
        for before, after in pairwise(arrivals):
            assert any(before < killed < after for killed in killed_at)
    assert len(heard) - len(times) <= len(killed_at)
