"""Remembers how checks did: their last outcomes, and how long each was up."""

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from sidecar.checks import Check
from sidecar.clock import Clock
from sidecar.db import Database
from sidecar.db import uptime as table
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult, max_age
from sidecar.model.families import CHECK_UPTIME
from sidecar.model.history import CheckHistory
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Emit, Update
from sidecar.model.uptime import WINDOWS

PERIOD: Final = 60.0
"""Seconds from one writing to the next: what a crash may lose."""
MOST_GONE: Final = 1000
"""Checks that have left the configuration and are still remembered; those that left first go first."""

_MEASURED: Final = ("24h", "7d", "30d")  # an hour is what the store itself can look back over
_AT_ONCE: Final = 100
"""Checks that are measured in one piece, before others get a turn."""


class Uptimes:
    """The history of each of *checks*, and of those that have left, for 31 days, in case they return.

    *remembered* is what the daemon before us wrote down last; the time since then counts as not seen. *emit* gets the
    share of each longer window in which a check was up, once a minute.
    """

    def __init__(
        self,
        checks: Iterable[Check],
        clock: Clock,
        database: Database,
        *,
        emit: Emit,
        remembered: Mapping[str, CheckHistory] | None = None,
    ) -> None:
        self._clock = clock
        self._database = database
        self._emit = emit
        known = dict(remembered or {})
        for history in known.values():
            _resume(history, clock.time())
        self._gone = dict(sorted(known.items(), key=lambda item: item[1].ends()))
        self._watched: dict[str, CheckHistory] = {}
        self._holds: dict[str, float] = {}  # for how many seconds a result of each check says something
        self._dirty: set[str] = set(known)
        self._told: dict[str, tuple[Update, ...]] = {}  # by check, what was emitted last
        self.replace(checks)

    def of(self, name: str) -> CheckHistory:
        """The history of that check; an empty one where nothing is known."""
        return self._watched.get(name) or CheckHistory()

    def learn(self, name: str, state: CheckState, result: ProbeResult | None) -> None:
        """The check is in *state* now, by *result* if a probe made it so."""
        history = self._watched.get(name)
        if history is not None:  # else a reload took it
            history.learn(state, result, self._clock.time(), self._holds[name])
            self._dirty.add(name)

    def replace(self, checks: Iterable[Check]) -> None:
        """Remember these from now on; one that had left goes on with what is known of it."""
        now, checks = self._clock.time(), tuple(checks)
        before, self._watched = self._watched, {}
        for check in checks:
            known = before.pop(check.name, None) or self._gone.pop(check.name, None)
            self._watched[check.name] = known or CheckHistory()
        self._holds = {check.name: math.inf if check.cron else max_age(check) for check in checks}
        for name, history in before.items():
            self._told.pop(name, None)
            history.become(CheckStatus.UNKNOWN, now)
            self._gone[name] = history
            self._dirty.add(name)
        for name in [*self._gone][: max(0, len(self._gone) - MOST_GONE)]:
            del self._gone[name]
            self._dirty.add(name)
        if before:
            self._tell(
                now, self._told.values(), whole=True
            )  # at once: nobody is alerted about a check that there is not

    def step(self, seconds: float, now: float) -> None:
        """The clock jumped by *seconds*: forward, nobody looked; back, what was seen moves along."""
        for name, history in self._all():
            history.step(seconds, now)
            self._dirty.add(name)

    def rows(self) -> list[table.Row]:
        """All that is known, for a file that has lost it."""
        return [table.row(name, history) for name, history in self._all()]

    async def run(self) -> None:
        """Write down what was seen, once a minute; the rest when cancelled."""
        try:
            while True:
                await self._measure()
                await asyncio.sleep(PERIOD)
                await self._save()
        finally:
            await self._save()

    async def _save(self) -> None:
        now = self._clock.time()
        for name in [name for name, history in self._gone.items() if history.is_forgotten(now)]:
            del self._gone[name]
            self._dirty.add(name)
        for name, history in self._watched.items():
            if history.is_seen:
                history.settle(now)
                self._dirty.add(name)
        dirty, self._dirty = self._dirty, set()
        if not dirty:
            return
        rows = [table.row(name, history) for name, history in self._all() if name in dirty]
        try:
            await self._database.run(table.save, rows, dirty - {row.name for row in rows})
        except BaseException:
            self._dirty |= dirty  # who is told to end while others write has written nothing, and tries again
            raise

    async def _measure(self) -> None:
        names, ends = [*self._watched], False
        for start in range(0, len(names), _AT_ONCE):
            now, found = self._clock.time(), {}
            for name in names[start : start + _AT_ONCE]:
                if name in self._watched:  # else a reload took it meanwhile
                    found[name] = tuple(_measured(name, self._watched[name], now))
                    ends = ends or len(found[name]) < len(self._told.get(name, ()))
            self._told |= found
            self._tell(now, found.values(), whole=False)
            await asyncio.sleep(0)
        if ends:  # of what was measured once nothing is known any more
            self._tell(self._clock.time(), self._told.values(), whole=True)

    def _tell(self, now: float, found: Iterable[tuple[Update, ...]], *, whole: bool) -> None:
        self._emit(Batch("uptime", now, tuple(chain.from_iterable(found)), write=False, whole=whole))

    def _all(self) -> Iterable[tuple[str, CheckHistory]]:
        return chain([*self._watched.items()], [*self._gone.items()])


def _measured(name: str, history: CheckHistory, now: float) -> Iterator[Update]:
    for window in _MEASURED:
        ratio = history.uptime(WINDOWS[window], now).ratio
        if ratio is not None:
            yield Update(CHECK_UPTIME, ratio, Labels(check=name, window=window))


def _resume(history: CheckHistory, now: float) -> None:
    """Nothing that was seen lies ahead of *now*."""
    ahead = max([history.spans.until or now, *(outcome.at for outcome in history.outcomes)]) - now
    if ahead > 0:  # the clock was set back while nobody looked
        history.step(-ahead, now)
