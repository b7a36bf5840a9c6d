"""What became of events that somebody sent."""

from dataclasses import dataclass
from enum import StrEnum

from sidecar.model.errors import SidecarError


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """One event that was not counted."""

    index: int  # its place in the request, the first is 0
    reason: str  # a word that is a label's value, too
    message: str  # what was found, and what was expected


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the events of one request."""

    accepted: int
    duplicates: int = 0  # counted before, under the same id
    rejected: int = 0
    examples: tuple[RejectedEvent, ...] = ()  # the first of them

    @property
    def in_vain(self) -> bool:
        """Whether nothing of it was of any use."""
        return not self.accepted and not self.duplicates


class Why(StrEnum):
    """Why a whole request of events is turned down."""

    OFF = "off"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    TOO_FAST = "too_fast"


class EventsRefused(SidecarError):  # noqa: N818 -- the word of its tree, as CheckFailed is
    """A request of which no event was looked at. *retry_after* is in seconds."""

    def __init__(self, why: Why, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.retry_after = retry_after
