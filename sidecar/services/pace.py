"""When a channel may be tried again, and each of its messages."""

from collections.abc import Callable, Collection
from typing import Final

from sidecar import backoff

THRESHOLD: Final = 5
"""Failures in a row, of whatever messages, after which the channel itself is taken to be down."""
OPEN_FOR: Final = 15.0
"""Seconds until a channel that is down is tried with one message; doubling up to `backoff.CAP`."""


class Pace:
    """One channel's circuit breaker, and the back-off of each message; all times are monotonic.

    A message that fails waits alone. After THRESHOLD failures in a row the whole channel waits, and is tried with one
    message; when that one is answered, everything that waited is due. *chance* gives random numbers in [0, 1).
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._row = 0  # failures in a row
        self._until = 0.0  # the channel is left alone until then
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = {}

    @property
    def open(self) -> bool:
        """Whether the channel is taken to be down."""
        return self._row >= THRESHOLD

    def choose(self, ids: Collection[str], now: float) -> tuple[str | None, float | None]:
        """The message to try now; or None, and when to ask again, None for when something is put.

        *ids* are all that could be tried, in order; others are forgotten.
        """
        for id_ in self._due.keys() - set(ids):
            self.forget(id_)
        first = min(ids, key=lambda id_: self._due.get(id_, 0.0), default=None)
        if first is None:
            return None, None
        due = max(self._until, self._due.get(first, 0.0))
        return (first, None) if now >= due else (None, due)

    def answered(self, id_: str) -> None:
        """The channel took the message, or refused it for good: it is there."""
        if self.open:
            self._due.clear()  # what failed before failed because nobody was there
        self._row, self._until = 0, 0.0
        self.forget(id_)

    def failed(self, id_: str, now: float, retry_after: float | None = None, *, alone: bool = False) -> float:
        """The message was in vain and is tried again; returns when at the earliest.

        *alone*: it says nothing about the channel.
        """
        failures = self._failures[id_] = self._failures.get(id_, 0) + 1
        wait = backoff.full_jitter(failures, self._chance())
        if retry_after is not None:
            # Somebody is there, and speaks for the whole channel: nothing is gained by trying another message.
            self._due[id_] = self._until = now + backoff.asked(wait, retry_after, self._chance())
            return self._until
        self._row = 0 if alone else self._row + 1
        if self.open:
            pause = backoff.full_jitter(self._row - THRESHOLD + 1, self._chance(), base=OPEN_FOR)
            self._until = max(self._until, now + pause)
        self._due[id_] = now + wait
        return max(self._until, self._due[id_])

    def forget(self, id_: str) -> None:
        """The message is gone."""
        self._due.pop(id_, None)
        self._failures.pop(id_, None)
