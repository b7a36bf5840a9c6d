"""A prober at work, for stories of checks in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.clock import Clock
from sidecar.model.checks import CheckState, CheckStatus
from sidecar.model.samples import Batch, Family
from sidecar.outbound import Outbound
from sidecar.services.prober import Prober
from sidecar.testing import VirtualTimeLoop

Behaviour = Callable[[ProbeContext], Awaitable[None]]


def now() -> float:
    return asyncio.get_running_loop().time()


class Scripted(Check):
    """A check that does what the test says."""

    type: str = "scripted"
    does: Any = None

    @property
    def target(self) -> str:
        return f"test://{self.name}"

    async def probe(self, ctx: ProbeContext) -> None:
        if self.does:
            await self.does(ctx)


async def fail(ctx: ProbeContext) -> None:
    raise CheckFailed("connect", "got a refused connection, expected an open port")


async def hang(ctx: ProbeContext) -> None:
    await asyncio.Event().wait()


class Target:
    """Something that is well or not, and remembers when it was probed."""

    def __init__(self, takes: float = 0.0) -> None:
        self.well = True
        self.takes = takes
        self.probed: list[float] = []

    async def __call__(self, ctx: ProbeContext) -> None:
        self.probed.append(now())
        await asyncio.sleep(self.takes)
        if not self.well:
            await fail(ctx)


class Desk:
    """A prober at work and everybody who hears from it."""

    task: asyncio.Task[None]

    def __init__(self, checks: Sequence[Check], clock: Clock, outbound: Outbound, options: dict[str, Any]) -> None:
        self.batches: list[Batch] = []
        self.lapses: list[tuple[str, float]] = []
        self.changes: list[tuple[str, float, bool]] = []
        self.prober = Prober(
            checks,
            clock,
            outbound,
            emit=self.batches.append,
            lapse=lambda source, at: self.lapses.append((source, at)),
            on_change=lambda check, at, changed: self.changes.append((check, at, changed)),
            **options,
        )

    def values(self, family: Family, check: str | None = None) -> list[float]:
        """Every value of *family* that was emitted, in order."""
        return [
            update.value
            for batch in self.batches
            for update in batch.updates
            if update.family is family and check in (None, update.labels["check"])
        ]

    def status(self, check: str) -> CheckStatus:
        return self.prober.states()[check].status

    def state(self, check: str) -> CheckState:
        return self.prober.states()[check]

    def names(self, check: str) -> list[str]:
        """What the check's latest batch is of."""
        batch = next(batch for batch in reversed(self.batches) if batch.source == f"check:{check}")
        return [update.family.name for update in batch.updates]


def step_wall(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.step_wall(seconds)
