"""How late the event loop is, and what garbage collections cost."""

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any, Final

from sidecar.model.families import GC_PAUSE, GC_SECONDS, LOOP_LAG
from sidecar.model.samples import Update

INTERVAL: Final = 0.5
"""Seconds between two looks: what holds the loop for so long is always seen, a tenth of it one time in ten."""


class LoopWatch:
    """Watches the running loop from `run` until it is cancelled; `updates` tells the worst since it was asked last."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._late = 0.0
        self._due: float | None = None
        self._pause = 0.0
        self._paused = 0.0  # seconds in all that were not told yet
        self._collecting = 0.0  # when the collection under way began

    async def run(self) -> None:
        """Look at the clock now and then."""
        gc.callbacks.append(self._collected)
        try:
            while True:
                self._due = self._monotonic() + INTERVAL
                await asyncio.sleep(INTERVAL)
                self._look()
        finally:
            gc.callbacks.remove(self._collected)
            self._due = None

    def updates(self) -> tuple[Update, ...]:
        """The longest lateness, the longest collection and the time of all, since this was asked last."""
        self._look()  # whoever asks may be the first to run after a long hold
        found = (Update(LOOP_LAG, self._late), Update(GC_PAUSE, self._pause), Update(GC_SECONDS, self._paused))
        self._late = self._pause = self._paused = 0.0
        return found

    def _look(self) -> None:
        if self._due is not None:
            self._late = max(self._late, self._monotonic() - self._due)

    def _collected(self, phase: str, _: dict[str, Any]) -> None:
        """Called by the collector, at the beginning and at the end; real time, since it is the machine's."""
        now = time.perf_counter()
        if phase == "start":
            self._collecting = now
        elif self._collecting:
            self._pause = max(self._pause, now - self._collecting)
            self._paused += now - self._collecting
            self._collecting = 0.0
