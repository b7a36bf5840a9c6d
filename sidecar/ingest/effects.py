"""What events change in the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sidecar.ingest.rejecting import Rejection
from sidecar.model.samples import Update


@dataclass(frozen=True, slots=True)
class Effect:
    """One change; *events*, by their places, stand or fall with it."""

    update: Update
    events: Sequence[int] = ()


@dataclass(slots=True)
class Effects:
    """What some events come to. What is counted is everybody's; gauges are their sender's."""

    counted: list[Effect] = field(default_factory=list)
    measured: list[Effect] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    duplicates: int = 0
