"""Decides what channels are told, writes it down, and only then hands it on."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from sidecar.alerts.book import AlertBook, Unsaved
from sidecar.alerts.decisions import Turn
from sidecar.alerts.facts import Circumstances
from sidecar.alerts.record import Key
from sidecar.alerts.timeline import Event
from sidecar.alerts.turn import turn
from sidecar.db import Database, state
from sidecar.model.alerts import RuleKey
from sidecar.model.notifications import NotifyKind
from sidecar.rules.engine import Result
from sidecar.rules.lifecycle import SETTLING
from sidecar.services.details import Details
from sidecar.services.start import Start

log = structlog.get_logger(__name__)

T = TypeVar("T")

_EVENTS = {
    NotifyKind.OPENING: "alert.opened",
    NotifyKind.REMINDER: "alert.reminded",
    NotifyKind.RESOLVE: "alert.resolved",
    NotifyKind.CLOSED: "alert.closed",
}


class Dispatcher:
    """The book's only writer between reading and `apply`: it holds `Database.lock` over both.

    *wake* is called when something was put for the channels. *details* adds what nobody decides by.
    """

    def __init__(
        self,
        database: Database,
        book: AlertBook,
        around: Circumstances,
        start: Start,
        wake: Callable[[], None],
        *,
        details: Details | None = None,
    ) -> None:
        self._database = database
        self._book = book
        self._around = around
        self._start = start
        self._wake = wake
        self._details = details
        self._first = True
        self._gone: set[RuleKey] = set()
        self._stepped = 0.0

    def replace(self, around: Circumstances, gone: Collection[RuleKey]) -> None:
        """From the next turn on decide about everything under *around*; the rules *gone* hold nothing after it."""
        self._around = around
        self._gone |= set(gone)
        self._first = True

    def step(self, seconds: float) -> None:
        """The clock went back by *seconds*, a negative number: what was told, or waits to be, keeps its age.

        The next turn moves book and file at once: a message that dies in between must find its record.
        """
        self._stepped += seconds

    async def announce(self, now: float, results: Sequence[Result]) -> float | None:
        """Take in what the rules came to, decide, commit; returns when there is something to decide next."""
        rules = {result.key for result in results}
        everything = self._start.evaluated(rules, now) or self._first
        async with self._database.lock:
            stepped, self._stepped = self._stepped, 0.0
            if stepped:
                self._book.step(stepped)
            self._book.touch(self._judged(results))
            if rules:
                self._book.update((alert for result in results for alert in result.alerts), now, rules)
            if self._gone:
                self._book.update((), now, self._gone)  # nobody else will ever let go of what they held
                self._gone.clear()
            found = turn(self._book, self._around, now, None if everything else ())
            if stepped:
                found = replace(found, records=(*self._book.records(), *found.records))  # the latter win
            found = await _to_the_end(self._make_so(self._book.unsaved, found, stepped))
        self._first = False
        for notification in found.notifications:
            for told in notification.alerts:
                log.info(
                    _EVENTS[notification.kind],
                    alert=str(told.alert.labels),
                    channel=notification.channel,
                    reason=told.reason,
                    id=notification.id,
                )
        for entry in found.timeline:
            if entry.event is Event.NOTHING:
                log.debug("alert.held", fingerprint=entry.fingerprint, channel=entry.channel, reason=entry.text)
        if found.notifications:
            self._wake()
        return found.due

    async def _make_so(self, unsaved: Unsaved, found: Turn, stepped: float) -> Turn:
        """Write what was decided, and only then believe it; what was written."""
        if self._details is not None and found.notifications:
            found = await self._details.added(found)
        dropped: Collection[Key] = ()
        if found or stepped or unsaved.alerts or unsaved.gone:
            dropped = await self._database.run(state.commit, unsaved, found, stepped)
        self._book.apply(found, dropped)
        return found

    def _judged(self, results: Sequence[Result]) -> Iterator[str]:
        """Fingerprints of alerts from before a restart that *results* are the first to judge: their mute is over."""
        for result in results:
            for alert in result.changed:
                before = self._book.alert(alert.fingerprint)
                if before is not None and before.note == SETTLING != alert.note:
                    yield alert.fingerprint


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """What *work* returns; a cancellation is raised when it is done, and not in its midst.

    A book that does not know what was committed would be wrong about what the last deliveries come to.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])  # which, unlike awaiting the task, leaves it alone when cancelled
        except asyncio.CancelledError as exc:
            cancelled = exc
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
