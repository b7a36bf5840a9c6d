"""How many messages a channel gets in a minute; in a storm what is beyond is told in few, and nothing is lost."""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Final

WINDOW: Final = 60.0
"""Seconds over which messages are counted."""
_PACKS: Final = 6  # of the messages of a minute, those that are kept for what is told together, at most


class Allowance:
    """When messages were put for each channel. Most of a channel's *cap* is for single messages, the rest for packs.

    A cap of 0 is none. Only openings and reminders can be held; ends count, and are never held.
    """

    def __init__(self) -> None:
        self._put: defaultdict[str, deque[float]] = defaultdict(deque)

    def single(self, channel: str, cap: int, now: float) -> int | None:
        """How many messages may go by themselves at *now*; what is beyond goes together. None: any number."""
        if not cap:
            return None
        return max(0, cap - _packs(cap) - self._count(channel, now))

    def held_until(self, channel: str, cap: int, now: float) -> float | None:
        """Until when nothing that can wait is put for *channel*; None when nothing is in its way."""
        count = self._count(channel, now)
        if not cap or count < cap - _packs(cap) or not count:
            return None
        put = self._put[channel]
        # The one whose going makes room; or, while there is room for packs, their share of the minute.
        until = put[count - cap] + WINDOW if count >= cap else put[-1] + WINDOW / _packs(cap)
        return until if until > now else None

    def put(self, channels: Iterable[str], now: float) -> None:
        """A message was put for each of *channels*."""
        for channel in channels:
            self._put[channel].append(now)

    def step(self, seconds: float) -> None:
        """The clock was set back by *seconds*, a negative number."""
        for channel, times in self._put.items():
            self._put[channel] = deque(time + seconds for time in times)

    def _count(self, channel: str, now: float) -> int:
        times = self._put[channel]
        while times and times[0] <= now - WINDOW:
            times.popleft()
        return len(times)


def _packs(cap: int) -> int:
    return max(1, min(_PACKS, cap // 3))
