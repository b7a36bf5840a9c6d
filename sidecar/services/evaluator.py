"""The turns: tick, groups in order, and what they changed is announced."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from sidecar.clock import Clock
from sidecar.model.errors import SidecarError
from sidecar.model.families import (
    CLOCK_STEPS,
    EVALUATOR_TURN,
    RULE_DURATION,
    RULE_EVALUATIONS,
    RULE_FAILURES,
    RULE_MISSED,
    TEMPLATE_FAILURES,
)
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Update
from sidecar.rules.compiled import Alerting, Group
from sidecar.rules.engine import Engine, Result, Turn
from sidecar.rules.groups import missed_turns, next_turn, readers
from sidecar.store import Store
from sidecar.telemetry import tracing

log = structlog.get_logger(__name__)

AT_ONCE: Final = 1.0
"""A group is evaluated at once at most once in so many seconds, however often what it reads changes.

Turns on the grid do not count: a group with a short interval would otherwise never be early.
"""


_UNASKED: Final = -math.inf
"""When something is due to be told, as long as nobody said: it is asked for in the next turn."""


class SteppingClock(Clock, Protocol):
    """A clock that is compared with the wall once per turn."""

    def check(self) -> float:
        """By how many seconds the clock has just jumped."""
        ...


class Stopped(SidecarError):  # noqa: N818 -- what the daemon does, not what went wrong
    """There are no turns any more."""


Change = Callable[[float], Sequence[Result]]
"""Changes the engine's rules or what is around them, at the time given; what became of the alerts by that."""


class Announce(Protocol):
    """Takes what the rules came to; returns when something is due to be told next, if anything is."""

    def __call__(self, now: float, results: Sequence[Result], /) -> Awaitable[float | None]: ...


@dataclass(slots=True)
class _Schedule:
    """When one group has its next turn, and why."""

    group: Group
    on_grid: float  # the next instant of its grid
    last: float = -math.inf  # the instant of its latest turn, whatever asked for it
    at_once: float = -math.inf  # the instant of the latest that was not on the grid
    last_on_grid: float | None = None
    changed: float | None = None  # the instant of the newest sample that it has not seen
    clock: float | None = None  # when a `for` or `keep_firing_for` runs out

    def wanted(self) -> float:
        """The earliest time at which it wants a turn."""
        times = [self.on_grid]
        if self.clock is not None:
            times.append(self.clock)
        if self.changed is not None:
            times.append(self.at_once + AT_ONCE)
        return min(times)

    def at(self, now: float, ticked: float) -> float | None:
        """The instant at which to evaluate it now; None when nothing is due.

        Never goes backwards, and never behind the tick at *ticked*: it wrote what the group wrote last, and what the
        group wrote now would come too late.
        """
        if now >= self.on_grid:
            return max(self.last, ticked, self.on_grid, next_turn(self.group, now - self.group.interval))
        if self.clock is not None and now >= self.clock:
            return now
        if self.changed is not None and now >= self.at_once + AT_ONCE:
            return max(self.last, ticked, self.changed)
        return None


