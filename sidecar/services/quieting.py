"""Takes in what people say about alerts, and has it looked at."""

from collections.abc import Callable, Iterator
from typing import Final
from uuid import uuid4

import structlog

from sidecar.alerts.book import AlertBook
from sidecar.alerts.quieting import Ack, Quieting, Silence, SilenceState, began_at
from sidecar.alerts.timeline import Entry, Event
from sidecar.clock import Clock
from sidecar.db import Database, quieting
from sidecar.model.alerts import Alert
from sidecar.model.errors import SidecarError
from sidecar.model.matchers import Matcher
from sidecar.templating import safe

log = structlog.get_logger(__name__)

_LONGEST: Final = 1000  # characters of a comment
MOST: Final = 500
"""Silences that are kept at once: each decision asks all of them."""


class NotQuieted(SidecarError):  # noqa: N818 -- what was asked for, not what went wrong
    """What cannot be silenced or acknowledged; `found` says whether there is such a thing at all."""

    def __init__(self, message: str, *, found: bool = True) -> None:
        super().__init__(message)
        self.found = found


class Quieter:
    """Changes *state*: first in the database, then for the next decision, which *wake* asks for.

    A decision that is just being written knows nothing of it yet, so what is to be decided anew is named after that.
    """

    def __init__(
        self, state: Quieting, book: AlertBook, database: Database, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self.state = state
        self._book = book
        self._database = database
        self._clock = clock
        self._wake = wake
        self._tended = clock.time()
        self._moved = False  # the clock was set back, and the file does not know yet

    async def silence(
        self, matchers: tuple[Matcher, ...], starts_at: float, ends_at: float, by: str, comment: str
    ) -> Silence:
        """Silence what satisfies all *matchers*; raises NotQuieted."""
        now = self._clock.time()
        if not matchers or all(matcher.accepts("") for matcher in matchers):
            raise NotQuieted("the matchers fit alerts without any label, expected at least one that asks for something")
        if ends_at <= max(now, starts_at):
            raise NotQuieted("the silence would be over before it begins, expected an end in the future")
        await self._make_room(now)
        made = Silence(str(uuid4()), matchers, max(now, starts_at), ends_at, _text(by), _text(comment))
        await self._put(made, f"silenced by {made.created_by}: {made.comment}")
        return made

    async def expire(self, id_: str) -> Silence:
        """End the silence now; raises NotQuieted."""
        found = self.state.silence(id_)
        if found is None:
            raise NotQuieted(f"got the silence {id_!r}, expected the id of one; the list shows them", found=False)
        now = self._clock.time()
        if found.state(now) is SilenceState.EXPIRED:
            return found
        ended = Silence(id_, found.matchers, min(found.starts_at, now), now, found.created_by, found.comment)
        await self._put(ended, "the silence was ended")
        return ended

    async def acknowledge(self, fingerprint: str, by: str, comment: str) -> Ack:
        """Somebody has seen the alert and works on it; raises NotQuieted unless it fires."""
        alert = self._firing(fingerprint)
        ack = Ack(alert.fingerprint, self._clock.time(), _text(by), _text(comment), (began_at(alert),))
        said = f"acknowledged by {ack.by}" + (f": {ack.comment}" if ack.comment else "")
        await self._database.run(quieting.put_ack, ack, [self._entry(alert.fingerprint, said)])
        self.state.acknowledge(ack)
        await self._look([alert.fingerprint], said)
        return ack

    async def withdraw(self, fingerprint: str) -> None:
        """Nobody works on the alert any more; raises NotQuieted when nobody did."""
        if self.state.ack(fingerprint) is None:
            raise NotQuieted(f"the alert {fingerprint!r} is not acknowledged", found=False)
        said = "the acknowledgement was withdrawn"
        await self._database.run(quieting.forget, (), [fingerprint], [self._entry(fingerprint, said)])
        self.state.withdraw(fingerprint)
        await self._look([fingerprint], said)

    async def tend(self) -> None:
        """Forget what says nothing any more, and have looked at what a silence covers that has just begun."""
        now, before = self._clock.time(), self._tended
        self._tended = now
        begun = [one for one in self.state.silences if before < one.starts_at <= now < one.ends_at]
        for silence in begun:
            await self._look(self._covered(silence), "a silence begins")
        if self._moved:
            self._moved = False
            for ack in self.state.acks:
                await self._database.run(quieting.put_ack, ack)
        alerts = {alert.fingerprint: alert for alert in self._book.alerts()}
        silences, acks = self.state.outdated(alerts, now)
        if silences or acks:
            await self._database.run(quieting.forget, silences, acks)
            self.state.forget(silences, acks)

    def step(self, seconds: float) -> None:
        """The clock was set back by *seconds*, a negative number."""
        self.state.step(seconds)
        self._moved = True

    async def _make_room(self, now: float) -> None:
        """Forget the silence that ended first, if there are too many; raises NotQuieted when none has ended."""
        silences = self.state.silences
        if len(silences) < MOST:
            return
        over = [one for one in silences if one.state(now) is SilenceState.EXPIRED]
        if not over:
            raise NotQuieted(f"there are {MOST} silences already, expected less; end some, or silence more with one")
        oldest = min(over, key=lambda one: one.ends_at)
        await self._database.run(quieting.forget, [oldest.id], [])
        self.state.forget([oldest.id], [])

    async def _put(self, silence: Silence, said: str) -> None:
        affected = self._covered(silence)
        entries = [self._entry(fingerprint, said) for fingerprint in affected]
        await self._database.run(quieting.put_silence, silence, entries)
        self.state.put(silence)
        await self._look(affected, said)

    def _covered(self, silence: Silence) -> list[str]:
        return [alert.fingerprint for alert in self._book.alerts() if silence.matches(alert.labels)]

    async def _look(self, fingerprints: list[str], said: str) -> None:
        log.info("alerts.quieted", alerts=len(fingerprints), said=said)
        async with self._database.lock:
            self._book.touch(fingerprints)
        self._wake()

    def _firing(self, fingerprint: str) -> Alert:
        alert = self._book.alert(fingerprint)
        if alert is None or not alert.firing:
            known = ", ".join(f"{one.fingerprint} ({one.name})" for one in self._some_firing()) or "nothing fires"
            message = f"got {fingerprint!r}, expected the fingerprint of an alert that fires: {known}"
            raise NotQuieted(message, found=alert is not None)
        return alert

    def _some_firing(self) -> Iterator[Alert]:
        firing = [alert for alert in self._book.alerts() if alert.firing]
        yield from firing[:10]

    def _entry(self, fingerprint: str, text: str) -> Entry:
        return Entry(self._clock.time(), fingerprint, Event.STATE, text)


def _text(text: str) -> str:
    return safe.line(text, _LONGEST)
