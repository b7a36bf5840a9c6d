"""Peers on real sockets for checks that speak no HTTP, and one probe of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from sidecar.checks import Check
from sidecar.clock import SystemClock
from sidecar.network import Network
from sidecar.outbound import Outbound
from sidecar.services.probing import Recording, probe_once
from tests.checks.script import Probed

SILENT = "silent"
RESET = "reset"
ENDLESS = "endless"

Says = bytes | str
"""What a peer says before it hangs up; or SILENT (says nothing, holds on), RESET, or ENDLESS (never stops)."""


async def look(check: Check, network: Network = Network()) -> Probed:  # noqa: B008 -- frozen
    """Probe *check* once, over *network*."""
    outbound = Outbound(network=network)
    ctx = Recording(SystemClock(), outbound)
    result = await probe_once(check, ctx)
    await outbound.close()
    return Probed(result, ctx)


@asynccontextmanager
async def peer(says: Says, *, begin: Callable[[], object] = lambda: None) -> AsyncIterator["Peer"]:
    """A server of loopback that answers whoever connects with what it *says*; *begin* hears of each connection."""
    found = Peer(says, begin)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in list(found.open):
            writer.transport.abort()
        await server.wait_closed()


class Peer:
    """One such server: its port, and the connections that are open."""

    def __init__(self, says: Says, begin: Callable[[], object]) -> None:
        self.port = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.left = asyncio.Event()  # set when a client has hung up
        self._says = says
        self._begin = begin

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        self._begin()
        try:
            if isinstance(self._says, bytes):
                writer.write(self._says)
                await writer.drain()
                # Whoever hangs up on what was not read yet resets the connection, and takes back what was said.
                with suppress(TimeoutError):  # a client may wait for us to begin
                    async with asyncio.timeout(0.03):
                        await reader.read(1)
                await asyncio.sleep(0.005)
            elif self._says == RESET:
                writer.transport.abort()
            elif self._says == ENDLESS:
                while True:
                    writer.write(b"x" * 2**16)
                    await writer.drain()
            else:
                while await reader.read(2**16):
                    pass
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.left.set()
            self.open.discard(writer)
            writer.close()
