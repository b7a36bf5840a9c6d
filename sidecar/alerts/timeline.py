"""What happened to an alert, line by line."""

from dataclasses import dataclass
from enum import StrEnum


class Event(StrEnum):
    STATE = "state"  # the alert's own life: pending, firing, ended
    NOTHING = "nothing"  # why a channel is not told
    PUT = "put"  # a message was decided; it is in the outbox
    DELIVERED = "delivered"
    FAILED = "failed"  # an attempt that surely did not arrive
    UNANSWERED = "unanswered"  # an attempt that may have arrived
    JOINED = "joined"  # a waiting message became part of a newer one
    DROPPED = "dropped"  # a waiting message that became pointless
    DEAD = "dead"  # a message that is not tried any more


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an alert's timeline; `at` and `due` are seconds since the epoch."""

    at: float
    fingerprint: str
    event: Event
    text: str  # the reason, the kind of message, what the other end said
    channel: str = ""
    message: str = ""  # the message's id
    due: float | None = None  # when the decision is looked at again
