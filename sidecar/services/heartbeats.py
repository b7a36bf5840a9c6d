"""Takes the calls of jobs, and remembers them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import structlog

from sidecar.checks import Check
from sidecar.clock import Clock
from sidecar.db import Database
from sidecar.db import heartbeats as table
from sidecar.db.heartbeats import Remembered
from sidecar.model.errors import SidecarError
from sidecar.model.heartbeats import Call, Expected, Heard, TooManyCalls, UnknownHeartbeat, called, moved
from sidecar.secrets import redact

log = structlog.get_logger(__name__)

BURST: Final = 60
"""Calls under one name at once; one a second after that."""
LONGEST: Final = 2048
"""Characters of a call's message that are remembered."""


@dataclass(slots=True)
class _Job:
    """One name under which calls are waited for."""

    expected: Expected
    heard: Heard
    allowance: float = float(BURST)
    refilled_at: float = 0.0  # by the monotonic clock


class Heartbeats:
    """Waits for calls under the names of those *checks* that have an `expected`; after each, *run_now* has it judged.

    *remembered* is what the daemon before us heard, and *away_since* when it could hear last: a call that was due since
    then may have come, so nobody is late for it.
    """

    def __init__(
        self,
        checks: Iterable[Check],
        clock: Clock,
        database: Database,
        *,
        run_now: Callable[[str], Awaitable[object]],
        remembered: Iterable[Remembered] = (),
        away_since: float | None = None,
    ) -> None:
        self._clock = clock
        self._database = database
        self._run_now = run_now
        self._running: set[asyncio.Task[None]] = set()
        self._unsaved = asyncio.Event()
        self._dirty: set[str] = set()
        now = clock.time()
        rows = {row.name: row for row in remembered}
        self._jobs = {
            name: _Job(expected, _restored(rows.get(name), expected, away_since, now))
            for name, expected in _expectations(checks).items()
        }
        self._touch(*self._jobs, *rows)

    @property
    def names(self) -> list[str]:
        """Under which calls are taken."""
        return sorted(self._jobs)

    def heard(self, name: str) -> Heard:
        """What was heard under *name*; nothing where nobody waits."""
        job = self._jobs.get(name)
        return job.heard if job else Heard()

    def expected(self, name: str) -> Expected:
        """When calls under *name* should come; raises UnknownHeartbeat."""
        return self._job(name).expected

    def call(self, name: str, call: Call, message: str = "", exit_code: int | None = None) -> Heard:
        """Take a call. It counts from now on, and is on disk soon; raises UnknownHeartbeat or TooManyCalls."""
        job = self._job(name)
        self._admit(name, job)
        said = redact(message, cut=True)[:LONGEST]
        job.heard = called(job.heard, call, self._clock.time(), said, exit_code)
        log.info("heartbeat.called", check=name, call=call.value, exit_code=exit_code)
        self._touch(name)
        task = asyncio.create_task(self._judge(name), name=f"heartbeat {name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return job.heard

    def replace(self, checks: Iterable[Check]) -> None:
        """Wait for these from now on. Who is expected at other times is waited for anew; what was heard stays."""
        now = self._clock.time()
        before, self._jobs = self._jobs, {}
        for name, expected in _expectations(checks).items():
            job = before.get(name)
            heard = job.heard if job else Heard(since=now)
            if job and terms(job.expected) != terms(expected):
                heard = replace(heard, since=now, deaf=None)
            self._jobs[name] = _Job(expected, heard)
        self._touch(*before, *self._jobs)

    def step(self, seconds: float, now: float) -> None:
        """The clock jumped by *seconds*: forward, we slept and heard nobody; back, what was heard moves along."""
        for job in self._jobs.values():
            if seconds < 0:
                job.heard = moved(job.heard, seconds, now)
            else:
                job.heard = job.expected.unheard(job.heard, now - seconds, now)
        self._touch(*self._jobs)

    def rows(self) -> list[Remembered]:
        """All that is known, for a file that has lost it."""
        return [Remembered(name, terms(job.expected), job.heard) for name, job in self._jobs.items()]

    async def run(self) -> None:
        """Write down what was heard, soon after; the rest when cancelled."""
        try:
            while True:
                await self._unsaved.wait()
                await self._save()
        finally:
            await self._save()

    async def _save(self) -> None:
        self._unsaved.clear()
        dirty, self._dirty = self._dirty, set()
        if dirty:
            rows = [row for row in self.rows() if row.name in dirty]
            await self._database.run(table.save, rows, dirty - set(self._jobs))

    async def _judge(self, name: str) -> None:
        with suppress(SidecarError):  # a reload took the check meanwhile
            await self._run_now(name)

    def _job(self, name: str) -> _Job:
        if job := self._jobs.get(name):
            return job
        known = ", ".join(self.names) or "none; add a check of the type heartbeat"
        raise UnknownHeartbeat(f"got a call for {name[:80]!r}, expected one of: {known}")

    def _admit(self, name: str, job: _Job) -> None:
        now = self._clock.monotonic()
        job.allowance = min(float(BURST), job.allowance + now - job.refilled_at)
        job.refilled_at = now
        if job.allowance < 1.0:
            log.warning("heartbeat.refused", check=name, reason="rate")
            raise TooManyCalls(f"got more than {BURST} calls for {name!r} in a row, expected one a second", 1.0)
        job.allowance -= 1.0

    def _touch(self, *names: str) -> None:
        self._dirty.update(names)
        if self._dirty:
            self._unsaved.set()


def terms(expected: Expected) -> str:
    """What a memory of lateness depends on, as one text."""
    return f"{expected.period}|{expected.schedule}|{expected.timezone}|{expected.grace}"


def _expectations(checks: Iterable[Check]) -> Mapping[str, Expected]:
    found = ((check.name, getattr(check, "expected", None)) for check in checks)
    return {name: expected for name, expected in found if isinstance(expected, Expected)}


def _restored(row: Remembered | None, expected: Expected, away_since: float | None, now: float) -> Heard:
    if row is None:
        return Heard(since=now)
    heard = moved(row.heard, 0.0, now)  # the clock may have been set back while nobody looked
    if row.terms != terms(expected):
        return replace(heard, since=now, deaf=None)
    return heard if away_since is None else expected.unheard(heard, min(away_since, now), now)
