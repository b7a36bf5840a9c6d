"""Runs the checks on their schedules and says what they found."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import structlog

from sidecar.checks import Check
from sidecar.clock import Clock
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult, advance, lapse, max_age, undecided
from sidecar.model.errors import SidecarError
from sidecar.model.samples import Emit
from sidecar.outbound import Outbound
from sidecar.services import probing
from sidecar.services.scheduler import Scheduler

log = structlog.get_logger(__name__)

SPREAD: Final = 10.0
"""Seconds over which the first probes are spread, or less if some check runs more often than that."""
GRACE: Final = 5.0
"""Seconds that running probes get to end when the prober is stopped."""
TURN: Final = 1.0
"""Seconds between two looks at the wall clock and at checks without results."""


class OnChange(Protocol):
    """Hears of each probe after its samples were emitted."""

    def __call__(self, check: str, at: float, changed: bool, /) -> None:
        """*changed*: whether `probe_success` or the check's state differs from what it was before."""
        ...


class UnknownCheck(SidecarError):  # noqa: N818 -- what was asked for, not what went wrong
    """A name that no check has."""


@dataclass(slots=True)
class _Watched:
    """A check and what its probes said so far."""

    check: Check
    state: CheckState = field(default_factory=CheckState)
    heard_at: float | None = None  # monotonic time of the last result
    running: "asyncio.Task[None] | None" = None
    planned: bool = False  # whether the running probe was started by the grid
    began_at: float | None = None  # monotonic time at which the running probe got a free slot


