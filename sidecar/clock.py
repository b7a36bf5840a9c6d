"""The clock that does not jump."""

from typing import Protocol


class Clock(Protocol):
    """What services read once per turn; waiting is `asyncio.sleep`."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; for durations."""
        ...
