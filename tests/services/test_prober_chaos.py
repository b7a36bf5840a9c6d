"""Whatever happens to checks in whatever order, each probe is one, and is told once."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
import structlog

from sidecar.checks import CheckFailed, CheckUnknown, ProbeContext
from sidecar.model.checks import CheckStatus
from sidecar.services.prober import UnknownCheck
from tests.services.desk import Desk, Scripted, step_wall

NAMES = "abcd"
SETTINGS: list[dict[str, Any]] = [
    {},
    {"every": "5s"},
    {"timeout": "3s"},
    {"cron": "*/1 * * * *"},
    {"hours": {"from": "12:02", "to": "12:07"}},
    {"labels": {"team": "ai"}},
    {"negative": True},
    {"success_threshold": 2},
]


class Chaos:
    """Targets that answer by chance, and count who asks them at once."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._probes: dict[str, Any] = {}
        self.running: Counter[str] = Counter()
        self.most = 0
        self.ended: Counter[str] = Counter()

    def check(self, name: str, settings: dict[str, Any]) -> Scripted:
        async def probe(ctx: ProbeContext) -> None:
            self.running[name] += 1
            self.most = max(self.most, self.running[name])
            try:
                await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.5, 4.0, 30.0]))
                match self.chance.randrange(5):
                    case 0:
                        raise CheckFailed("connect", "refused")
                    case 1:
                        raise CheckUnknown("waiting", "not yet")
            finally:
                self.running[name] -= 1
                self.ended[name] += 1

        # Equal settings make equal checks, as a file that is read twice does.
        probe_of = self._probes.setdefault(name, probe)
        return Scripted.model_validate({"name": name, "does": probe_of, **settings})


@pytest.mark.parametrize("seed", range(25))
async def test_chaos(probing, seed):
    """Checks come, change and go, are asked for, fail, hang, open and close; the clock is set; all stays in order."""
    world = Chaos(seed)
    chance = world.chance
    configured = dict.fromkeys(NAMES, SETTINGS[0])
    with structlog.testing.capture_logs():
        desk: Desk = probing(*(world.check(name, settings) for name, settings in configured.items()), most=3)
        asked = []
        for _ in range(60):
            await asyncio.sleep(chance.choice([0.1, 1.0, 7.0, 20.0]))
            match chance.randrange(4):
                case 0:
                    configured = {
                        name: chance.choice([configured.get(name, {}), chance.choice(SETTINGS)])
                        for name in NAMES
                        if chance.random() < 0.8
                    }
                    before = set(desk.prober.states())
                    replaced = desk.prober.replace([world.check(name, s) for name, s in configured.items()])
                    assert set(replaced.gone) == before - set(configured)
                    assert set(replaced.added) == set(configured) - before
                case 1:
                    asked.append(asyncio.create_task(desk.prober.run_now(chance.choice(NAMES))))
                case 2 if chance.random() < 0.2:
                    step_wall(chance.choice([-400.0, 90.0, 700.0]))
            assert list(desk.prober.states()) == list(configured)
            for name, state in desk.prober.states().items():
                assert not (state.reason and state.status is not CheckStatus.UNKNOWN), (name, state)
                run = desk.prober.next_run(name)
                assert run is not None
        await asyncio.sleep(60)
        answers = await asyncio.gather(*asked, return_exceptions=True)

    assert not desk.task.done()
    assert world.most == 1, "nothing is asked by two at once"
    told = Counter(batch.source.removeprefix("check:") for batch in desk.batches if batch.whole)
    assert all(told[name] <= world.ended[name] for name in NAMES)
    assert all(not isinstance(answer, BaseException) or isinstance(answer, UnknownCheck) for answer in answers)
    times = [batch.at for batch in desk.batches]
    assert times == sorted(times)