class Prober:
    """Probes *checks* until it is cancelled.

    Each probe ends in one batch for *emit*, then in one call of *on_change*. A check that has had no result for twice
    its interval and its timeout becomes unknown: *lapse* ends the gauges of its source. *turned* is called about once
    a second, for whoever watches over the services.
    """

    def __init__(
        self,
        checks: Iterable[Check],
        clock: Clock,
        outbound: Outbound,
        *,
        emit: Emit,
        lapse: Callable[[str, float], object],
        on_change: OnChange,
        turned: Callable[[], object] = lambda: None,
        pod: str = "",
        parallel: int = 100,
    ) -> None:
        self._watched = {check.name: _Watched(check) for check in checks}
        self._clock = clock
        self._outbound = outbound
        self._emit = emit
        self._lapse = lapse
        self._on_change = on_change
        self._turned = turned
        self._pod = pod
        self._slots = asyncio.Semaphore(parallel)
        self._scheduler = Scheduler(clock)
        self._broken: asyncio.Future[None] | None = None

    def states(self) -> Mapping[str, CheckState]:
        """Each check's state, by name."""
        return {name: watched.state for name, watched in self._watched.items()}

    async def run(self) -> None:
        """Probe until cancelled; what is running then gets up to GRACE seconds to end."""
        self._broken = asyncio.get_running_loop().create_future()
        self._scheduler.start()
        self._start()
        try:
            while not self._broken.done():
                self._scheduler.watch()
                self._expire()
                self._turned()
                await asyncio.wait([self._broken], timeout=TURN)
            self._broken.result()
        finally:
            await self._stop()

    def rebase(self) -> None:
        """The wall clock was set; called by whoever knows it first, otherwise found within TURN seconds."""
        self._scheduler.rebase()

    async def run_now(self, name: str) -> CheckState:
        """Probe the check now, or join the probe that is running; its state afterwards."""
        watched = self._watched.get(name)
        if watched is None:
            raise UnknownCheck(f"got the check {name!r}, expected one of: {', '.join(sorted(self._watched))}")
        task = watched.running or self._begin(watched, planned=False)
        await asyncio.wait([task])
        return watched.state

    # Schedule

    def _start(self) -> None:
        """All checks at once, a little apart; the grid places the second probes."""
        spread = min([SPREAD, *(watched.check.every for watched in self._watched.values())])
        for n, (name, watched) in enumerate(self._watched.items()):
            first = n * spread / len(self._watched)
            self._scheduler.every(name, watched.check.every, partial(self._due, watched), first=first)

    def _due(self, watched: _Watched) -> None:
        """The grid's turn."""
        if self._scheduler.has(_confirm(watched)):
            return  # the confirming probe stands in for this one
        if watched.running is None:
            # The first probe is placed by the start, so the grid's first turn may fall into it without being missed.
            self._begin(watched, planned=watched.state.last is not None)
        elif watched.planned and self._late(watched):
            self._emit(probing.missed(watched.check, self._pod, self._clock.time()))
            log.warning("probe.missed", check=watched.check.name, every=watched.check.every)

    def _late(self, watched: _Watched) -> bool:
        """Whether the running probe is our fault: still without a slot, or beyond its own timeout.

        One that waits for its peer within its timeout tells of the peer, and nothing of us.
        """
        began_at = watched.began_at
        return began_at is None or self._clock.monotonic() - began_at > watched.check.timeout + TURN

    def _confirm(self, watched: _Watched) -> None:
        if watched.running is None:
            self._begin(watched, planned=False)

    # Probe

    def _begin(self, watched: _Watched, *, planned: bool) -> "asyncio.Task[None]":
        self._scheduler.remove(_confirm(watched))
        watched.planned, watched.began_at = planned, None
        watched.running = asyncio.create_task(self._probe(watched), name=f"probe {watched.check.name}")
        watched.running.add_done_callback(partial(self._ended, watched))
        return watched.running

    async def _probe(self, watched: _Watched) -> None:
        check = watched.check
        ctx = probing.Recording(self._clock, self._outbound)
        async with self._slots:
            watched.began_at = self._clock.monotonic()
            result = await probing.probe_once(check, ctx)
        before, watched.state = watched.state, advance(watched.state, check, result)
        watched.heard_at = self._clock.monotonic()
        self._emit(probing.batch(check, self._pod, ctx.updates, result, watched.state))
        if undecided(watched.state):
            self._scheduler.once(_confirm(watched), min(check.confirm, check.every), partial(self._confirm, watched))
        changed = watched.state.status is not before.status or _ok(before.last) != result.ok
        if watched.state.status is not before.status:
            now = watched.state.status
            tell = log.warning if now is CheckStatus.DOWN else log.info
            why = {"error_type": result.error_type, "message": result.message} if result.error_type else {}
            tell("check.changed", check=check.name, before=before.status, now=now, **why)
        self._on_change(check.name, result.at, changed)

    def _ended(self, watched: _Watched, task: "asyncio.Task[None]") -> None:
        """A probe's task is over; an error in it is ours and ends the daemon."""
        if watched.running is task:
            watched.running = None
        if not task.cancelled() and (exc := task.exception()) and self._broken and not self._broken.done():
            self._broken.set_exception(exc)

    # Results that stay away

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for watched in self._watched.values():
            if watched.heard_at is None or now - watched.heard_at < max_age(watched.check):
                continue
            at = self._clock.time()
            watched.heard_at = None
            before, watched.state = watched.state.status, lapse(watched.state, at)
            self._lapse(probing.source(watched.check), at)
            log.warning("check.lapsed", check=watched.check.name, before=before)
            self._on_change(watched.check.name, at, True)

    # The end

    async def _stop(self) -> None:
        await self._scheduler.shutdown()
        running = [watched.running for watched in self._watched.values() if watched.running]
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=GRACE)
        for task in late:
            task.cancel()
        if late:
            # Bounded, too: a plug-in that does not let itself be cancelled must not hold the process.
            await asyncio.wait(late, timeout=1.0)


def _confirm(watched: _Watched) -> str:
    return f"{watched.check.name}#confirm"  # no check's name has that sign


def _ok(result: ProbeResult | None) -> bool | None:
    return None if result is None else result.ok
