"""Runs the checks on their schedules and says what they found."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from sidecar.checks import Check
from sidecar.clock import Clock
from sidecar.model.checks import LAPSED, OFF_HOURS, CheckState, unknown
from sidecar.model.errors import SidecarError
from sidecar.model.families import PROBE_DELAY, PROBE_SLOTS, PROBES_RUNNING
from sidecar.model.heartbeats import Heard
from sidecar.model.labels import Labels
from sidecar.model.samples import Emit, Update
from sidecar.outbound import Outbound
from sidecar.services import probing
from sidecar.services.findings import Findings, Learned, OnChange
from sidecar.services.slots import Slots
from sidecar.services.timetable import Timetable
from sidecar.services.watched import Replaced, Watched, is_same

SPREAD: Final = 10.0
"""Seconds over which the first probes are spread, or less if some check runs more often than that."""
GRACE: Final = 5.0
"""Seconds that running probes get to end: when the prober is stopped, and beyond their timeout."""
TURN: Final = 1.0
"""Seconds between two looks at the wall clock and at checks without results."""


class UnknownCheck(SidecarError):  # noqa: N818 -- what was asked for, not what went wrong
    """A name that no check has."""


class Prober:
    """Probes *checks* until it is cancelled.

    Each probe ends in one call of *learned*, one batch for *emit*, then one call of *on_change*. A check whose results
    stay away, for twice its interval and its timeout or for one run of its cron expression, becomes unknown, as it does
    outside of its hours: *lapse* ends the gauges of its source. *turned* is called about once a second, for whoever
    watches over the services.

    *parallel* probes begin at once, and *most* run at once, as many as the process has files for without it.
    *timezone* is that of checks which name none. *heard* says who called in under a check's name; *offline*, whether
    this machine's own network is away.
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
        learned: Learned = lambda _check, _state, _result: None,
        turned: Callable[[], object] = lambda: None,
        pod: str = "",
        parallel: int = 100,
        most: int | None = None,
        timezone: str = "UTC",
        heard: Callable[[str], Heard] = lambda _: Heard(),
        offline: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._outbound = outbound
        self._turned = turned
        self._findings = Findings(clock, emit=emit, lapse=lapse, on_change=on_change, learned=learned, pod=pod)
        self._slots = Slots(parallel, most)
        self._heard = heard
        self._offline = offline
        self._timetable = Timetable(clock, timezone, due=self._due, soon=self._soon, hours=self._regulate)
        self._watched = {check.name: self._watch(check) for check in checks}
        self._leaving: dict[asyncio.Task[None], Watched] = {}  # running probes that nobody wants to hear of
        self._delay = 0.0  # the longest since the last report, in seconds
        self._broken: asyncio.Future[None] | None = None  # done when an error of ours ends us

    def states(self) -> Mapping[str, CheckState]:
        """Each check's state, by name."""
        return {name: watched.state for name, watched in self._watched.items()}

    def next_run(self, name: str) -> float | None:
        """When the check is probed next, in seconds since the epoch; None when that is not known."""
        watched = self._watched.get(name)
        return self._timetable.next_run(watched) if watched else None

    def report(self) -> tuple[Update, ...]:
        """The prober's own metrics; the longest delay is that since this was asked last."""
        delay, self._delay = self._delay, 0.0
        return (
            Update(PROBE_DELAY, delay),
            Update(PROBES_RUNNING, self._slots.running),
            Update(PROBE_SLOTS, self._slots.most),
        )

    async def run(self) -> None:
        """Probe until cancelled; what is running then gets up to GRACE seconds to end."""
        self._broken = asyncio.get_running_loop().create_future()
        self._timetable.start()
        self._timetable.begin(list(self._watched.values()), self._spread())
        try:
            while not self._broken.done():
                if self._timetable.watch():
                    self._regulate_all()
                self._expire()
                self._turned()
                await asyncio.wait([self._broken], timeout=TURN)
            self._broken.result()
        finally:
            await self._stop()

    def rebase(self) -> None:
        """The wall clock was set; called by whoever knows it first, otherwise found within TURN seconds."""
        self._timetable.rebase()
        self._regulate_all()

    async def run_now(self, name: str) -> CheckState:
        """Probe the check now, whatever its schedule, or join the probe that is running; its state afterwards.

        The schedule stays as it is. Outside of the check's hours its result is the state's last, but changes neither
        the status nor the series. Raises UnknownCheck, also when the check goes while it is probed.
        """
        while True:
            watched = self._watched.get(name)
            if watched is None:
                raise UnknownCheck(f"got the check {name!r}, expected one of: {', '.join(sorted(self._watched))}")
            running = watched.running
            if running is None or running.done():  # what is done may have missed what the caller knows
                running = self._begin(watched, planned=False)
            await asyncio.wait([running])
            if not watched.dropped:
                return watched.state

    def replace(
        self, checks: Iterable[Check], *, timezone: str | None = None, outbound: Outbound | None = None
    ) -> Replaced:
        """Watch these checks from now on; the caller ends and begins the series of those that are named so.

        A check with equal settings goes on as if nothing had happened. One with others is probed at once, but after
        the probe of its predecessor, whose result nobody hears of; it keeps the state if the same thing is asked the
        same question. Another *timezone* or *outbound* is that of every check from its next probe on.
        """
        self._outbound = outbound or self._outbound
        before, self._watched = self._watched, {}
        moved = timezone is not None and timezone != self._timetable.timezone
        self._timetable.timezone = timezone or self._timetable.timezone
        fresh, relabelled = [], []
        for check in checks:
            old = before.get(check.name)
            if old is not None and old.check == check:
                self._watched[check.name] = old
                if moved:
                    self._timetable.follow(old)
                    self._regulate(old)
                continue
            fresh.append(new := self._watch(check))
            self._watched[check.name] = new
            if old is not None:
                self._leave(old)
                self._inherit(old, new)
                if self._labels(old) != self._labels(new):
                    relabelled.append(check.name)
        gone = [watched for name, watched in before.items() if name not in self._watched]
        for watched in gone:
            self._leave(watched)
        for watched in fresh:
            watched.before = tuple(task for task, old in self._leaving.items() if old.name == watched.name)
        self._timetable.begin(fresh, self._spread())
        return Replaced(
            added=tuple(watched.name for watched in fresh if watched.name not in before),
            changed=tuple(watched.name for watched in fresh if watched.name in before),
            relabelled=tuple(relabelled),
            gone=tuple(watched.name for watched in gone),
        )

    # Checks come and go

    def _watch(self, check: Check) -> Watched:
        closed = self._timetable.is_closed(check)
        return Watched(check, CheckState(reason=OFF_HOURS) if closed else CheckState(), closed=closed)

    def _leave(self, watched: Watched) -> None:
        """Nobody wants to hear of it any more; its running probe may end."""
        watched.dropped = True
        self._timetable.forget(watched)
        if watched.running is not None:
            self._leaving[watched.running] = watched
            watched.running.add_done_callback(self._leaving.pop)

    def _inherit(self, old: Watched, new: Watched) -> None:
        """Let *new* know what was found out about *old*, or take it back."""
        if is_same(old.check, new.check) and not old.closed and not new.closed:
            new.state, new.told = old.state, old.told
            new.expires = self._findings.expiry(new) if old.told else None
        else:
            self._findings.end(old)

    def _labels(self, watched: Watched) -> Labels:
        return probing.labels(watched.check, self._findings.pod)

    # Schedule

    def _spread(self) -> float:
        return min([SPREAD, *(watched.check.every for watched in self._watched.values())])

    def _due(self, watched: Watched) -> None:
        """The schedule's turn."""
        if watched.closed:
            return
        if watched.check.cron is not None and watched.told and watched.expires is None:
            watched.expires = self._clock.monotonic() + watched.check.timeout + GRACE
        if self._timetable.has_confirm(watched):
            return  # the confirming probe stands in for this one
        if watched.running is None:
            # The first probe is placed by the start, so the grid's first turn may fall into it without being missed.
            self._begin(watched, planned=watched.state.last is not None, late=self._timetable.late)
        elif watched.planned and self._is_late(watched):
            self._findings.missed(watched)

    def _is_late(self, watched: Watched) -> bool:
        """Whether the running probe is our fault: still without a slot, or beyond its own timeout.

        One that waits for its peer within its timeout tells of the peer, and nothing of us.
        """
        began_at = watched.began_at
        return began_at is None or self._clock.monotonic() - began_at > watched.check.timeout + TURN

    def _soon(self, watched: Watched) -> None:
        """A turn beside the schedule."""
        if watched.running is None and not watched.closed:
            self._begin(watched, planned=False)

    # Hours

    def _regulate(self, watched: Watched) -> None:
        """Open or close a check, if it is time."""
        if watched.closed is (closed := self._timetable.is_closed(watched.check)):
            return
        watched.closed = closed
        if closed:
            self._withdraw(watched, OFF_HOURS)
        else:
            watched.state = unknown(watched.state, "", self._clock.time())
            self._soon(watched)

    def _regulate_all(self) -> None:
        for watched in self._watched.values():
            if watched.check.hours:
                self._regulate(watched)

    # Probe

    def _begin(self, watched: Watched, *, planned: bool, late: float = 0.0) -> "asyncio.Task[None]":
        self._timetable.forget_confirm(watched)
        watched.planned, watched.late, watched.began_at = planned, late, None
        watched.running = asyncio.create_task(self._probe(watched), name=f"probe {watched.name}")
        watched.running.add_done_callback(partial(self._ended, watched))
        return watched.running

    async def _probe(self, watched: Watched) -> None:
        check = watched.check
        before = [task for task in watched.before if task in self._leaving]
        if before:
            # Bounded: a plug-in that does not let itself be cancelled must not hold its successor.
            patience = max(self._leaving[task].check.timeout for task in before) + GRACE
            await asyncio.wait(before, timeout=patience)
        watched.before = ()
        asked_at = self._clock.monotonic()
        async with self._slots.one():
            if watched.dropped:
                return
            watched.began_at = self._clock.monotonic()
            self._delay = max(self._delay, watched.late + watched.began_at - asked_at)
            ctx = probing.Recording(self._clock, self._outbound, self._heard(check.name))
            result = await probing.probe_once(check, ctx, self._offline)
        if not watched.dropped:
            undecided = self._findings.take(watched, ctx.updates, result)
            if undecided:
                self._timetable.confirm(watched)

    def _ended(self, watched: Watched, task: "asyncio.Task[None]") -> None:
        """A probe's task is over; an error in it is ours and ends the daemon."""
        if watched.running is task:
            watched.running = None
        if not task.cancelled() and (exc := task.exception()) and self._broken and not self._broken.done():
            self._broken.set_exception(exc)

    # Results that stay away

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for watched in self._watched.values():
            if watched.expires is not None and now >= watched.expires:
                self._withdraw(watched, LAPSED)

    def _withdraw(self, watched: Watched, reason: str) -> None:
        self._timetable.forget_confirm(watched)
        self._findings.withdraw(watched, reason)

    # The end

    async def _stop(self) -> None:
        await self._timetable.shutdown()
        running = [watched.running for watched in self._watched.values() if watched.running] + list(self._leaving)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=GRACE)
        for task in late:
            task.cancel()
        if late:
            # Bounded, too: a plug-in that does not let itself be cancelled must not hold the process.
            await asyncio.wait(late, timeout=1.0)
