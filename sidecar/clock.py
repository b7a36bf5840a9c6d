"""The clock that does not jump."""

import time
from collections.abc import Callable
from typing import Final, Protocol

SLEW_LIMIT: Final = 2.0
"""Seconds of drift up to which the clock walks towards the wall instead of jumping."""
SLEW_RATE: Final = 0.05
"""Seconds of drift taken off per second that passes; slow enough that no duration is off by more than 5 %."""


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
        self._offset = wall() - monotonic()  # what monotonic time lacks to the epoch
        self._checked = monotonic()

    def time(self) -> float:
        """Seconds since the epoch; never goes back but in a `check` that says so."""
        return self._offset + self._monotonic()

    def monotonic(self) -> float:
        """Seconds since some start; for durations."""
        return self._monotonic()

    def check(self) -> float:
        """Compare with the wall; returns by how many seconds the clock has just jumped, 0.0 if it has not.

        Drift up to SLEW_LIMIT is walked off at SLEW_RATE. More is taken at once: a positive step is a machine that
        slept, to be treated as a downtime of that length; a negative one means that the caller restarts in place.
        """
        now = self._monotonic()
        passed, self._checked = now - self._checked, now
        drift = self._wall() - (self._offset + now)
        if abs(drift) > SLEW_LIMIT:
            self._offset += drift
            return drift
        most = passed * SLEW_RATE
        self._offset += max(-most, min(most, drift))
        return 0.0
