"""Answers requests for pages: each is made once a second at most, however many ask for it."""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Final, Protocol
from urllib.parse import urlencode

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from sidecar.page import assets, frame
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Around, Page
from sidecar.page.live import Hub
from sidecar.page.seen import Place, Seen
from sidecar.page.views import MissingError, alert, check, configuration, index
from sidecar.services.guard import Stream

_IDLE: Final = 60.0
"""Seconds after which nothing is kept for the next look: memory is the gateway's."""
_FRESH: Final = 1.0
"""Seconds for which a page that was made is shown to whoever asks."""
_TICK: Final = 15.0
"""Seconds after which numbers may be other although nothing has happened."""


class View(Protocol):
    """What a module of `sidecar.page.views` has."""

    async def look(self, daemon: Daemon, key: str, /) -> Callable[[], Page]: ...


VIEWS: Final[Mapping[str, View]] = {"alert": alert, "check": check, "configuration": configuration, "index": index}
_MANY: Final = frozenset({"alert", "check"})
"""Views with a page for each key."""


class Site:
    """The pages about *daemon*."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._version = version("claude-sidecar")
        self._made: dict[Place, tuple[float, asyncio.Task[Seen]]] = {}
        self._idle: asyncio.TimerHandle | None = None
        self._hub = Hub(self.see, self._pulse, daemon.now, lambda: self._around().build)

    def view(self, name: str) -> Handler:
        """Who shows the pages of that view."""

        async def respond(request: web.Request) -> web.StreamResponse:
            place = Place(name, request.match_info.get("key", ""))
            try:
                seen = await self.see(place)
            except MissingError as exc:
                raise web.HTTPNotFound(text=f"{exc}\n") from None
            live = "live?" + urlencode({"view": place.view, "key": place.key})
            text = await asyncio.to_thread(frame.document, seen.page, self._around(), live)
            return html(text)

        return respond

    async def static(self, request: web.Request) -> web.StreamResponse:
        """A file that never changes."""
        return assets.response(request)

    async def live(self, request: web.Request) -> web.StreamResponse:
        """What changes on a page, as it changes."""
        view = request.query.get("view", "index")
        if view not in VIEWS:
            raise web.HTTPNotFound(text=f"got the view {view[:40]!r}, expected one of: {', '.join(VIEWS)}\n")
        place = Place(view, request.query.get("key", "") if view in _MANY else "")
        if self._hub.is_full():
            raise web.HTTPServiceUnavailable(
                text="too many pages are open already; this one is not kept live\n", headers={hdrs.RETRY_AFTER: "30"}
            )
        have = request.headers.get("Last-Event-ID") or request.query.get("have", "")
        return Stream(self._hub.listen(place, have, lambda: _is_there(request)), content_type="text/event-stream")

    async def see(self, place: Place, after: float | None = None) -> Seen:
        """The page as it is, or was less than a second ago, but not before *after*, a time of the loop.

        Raises MissingError.
        """
        now = asyncio.get_running_loop().time()
        self._made = {each: made for each, made in self._made.items() if now < made[0] + _FRESH or not made[1].done()}
        if place not in self._made or self._made[place][0] < (now - _FRESH if after is None else after):
            self._made[place] = now, asyncio.create_task(self._make(place))
            if self._idle is not None:
                self._idle.cancel()
            self._idle = asyncio.get_running_loop().call_later(_IDLE, self._forget)
        # Shielded: that one of those who wait goes away is no reason to leave the others without a page.
        return await asyncio.shield(self._made[place][1])

    async def _make(self, place: Place) -> Seen:
        make = await VIEWS[place.view].look(self._daemon, place.key)
        return await asyncio.to_thread(Seen.of, make)

    def _forget(self) -> None:
        self._made.clear()
        index.forget(self._daemon)

    def _pulse(self) -> object:
        """Something that is equal as long as nothing has happened that a page shows."""
        daemon = self._daemon
        return (
            tuple(daemon.states().values()),
            daemon.book.alerts(),
            daemon.book.records(),
            tuple(daemon.quieter.state.silences),
            daemon.quieter.state.acks,
            daemon.configuration,
            daemon.now() // _TICK,
        )

    def _around(self) -> Around:
        return Around(self._daemon.pod, dict(self._daemon.external_labels), self._version, self._daemon.timezone)


def html(text: str, status: int = 200) -> web.Response:
    """*text* as a document that loads nothing of others."""
    return web.Response(
        body=text.encode("utf-8", "replace"),
        content_type="text/html",
        charset="utf-8",
        headers=frame.HEADERS,
        status=status,
    )


def _is_there(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()