class Evaluator:
    """Runs the rules until it is cancelled.

    *collect* is called before each tick, for whoever has values of his own to hand in. *announce* decides and commits.
    *ready* says whether the checks behind an alert with these labels have a state, *blind* whether we are cut off from
    what the rule says it of. *stepped* hears of jumps of the clock, in seconds; *evaluated* of each group's turn, and
    how many seconds it took.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: SteppingClock,
        *,
        tick: float,
        collect: Callable[[float], None],
        announce: Announce,
        ready: Callable[[Labels], bool],
        blind: Callable[[Alerting, Labels], bool] = lambda _rule, _labels: False,
        stepped: Callable[[float, float], None],
        turned: Callable[[], None],
        evaluated: Callable[[Turn, float], object] = lambda _turn, _seconds: None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._tick = tick
        self._collect = collect
        self._announce = announce
        self._ready = ready
        self._blind = blind
        self._stepped = stepped
        self._turned = turned
        self._evaluated = evaluated
        self._wake = asyncio.Event()
        self._schedules: tuple[_Schedule, ...] = ()
        self._next_tick = 0.0
        self._ticked = 0.0
        self._due = _UNASKED
        self._asked = False  # somebody wants a decision, whatever is due
        self._changes: list[tuple[Change, asyncio.Future[None]]] = []
        self._waiting: set[asyncio.Future[None]] = set()  # for changes to be made
        self._stopped = False
        self._place(clock.time())

    def changed(self, names: Collection[str], at: float) -> None:
        """Series with these *names* changed at *at*: groups that read them get a turn at once."""
        found = {group.name for group in readers(self._engine.rules.groups, names)}
        for schedule in self._schedules:
            if schedule.group.name in found:
                schedule.changed = max(at, schedule.changed or at)
        self._wake.set()

    def everything(self, at: float) -> None:
        """Every group gets a turn at once."""
        for schedule in self._schedules:
            schedule.changed = max(at, schedule.changed or at)
        self._wake.set()

    def wake(self) -> None:
        """Something that is not a sample changed what is to be told."""
        self._asked = True
        self._wake.set()

    async def between(self, change: Change) -> None:
        """Have *change* made between two turns; returns when what came of it is announced.

        Groups that stay as they are keep their place and their clocks; the others get a turn at once. Raises Stopped
        when there are no turns any more.
        """
        if self._stopped:
            raise Stopped("the daemon is stopping")
        done = asyncio.get_running_loop().create_future()
        self._changes.append((change, done))
        self._waiting.add(done)
        self._wake.set()
        try:
            await done
        finally:
            self._waiting.discard(done)

    async def run(self) -> None:
        """Take turns for ever."""
        self._write_all(self._clock.time())
        try:
            while True:
                await self.once()
                self._turned()
                await self._sleep()
        finally:
            self._stopped = True
            for done in self._waiting:
                if not done.done():
                    done.set_exception(Stopped("the daemon is stopping"))

    async def _sleep(self) -> None:
        """Until something is due, or something wakes us."""
        times = [self._next_tick, self._due, *(schedule.wanted() for schedule in self._schedules)]
        # At least once a second the clock is compared with the wall: a machine that slept must not stay asleep.
        delay = min(1.0, max(0.0, min(times) - self._clock.time()))
        timer = asyncio.get_running_loop().call_later(delay, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        self._wake.clear()

    async def once(self) -> None:
        """One turn."""
        step, began = self._clock.check(), self._clock.monotonic()
        now = self._clock.time()
        if step:
            self._step(step, now)
        ticks = now >= self._next_tick
        if ticks:
            self._write(now)
        changes, self._changes = self._changes, []
        results = [result for change, _ in changes for result in self._change(change, now)]
        if changes:
            self._ticked = max(self._ticked, now)  # nobody looks behind a change: what it ended was still there
        for schedule in self._schedules:
            at = schedule.at(now, self._ticked)
            if at is not None:
                results += self._evaluate(schedule, at, now).results
                await asyncio.sleep(0)  # a long list of groups must not hold the loop in one piece
        asked, self._asked = self._asked, False  # who asks from here on asks for the next turn
        if results or changes or asked or now >= self._due:
            due = await self._announce(now, results)
            self._due = math.inf if due is None else due
        for _, done in changes:
            if not done.done():  # whoever waited may be gone
                done.set_result(None)
        if ticks or results:  # the others only looked at the clock
            took = Update(EVALUATOR_TURN, self._clock.monotonic() - began)
            self._store.append(Batch("evaluator", now, (took,), write=False, whole=False))

    def _change(self, change: Change, now: float) -> Sequence[Result]:
        before = {schedule.group.name: schedule for schedule in self._schedules}
        results = change(now)
        self._place(now)
        for schedule in self._schedules:
            old = before.get(schedule.group.name)
            if old is not None and old.group.interval == schedule.group.interval:
                schedule.on_grid, schedule.last_on_grid = old.on_grid, old.last_on_grid
                schedule.last, schedule.at_once, schedule.changed = old.last, old.at_once, old.changed
            if old is None or old.group != schedule.group:
                schedule.changed = now
            schedule.clock = self._engine.due(schedule.group, now)
        return results

    def _evaluate(self, schedule: _Schedule, at: float, now: float) -> Turn:
        group, began = schedule.group, self._clock.monotonic()
        about: dict[str, tracing.Value] = {"sidecar.rule_group": group.name, "sidecar.rules": len(group.rules)}
        with tracing.span("evaluate rules", about) as span:
            turn = self._engine.turn(group, self._store, at, self._store.append, ready=self._ready, blind=self._blind)
            if turn.failures:
                span.fail("rule", "; ".join(f"{key.name}: {error}" for key, error in turn.failures))
        took = self._clock.monotonic() - began
        self._evaluated(turn, took)
        labels = Labels(group=group.name)
        updates = [Update(RULE_EVALUATIONS, len(group.rules), labels), Update(RULE_DURATION, took, labels)]
        for key, error in turn.failures:
            log.warning("rule.failed", group=key.group, rule=key.name, error=error)
            updates.append(Update(RULE_FAILURES, 1.0, labels.with_(rule=key.name)))
        for result in turn.results:
            if result.broken:
                log.warning("template.failed", group=result.key.group, rule=result.key.name, text=result.broken)
                updates.append(Update(TEMPLATE_FAILURES, 1.0, labels.with_(rule=result.key.name)))
        if now >= schedule.on_grid:
            if schedule.last_on_grid is not None and (missed := missed_turns(group, schedule.last_on_grid, now)):
                log.warning("rules.missed", group=group.name, turns=missed)
                updates.append(Update(RULE_MISSED, missed, labels))
            schedule.on_grid = next_turn(group, now)
            schedule.last_on_grid = schedule.on_grid - group.interval
        else:
            schedule.at_once = at
        schedule.last, schedule.changed = at, None
        schedule.clock = self._engine.due(group, at)
        self._store.append(Batch(turns_of(group.name), now, tuple(updates), write=False))
        return turn

    def _write(self, now: float) -> None:
        """Every live series gets a sample at the tick's own instant, the same on every pod."""
        self._collect(now)
        at = self._store.grid(now)
        self._write_all(at)
        self._next_tick = at + self._tick

    def _write_all(self, at: float) -> None:
        self._store.tick(at)
        self._ticked = at

    def _step(self, seconds: float, now: float) -> None:
        """The clock jumped: forward is a downtime of that length, back is a restart in place."""
        direction = "forward" if seconds > 0 else "back"
        log.warning("clock.stepped", seconds=round(seconds, 3), direction=direction)
        if seconds > 0:
            self._engine.shift(seconds)
        else:
            self._store.clear()
        # Either way the samples begin anew: windows are empty, and that is no recovery.
        self._engine.restart(now, min(0.0, seconds))
        self._place(now)
        self._write_all(now)
        self._store.append(
            Batch("clock", now, (Update(CLOCK_STEPS, 1.0, Labels(direction=direction)),), write=False, whole=False)
        )
        self._stepped(seconds, now)

    def _place(self, now: float) -> None:
        """Every group to its place on the grid, as seen from *now*."""
        self._schedules = tuple(_Schedule(group, next_turn(group, now)) for group in self._engine.rules.groups)
        self._next_tick = self._store.grid(now) + self._tick
        self._due = _UNASKED


def turns_of(group: str) -> str:
    """Under whose name the series about the turns of *group* live."""
    return f"evaluator:{group}"
