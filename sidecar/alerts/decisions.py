"""What one turn came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sidecar.alerts.record import Key, Record
from sidecar.alerts.timeline import Entry
from sidecar.model.notifications import Notification


@dataclass(frozen=True, slots=True)
class Turn:
    """What was decided; nothing of it is so before it is committed and applied."""

    at: float
    records: tuple[Record, ...] = ()  # those that changed
    notifications: tuple[Notification, ...] = ()
    timeline: tuple[Entry, ...] = ()
    obsolete: tuple[Key, ...] = ()  # records to drop, unless a message about them waits
    considered: frozenset[str] = frozenset()  # fingerprints whose changes it took into account
    dues: Mapping[Key, float | None] = field(default_factory=dict)  # when each that was decided is decided again
    due: float | None = None  # the earliest time at which another turn is needed, for any record

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.records or self.notifications or self.timeline or self.obsolete)
