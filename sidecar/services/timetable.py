"""When each check is probed: on its grid or by its calendar, and within its hours."""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import partial
from typing import Final

from sidecar.checks import Check
from sidecar.clock import Clock
from sidecar.model.schedules import is_open, next_change, next_run, zone
from sidecar.services.scheduler import Scheduler
from sidecar.services.watched import Watched

_EARLY: Final = 0.1  # seconds by which a job may come before the wall clock has its time

Turn = Callable[[Watched], None]


class Timetable:
    """Calls *due* at each turn of a check's schedule, *soon* for a probe beside it, *hours* when they open or close.

    *timezone* is that of checks which name none. Nothing is called before `start`.
    """

    def __init__(self, clock: Clock, timezone: str, *, due: Turn, soon: Turn, hours: Turn) -> None:
        self.timezone = timezone
        self._clock = clock
        self._due = due
        self._soon = soon
        self._hours = hours
        self._scheduler = Scheduler(clock)
        self._started = False

    @property
    def late(self) -> float:
        """Seconds by which the turn that is now came late."""
        return self._scheduler.late

    def start(self) -> None:
        """Begin, on the running loop."""
        self._started = True
        self._scheduler.start()

    def watch(self) -> bool:
        """Whether the wall clock has stepped since the last look; raises what a turn raised."""
        return self._scheduler.watch()

    def rebase(self) -> None:
        """The wall clock was set."""
        self._scheduler.rebase()

    async def shutdown(self) -> None:
        """No turn comes any more."""
        await self._scheduler.shutdown()

    def begin(self, fresh: Sequence[Watched], spread: float) -> None:
        """The first probes of *fresh* now, over *spread* seconds; the schedule of each has the others."""
        if not self._started:
            return  # all begin when it does
        for n, watched in enumerate(fresh):
            first, check = n * spread / len(fresh), watched.check
            if check.cron is None:
                self._scheduler.every(watched.name, check.every, partial(self._due, watched), first=first)
            else:
                self._scheduler.once(watched.first, first, partial(self._soon, watched))
            self.follow(watched)

    def follow(self, watched: Watched) -> None:
        """Place what goes by the clocks of the check's zone."""
        if not self._started:
            return
        check, place = watched.check, self._zone(watched.check)
        if check.cron is not None:
            self._scheduler.at(watched.name, partial(next_run, check.cron, place=place), partial(self._due, watched))
        if check.hours:
            calendar = partial(next_change, check.hours, place=place)
            self._scheduler.at(watched.hours, calendar, partial(self._hours, watched))

    def confirm(self, watched: Watched) -> None:
        """One probe soon, because the check is undecided."""
        check = watched.check
        after = check.confirm if check.cron else min(check.confirm, check.every)
        self._scheduler.once(watched.confirm, after, partial(self._soon, watched))

    def has_confirm(self, watched: Watched) -> bool:
        """Whether that probe is still to come."""
        return self._scheduler.has(watched.confirm)

    def forget_confirm(self, watched: Watched) -> None:
        """There is no need for that probe any more."""
        self._scheduler.remove(watched.confirm)

    def forget(self, watched: Watched) -> None:
        """No turn comes any more for this check."""
        for job in watched.jobs:
            self._scheduler.remove(job)

    def next_run(self, watched: Watched) -> float | None:
        """When the check is probed next, in seconds since the epoch."""
        jobs = (watched.hours,) if watched.closed else (watched.name, watched.first, watched.confirm)
        due = [due for job in jobs if (due := self._scheduler.due(job)) is not None]
        return self._clock.time() + min(due) - self._clock.monotonic() if due else None

    def is_closed(self, check: Check) -> bool:
        """Whether this is outside of the check's hours."""
        return not is_open(check.hours, self._scheduler.wall() + _EARLY, self._zone(check))

    def _zone(self, check: Check) -> tzinfo:
        return zone(check.timezone or self.timezone)
