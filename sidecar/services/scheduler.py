"""APScheduler behind the little of it that we need: jobs on a fixed grid, by the calendar, and once."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from sidecar.clock import Clock

Job = Callable[[], None]
Calendar = Callable[[float], float | None]
"""The next time after a time, both in seconds since the epoch; None: never."""

_STEP: Final = 1.0  # seconds by which the wall must leave monotonic time before jobs are placed anew
_EARLY: Final = 0.05  # seconds by which a timer may be early without being wrong


@dataclass(slots=True)
class _Entry:
    name: str
    job: Job
    due: float  # monotonic
    grid: "_Grid | None" = None
    calendar: Calendar | None = None  # without either it runs once
    wall: float = 0.0  # when the calendar has it, seconds since the epoch


@dataclass(frozen=True, slots=True)
class _Grid:
    anchor: float  # monotonic time of some point of the grid
    every: float
    not_before: float  # monotonic; the first run off the grid must not be followed at once

    def after(self, now: float) -> float:
        """The first point of the grid after *now*."""
        after = max(now + min(_EARLY, self.every / 4), self.not_before)
        return self.anchor + ((after - self.anchor) // self.every + 1) * self.every


class Scheduler:
    """Runs jobs at their monotonic times, whatever happens to the wall clock; those of a calendar by the wall.

    APScheduler reads the wall clock itself: after an hour's step back it would run nothing for an hour. So the truth
    about each job is kept here in monotonic time, APScheduler is told what that is on the wall, and is told again when
    the wall steps (`rebase`, found by `watch`, which the owner calls about once a second).

    A job is a plain function that returns at once and runs on the loop; what takes long is a task of the job's owner,
    because APScheduler's shutdown cancels what it started itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.late = 0.0
        """Seconds by which the job that is running now came late."""
        self._entries: dict[str, _Entry] = {}
        self._offset = self._wall_offset()
        self._error: Exception | None = None
        # One line per run and per job would drown the daemon's own log.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._apscheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={
                "coalesce": True,  # what was missed is made up for once
                "misfire_grace_time": None,  # late is better than not at all
                "max_instances": 1000,  # a job returns at once; the owner decides about overlaps
            },
        )

    def start(self) -> None:
        """Begin to run jobs, on the running loop."""
        self._apscheduler.start()

    def every(self, name: str, seconds: float, job: Job, *, first: float | None = None) -> None:
        """Run *job* every *seconds*, on a grid whose place comes from *name*: equal after a restart, spread over names.

        With *first* there is one run that many seconds from now, and the grid places the second, at least half an
        interval later. A job of that name is replaced.
        """
        now = self._clock.monotonic()
        into_grid = (self._clock.time() - place(name) * seconds) % seconds
        if first is None:
            grid = _Grid(now - into_grid, seconds, now)
            self._plan(_Entry(name, job, grid.after(now), grid))
        else:
            grid = _Grid(now - into_grid, seconds, now + first + seconds / 2)
            self._plan(_Entry(name, job, now + first, grid))

    def once(self, name: str, after: float, job: Job) -> None:
        """Run *job* once, in *after* seconds. A job of that name is replaced."""
        self._plan(_Entry(name, job, self._clock.monotonic() + after))

    def at(self, name: str, calendar: Calendar, job: Job) -> None:
        """Run *job* whenever the wall clock comes to a time of *calendar*. A job of that name is replaced.

        A step of the wall over such times runs it once; after a step back they come again.
        """
        wall = calendar(self.wall())
        if wall is None:
            self.remove(name)
        else:
            self._plan(_Entry(name, job, self._on_monotonic(wall), calendar=calendar, wall=wall))

    def remove(self, name: str) -> None:
        """Forget the job; one that is not there is forgotten already."""
        if self._entries.pop(name, None) and self._apscheduler.get_job(name):
            self._apscheduler.remove_job(name)

    def has(self, name: str) -> bool:
        """Whether a job of that name will run."""
        return name in self._entries

    def due(self, name: str) -> float | None:
        """The monotonic time at which the job of that name runs next."""
        entry = self._entries.get(name)
        return entry.due if entry else None

    def wall(self) -> float:
        """The wall clock, which the jobs of a calendar go by."""
        return time.time()

    def watch(self) -> bool:
        """Place the jobs anew if the wall has stepped since the last look; says whether it has.

        Raises what a job raised, which APScheduler would keep to itself.
        """
        if self._error:
            raise self._error
        if abs(self._wall_offset() - self._offset) < _STEP:
            return False
        self.rebase()
        return True

    def rebase(self) -> None:
        """Tell APScheduler anew when each job is due on the wall as it is now."""
        self._offset = self._wall_offset()
        now = self.wall()
        for entry in list(self._entries.values()):
            if entry.calendar is None:
                self._plan(entry)
            elif entry.wall <= now:
                entry.due = self._clock.monotonic()
                self._plan(entry)
            else:
                self.at(entry.name, entry.calendar, entry.job)

    async def shutdown(self) -> None:
        """Run nothing any more."""
        self._entries.clear()
        if self._apscheduler.running:
            self._apscheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # it shuts down in the loop's next turn

    def _plan(self, entry: _Entry) -> None:
        self._entries[entry.name] = entry
        self._apscheduler.add_job(
            self._fire,
            _Trigger(self._clock, entry),
            args=[entry],
            id=entry.name,
            replace_existing=True,
            next_run_time=_on_wall(self._clock, entry.due, datetime.now(UTC)),
        )

    async def _fire(self, entry: _Entry) -> None:
        """Run the job, unless the wall stepped forward and made APScheduler believe that it is due."""
        if self._entries.get(entry.name) is not entry:
            return  # replaced or removed while this was on its way
        now = self._clock.monotonic()
        if now < entry.due - _EARLY and (entry.calendar is None or self.wall() < entry.wall - _EARLY):
            self.rebase()
            return
        self.late = max(0.0, now - entry.due)
        self._follow(entry, now)
        try:
            entry.job()
        except Exception as exc:  # noqa: BLE001 -- raised again by `watch`
            self._error = exc

    def _follow(self, entry: _Entry, now: float) -> None:
        """Say when the job, which runs now, runs next."""
        if entry.grid is not None:
            entry.due = entry.grid.after(now)
            return
        wall = entry.calendar(max(self.wall(), entry.wall)) if entry.calendar else None
        if wall is None:
            self.remove(entry.name)
        else:
            entry.wall, entry.due = wall, self._on_monotonic(wall)

    def _on_monotonic(self, wall: float) -> float:
        return self._clock.monotonic() + wall - self.wall()

    def _wall_offset(self) -> float:
        return time.time() - self._clock.monotonic()


class _Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """What APScheduler asks for the next time of a job."""

    def __init__(self, clock: Clock, entry: _Entry) -> None:
        self._clock = clock
        self._entry = entry

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime | None:
        """The next point after now, so that a week of missed points is one step and not a loop over them."""
        entry = self._entry
        if entry.grid is not None:
            return _on_wall(self._clock, entry.grid.after(self._clock.monotonic()), now)
        wall = entry.calendar(max(now.timestamp(), entry.wall)) if entry.calendar else None
        return None if wall is None else datetime.fromtimestamp(wall, UTC)


def place(name: str) -> float:
    """Where *name* stands in its interval, from 0 to 1; the same on every machine and in every process."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _on_wall(clock: Clock, due: float, now: datetime) -> datetime:
    return now + timedelta(seconds=due - clock.monotonic())
