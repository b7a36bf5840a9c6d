"""The listeners of the daemon."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from sidecar.api import problems, refusals
from sidecar.config import Settings
from sidecar.services.web import Web

log = structlog.get_logger(__name__)


@asynccontextmanager
async def listening(
    settings: Settings, routes: Callable[[Callable[[], bool]], Iterable[web.AbstractRouteDef]]
) -> AsyncIterator[Web]:
    """The listeners, bound for as long as the block lasts: they are the last to go.

    *routes* makes what they serve, given a function that says whether they are bound.
    """
    host = urlsplit(settings.external_url).hostname
    bound_now = False
    served = Web(
        routes(lambda: bound_now),
        listen=settings.http.listen,
        public=settings.http.public,
        token=settings.http.token.reveal if settings.http.token else None,
        hosts=[host] if host else [],
        around=[refusals.in_html(_refusal), problems.in_json()],
    )
    server = asyncio.create_task(served.run(), name="web")
    bound = asyncio.create_task(served.bound.wait())
    try:
        await asyncio.wait([server, bound], return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            await server
        bound_now = True
        for address in served.addresses:
            log.info("web.listening", address=str(address))
        yield served
    finally:
        bound_now = False
        bound.cancel()
        server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await server


def _refusal(title: str, text: str, root: str) -> tuple[str, Mapping[str, str]]:
    from sidecar.page import frame

    return frame.refusal(title, text, root)
