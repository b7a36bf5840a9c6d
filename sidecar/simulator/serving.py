"""The simulator on a real socket."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serve(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """*app* on *host* and *port* (0: a free one) for as long as the block lasts; yields its base URL."""
    log = logging.Logger(__name__)  # noqa: LOG001 -- one for each server, since each is silenced at its own end
    # A stalled stream would hold us for a minute.
    runner = web.AppRunner(app, access_log=None, logger=log, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address = runner.addresses[0]
        name = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{name}:{address[1]}"
    finally:
        log.disabled = True  # of an answer that is cut off at the end, aiohttp would print a traceback
        await runner.cleanup()
