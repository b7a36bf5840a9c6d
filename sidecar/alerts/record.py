"""What is remembered of what a channel was told about an alert."""

from dataclasses import dataclass
from typing import Final, NamedTuple

KEPT: Final = 900.0
"""Seconds for which a closed record is kept after the end of its alert, as an ended alert is."""
AFTER_FAILURE: Final = 900.0
"""Seconds from an opening that no channel took to the next one, unless the cooldown is longer."""


class Key(NamedTuple):
    """Which record: of which alert, for which channel."""

    fingerprint: str
    channel: str


@dataclass(frozen=True, slots=True)
class Record:
    """One alert on one channel. Times are seconds since the epoch; None is never."""

    fingerprint: str
    channel: str
    open: bool = False  # the channel holds a "firing" of ours that is not closed
    opened_at: float | None = None  # when the last OPENING was put
    told_at: float | None = None  # when the last OPENING or REMINDER was put
    n: int = 0  # messages put since that OPENING
    flips: int = 0  # ends since opened_at, told or not
    hushed: bool = False  # a silence held a reminder back
    failed: bool = False  # the last OPENING surely did not arrive and never will
    firing_since: float | None = None  # the episode seen last, while it lasts
    ended_at: float | None = None  # when its end was seen
    reason: str = ""  # of the last decision

    @property
    def key(self) -> Key:
        return Key(self.fingerprint, self.channel)
