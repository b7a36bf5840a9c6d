"""The clock that does not jump."""

import math
import time
from collections.abc import Callable
from typing import Final, Protocol

SLEW_LIMIT: Final = 2.0
"""Seconds of drift up to which the clock walks towards the wall instead of jumping."""
SLEW_RATE: Final = 0.01
"""Seconds of drift taken off per second that passes."""


class Clock(Protocol):
    """What services read once per turn; waiting is `asyncio.sleep`."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; for durations."""
        ...


class SystemClock:
    """The wall clock at start plus the monotonic time since, so that nobody who sets the wall can disturb it.

    `check` compares it with the wall and is called once per turn. On an event loop whose time is its own, *monotonic*
    is `loop.time`.
    """

    def __init__(
        self, *, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._checked_at = monotonic()
        self._time_then = wall()
        self._drift = 0.0  # what the wall was ahead at the last check

    def time(self) -> float:
        """Seconds since the epoch; goes back only in a `check` that says so."""
        passed = self._monotonic() - self._checked_at
        slewed = min(abs(self._drift), passed * SLEW_RATE)
        return self._time_then + passed + math.copysign(slewed, self._drift)

    def monotonic(self) -> float:
        """Seconds since some start; for durations."""
        return self._monotonic()

    def check(self) -> float:
        """Compare with the wall; returns by how many seconds the clock has just jumped, 0.0 if it has not.

        Drift up to SLEW_LIMIT is walked off at SLEW_RATE. More is taken at once: a positive step is a machine that
        slept, to be treated as a downtime of that length; a negative one means that the caller restarts in place.
        """
        time_now = self.time()
        self._checked_at = self._monotonic()
        drift = self._wall() - time_now
        step = drift if abs(drift) > SLEW_LIMIT else 0.0
        self._time_then = time_now + step
        self._drift = drift - step
        return step
