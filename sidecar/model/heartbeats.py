"""What a job says of itself by calling in, and when it should."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sidecar.model.errors import SidecarError
from sidecar.model.schedules import next_run, zone

EARLY: Final = 5.0
"""Seconds by which a call may come before its time on the calendar: the job's clock is not ours."""


class Call(StrEnum):
    """What a call says."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Heard:
    """The calls so far; times in seconds since the epoch, None: never."""

    since: float = 0.0  # from when calls are waited for; 0 where nobody takes calls
    started: float | None = None  # of the run that has not ended yet
    succeeded: float | None = None
    failed: float | None = None  # unless it succeeded since
    message: str = ""  # what the last end said
    exit_code: int | None = None  # of the last failure, if it had one
    duration: float | None = None  # seconds, of the last run, if it said when it started
    deaf: tuple[float, float] | None = None  # the last time in which we could hear nobody

    @property
    def waits(self) -> bool:
        """Whether nothing is known: no call came yet, or the last one that was due may have come unheard."""
        unheard = self.deaf is not None and self.since == self.deaf[1]
        return self.succeeded is None or (unheard and self.succeeded < self.since)


def called(heard: Heard, call: Call, at: float, message: str = "", exit_code: int | None = None) -> Heard:
    """*heard* after one more call. Of runs that overlap, the last start and the first end are taken for one."""
    if call is Call.START:
        return replace(heard, started=at)
    duration = None if heard.started is None else max(0.0, at - heard.started)
    ended = replace(heard, started=None, duration=duration, message=message)
    if call is Call.SUCCESS:
        return replace(ended, succeeded=at, failed=None, exit_code=None)
    return replace(ended, failed=at, exit_code=exit_code)


def moved(heard: Heard, seconds: float, now: float) -> Heard:
    """*heard* on a clock that was set by *seconds*; nothing of it lies after *now*."""

    def there(at: float | None) -> float | None:
        return None if at is None else min(at + seconds, now)

    since = there(heard.since)
    assert since is not None
    return replace(
        heard,
        since=since,
        started=there(heard.started),
        succeeded=there(heard.succeeded),
        failed=there(heard.failed),
        deaf=None if heard.deaf is None else (min(heard.deaf[0] + seconds, now), min(heard.deaf[1] + seconds, now)),
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """When a job should call in: once in *period*, or when its *schedule* is due; seconds, as everywhere."""

    period: float | None
    schedule: str = ""  # a cron expression, which counts instead of the period
    timezone: str = ""
    grace: float = 0.0
    max_runtime: float | None = None

    def due(self, heard: Heard) -> float:
        """When the next success should come: counted from the last one, or from when we wait."""
        base = heard.since if heard.succeeded is None else max(heard.since, heard.succeeded)
        if self.period is not None:
            return base + self.period
        early = EARLY if base == heard.succeeded else 0.0
        return next_run(self.schedule, base + early, zone(self.timezone))

    def late(self, heard: Heard) -> float:
        """When the job is late: after its grace, but not while a run that said that it began may go on."""
        late = self.due(heard) + self.grace
        end = self.overrun(heard)
        return late if end is None else max(late, end)

    def overrun(self, heard: Heard) -> float | None:
        """When the run that is under way takes too long; None where none is, or its end may have come unheard."""
        if heard.started is None or self.max_runtime is None:
            return None
        if heard.deaf is not None and heard.started < heard.deaf[1]:
            return None
        return heard.started + self.max_runtime

    def unheard(self, heard: Heard, begin: float, end: float) -> Heard:
        """*heard* after a time in which we could hear nobody.

        If a call was due in it, that call may have come: nobody is late for it, and the next one is waited for.
        """
        due = self.due(heard)
        until = self.late(heard)
        found = replace(heard, deaf=(begin, end))
        missed_by_us = heard.failed is None and due <= end and begin <= until
        return replace(found, since=end) if missed_by_us else found


class UnknownHeartbeat(SidecarError):  # noqa: N818 -- what was asked for, not what went wrong
    """A name under which nobody waits for calls."""


class TooManyCalls(SidecarError):  # noqa: N818 -- as UnknownHeartbeat
    """More calls under one name than any job has to say; *retry_after* is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
