"""What became of the events."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stats:
    """Counts since the process began, or was forked.

    `queued` wait; `accepted`, `duplicates` and `rejected` are the sidecar's answer, in events as they were sent:
    increments of one counter travel together. `dropped` are the oldest that found no room, `expired` waited too long,
    `invalid` were no events, and `lost` were refused by the sidecar as a whole or not sent when the client was closed.
    """

    queued: int = 0
    sent: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    dropped: int = 0
    expired: int = 0
    invalid: int = 0
    lost: int = 0
    failures: int = 0  # attempts that did not reach the sidecar, or that it did not take
    connected: bool = False  # whether the last attempt did
    last_error: str = ""
