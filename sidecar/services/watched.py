"""A check under watch: what its probes said so far, and what becomes of it when the configuration changes."""

import asyncio
from dataclasses import dataclass, field

from sidecar.checks import Check
from sidecar.model.checks import CheckState


@dataclass(slots=True, eq=False)
class Watched:
    """A check, its state, and its running probe; times are monotonic."""

    check: Check
    state: CheckState = field(default_factory=CheckState)
    told: bool = False  # whether gauges of a result are live
    expires: float | None = None  # when they end unless another result comes
    closed: bool = False  # whether this is outside of its hours
    running: "asyncio.Task[None] | None" = None
    planned: bool = False  # whether the running probe was started by the schedule
    late: float = 0.0  # seconds by which the running probe's turn came late
    began_at: float | None = None  # when the running probe got a free slot
    before: "tuple[asyncio.Task[None], ...]" = ()  # probes of checks of its name that this one replaces
    dropped: bool = False  # whether nobody wants to hear of it any more

    @property
    def name(self) -> str:
        return self.check.name

    @property
    def first(self) -> str:
        """The name of the job that probes it for the first time; no check's name has that sign."""
        return f"{self.name}#first"

    @property
    def confirm(self) -> str:
        """The name of the job that probes it while it is undecided."""
        return f"{self.name}#confirm"

    @property
    def hours(self) -> str:
        """The name of the job that opens and closes it."""
        return f"{self.name}#hours"

    @property
    def jobs(self) -> tuple[str, ...]:
        """The names of all its jobs."""
        return self.name, self.first, self.confirm, self.hours


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of the checks, by name."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # whatever about them; those with equal settings are in none of these
    relabelled: tuple[str, ...] = ()  # the changed ones whose series have other labels now
    gone: tuple[str, ...] = ()

    @property
    def ended(self) -> tuple[str, ...]:
        """Whose series end."""
        return *self.gone, *self.relabelled

    @property
    def begun(self) -> tuple[str, ...]:
        """Whose series begin."""
        return *self.added, *self.relabelled


def is_same(old: Check, new: Check) -> bool:
    """Whether what was found out about *old* is true of *new*: the same thing is asked the same question."""
    return _question(old) == _question(new)


def _question(check: Check) -> tuple[object, ...]:
    return check.type, check.target, check.labels, check.per_pod, check.negative
