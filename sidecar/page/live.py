"""What has changed on the pages that somebody has open, as server-sent events.

Events: `changed` (the title, the health and the sections that are other now, under the page's revision), `beat` (the
time, and who we are; nothing has changed), `gone` (there is no such page any more).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from sidecar.page.seen import Place, Seen
from sidecar.page.views import MissingError

log = structlog.get_logger(__name__)

MOST: Final = 32
"""Pages that are kept live at once; more work without."""
PACE: Final = 1.0
"""Seconds from one look to the next at least."""
SHARE: Final = 9.0
"""How much longer than the last look took the next one is waited for: pages get a tenth of our time at most."""
BEAT: Final = 10.0
"""Seconds after which somebody who has heard nothing hears that we are here."""
_RETRY: Final = b"retry: 2000\n\n"
_LATER: Final = b"retry: 30000\n\n"
"""After how many milliseconds a browser asks again, and after how many when we failed."""


See = Callable[[Place, float], Awaitable[Seen]]
"""Looks at a page; what was seen before that time of the loop will not do."""


@dataclass(eq=False, slots=True)
class _Listener:
    """One open page: what it has not been told yet."""

    place: Place
    is_there: Callable[[], bool]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    pending: dict[str, str] = field(default_factory=dict)
    seen: Seen | None = None
    gone: bool = False

    def tell(self, seen: Seen, have: str = "") -> None:
        """The page is *seen* now; *have* is the revision that it began with."""
        before, self.seen = self.seen, seen
        if before is None:
            news = {} if have == seen.revision else dict(seen.everything())
        else:
            news = dict(seen.since(before))
        for section in seen.page.sections:
            if section.id in news:  # with all its parts, as they are now
                for id_ in section.parts:
                    self.pending.pop(id_, None)
        self.pending |= news
        if self.pending or (before is not None and before.revision != seen.revision):
            self.wake.set()


class Hub:
    """Looks at open pages with *see*, as long as there are any, whenever *pulse* is another; all listeners share it.

    A page that hears of another *build* than its own is loaded anew.
    """

    def __init__(
        self, see: See, pulse: Callable[[], object], now: Callable[[], float], build: Callable[[], str]
    ) -> None:
        self._see = see
        self._pulse = pulse
        self._now = now
        self._build = build
        self._listeners: set[_Listener] = set()
        self._looking: asyncio.Task[None] | None = None
        self._asked_at = 0.0  # when the pulse was asked last, by the loop's clock: what is older may miss what it told

    def is_full(self) -> bool:
        """Whether nobody else can listen; those who went away are forgotten first."""
        self._listeners = {one for one in self._listeners if one.is_there()}
        return len(self._listeners) >= MOST

    async def listen(self, place: Place, have: str, is_there: Callable[[], bool]) -> AsyncGenerator[bytes]:
        """Events about *place* for somebody who *have* its revision already; ends when there is no such page."""
        if self.is_full():  # many may have asked at once, before the first of them listened
            yield _LATER
            return
        listener = _Listener(place, is_there)
        self._listeners.add(listener)
        try:
            yield _RETRY
            try:
                listener.tell(await self._see(place, self._asked_at), have)
            except MissingError:
                yield _event("gone", {})
                return
            except Exception:
                log.exception("page.failed", view=place.view)
                yield _LATER
                return
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            yield self._beat()
            while True:
                yield await self._next(listener)
                if listener.gone:
                    return
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()

    async def _next(self, listener: _Listener) -> bytes:
        try:
            async with asyncio.timeout(BEAT):
                await listener.wake.wait()
        except TimeoutError:
            return self._beat()
        listener.wake.clear()
        if listener.gone or listener.seen is None:
            return _event("gone", {})
        news, listener.pending = listener.pending, {}
        page = listener.seen.page
        told = {"title": page.title, "health": page.health, "at": page.now, "sections": news}
        return _event("changed", told, listener.seen.revision)

    def _beat(self) -> bytes:
        return _event("beat", {"at": self._now(), "build": self._build()})

    async def _look(self) -> None:
        """Look again and again at what is open."""
        loop, before = asyncio.get_running_loop(), object()
        while self._listeners:
            cost, self._asked_at, pulse = 0.0, loop.time(), self._pulse()
            if pulse != before:
                before = pulse
                for place in {one.place for one in self._listeners}:
                    cost += await self._tell(place)
            await asyncio.sleep(max(PACE, SHARE * cost))

    async def _tell(self, place: Place) -> float:
        """Tell everybody who has *place* open how it is now; what it cost to look, in seconds of a processor."""
        try:
            seen = await self._see(place, self._asked_at)
        except MissingError:
            for listener in self._about(place):
                listener.gone = True
                listener.wake.set()
            return 0.0
        except Exception:
            # The pages of the others go on, and this one with the next change; whoever reloads it sees the error.
            log.exception("page.failed", view=place.view)
            return 0.0
        for listener in self._about(place):
            listener.tell(seen)
        return seen.cost

    def _about(self, place: Place) -> list[_Listener]:
        return [one for one in self._listeners if one.place == place and one.seen is not None]


def _event(name: str, data: object, id_: str = "") -> bytes:
    lines = [f"event: {name}", *([f"id: {id_}"] if id_ else []), f"data: {json.dumps(data, separators=(',', ':'))}"]
    return ("\n".join(lines) + "\n\n").encode()
