"""The simulator on a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serve(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """*app* on *host* and *port* (0: a free one) for as long as the block lasts; yields its base URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)  # a stalled stream would hold us for a minute
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address = runner.addresses[0]
        name = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{name}:{address[1]}"
    finally:
        await runner.cleanup()
