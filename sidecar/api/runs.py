"""Probes that somebody asks for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.api.problems import ApiError, Word
from sidecar.checks import Check
from sidecar.model.checks import CheckState
from sidecar.model.durations import show
from sidecar.model.errors import SidecarError

PAID_GAP: Final = 60.0
"""Seconds from one probe that costs money to the next that somebody asks for: whoever asks again spends again."""
FREE_GAP: Final = 1.0
"""The same for probes that cost nothing."""
PATIENCE: Final = 25.0
"""Seconds after which whoever asked for a probe is told that it still runs: less than the server waits."""


class Runs:
    """Probes that were asked for: joined while they run, and not too many in a row."""

    def __init__(self, run_now: Callable[[str], Awaitable[object]], now: Callable[[], float]) -> None:
        self._run_now = run_now
        self._now = now
        self._running: dict[str, asyncio.Task[object]] = {}
        self._asked: dict[str, float] = {}

    async def run(self, check: Check, state: CheckState) -> bool:
        """Whether the probe ended in time; raises ApiError when it is too soon."""
        task = self._running.get(check.name)
        if task is None:
            self._hold(check, state)
            self._asked[check.name] = self._now()
            task = asyncio.create_task(self._probe(check.name), name=f"asked probe of {check.name}")
            self._running[check.name] = task
            task.add_done_callback(lambda _: self._running.pop(check.name, None))
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        for each in done:
            try:
                each.result()
            except SidecarError as exc:  # the check left the configuration meanwhile
                raise ApiError(Word.NOT_FOUND, str(exc)) from exc
        return bool(done)

    async def _probe(self, name: str) -> object:
        return await self._run_now(name)

    def _hold(self, check: Check, state: CheckState) -> None:
        gap = PAID_GAP if check.costs_money else FREE_GAP
        last = max(state.last.at if state.last and check.costs_money else 0.0, self._asked.get(check.name, 0.0))
        wait = last + gap - self._now()
        if 0 < wait <= gap:
            why = "each probe costs money" if check.costs_money else "it is probed for whoever asks, but not at will"
            raise ApiError(
                Word.TOO_MANY,
                f"the check {check.name!r} was probed {show(gap - wait)} ago, expected at least {show(gap)} between "
                f"two probes, because {why}; its state is at /api/v1/checks/{check.name}",
                retry_after=wait,
            )
