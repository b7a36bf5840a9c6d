"""A network in memory, on which real HTTP clients meet real HTTP servers."""

import asyncio
import errno
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Never

import aiohttp
from aiohttp import ClientTimeout, web
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.tracing import Trace

from sidecar.testing.pipe import Pipe, join

_PATIENCE: Final = 0.05  # seconds that a handler still at work gets when the wire closes


class Wire:
    """Hosts by name, and what a client meets there.

    A host is named `api.anthropic.com` (any port) or `api.anthropic.com:8443`; naming it again changes what the next
    connection meets. A host that nobody named does not resolve. `https` is served without TLS.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, Callable[[], Awaitable[asyncio.BaseProtocol]]] = {}
        self._runners: dict[web.Application, asyncio.Task[web.AppRunner]] = {}
        self._pipes: set[Pipe] = set()
        self._ports = itertools.count(40000)

    def serve(self, host: str, app: web.Application) -> None:
        """At *host* answers *app*, on aiohttp's own server; one app may answer at many hosts."""

        async def answer() -> asyncio.BaseProtocol:
            if app not in self._runners:
                self._runners[app] = asyncio.create_task(_start(app))
            # A client that gives up must not end the start of a server which others wait for.
            runner = await asyncio.shield(self._runners[app])
            assert runner.server is not None
            return runner.server()

        self._hosts[host] = answer

    def raw(self, host: str, protocol_factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """At *host* each connection is handed to a protocol of its own: bytes written by hand."""

        async def answer() -> asyncio.BaseProtocol:
            return protocol_factory()

        self._hosts[host] = answer

    def refuse(self, host: str) -> None:
        """At *host* nobody listens."""

        async def answer() -> Never:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed ({host!r})")

        self._hosts[host] = answer

    def hang(self, host: str) -> None:
        """At *host* a connection is neither accepted nor refused."""

        async def answer() -> Never:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("nothing ever sets that future")

        self._hosts[host] = answer

    def unresolvable(self, host: str) -> None:
        """*host* has no address (any more)."""
        self._hosts.pop(host, None)

    def cut(self) -> None:
        """Break every connection as a network does; both ends see a reset."""
        for pipe in self._pipes:
            pipe.reset()
        self._pipes.clear()

    def connector(self) -> aiohttp.BaseConnector:
        """A connector whose only network is this wire; each request has a connection of its own."""
        return _WireConnector(self)

    def resolve(self, host: str, port: int) -> Callable[[], Awaitable[asyncio.BaseProtocol]]:
        """What answers at *host* and *port*; raises socket.gaierror as a resolver does."""
        answer = self._hosts.get(f"{host}:{port}") or self._hosts.get(host)
        if answer is None:
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host!r} is not on this wire")
        return answer

    def join(self, client: asyncio.Protocol, server: asyncio.BaseProtocol, host: str, port: int) -> None:
        """Connect two protocols; the server sees a peer at 127.0.0.1."""
        assert isinstance(server, asyncio.Protocol)
        self._pipes = {pipe for pipe in self._pipes if not pipe.is_closing()}
        self._pipes.add(join(client, server, client_at=("127.0.0.1", next(self._ports)), server_at=(host, port)))

    async def close(self) -> None:
        """Cut every connection and end every app; no host resolves any more."""
        self._hosts.clear()
        self.cut()
        for started in await asyncio.gather(*self._runners.values(), return_exceptions=True):
            if isinstance(started, web.AppRunner):
                await started.cleanup()
        self._runners.clear()


class _WireConnector(aiohttp.BaseConnector):
    def __init__(self, wire: Wire) -> None:
        super().__init__(force_close=True, limit=0)
        self._wire = wire

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 -- the signature is aiohttp's
    ) -> ResponseHandler:
        """As aiohttp's TCPConnector does it, with its errors and its traces."""
        host, port = req.url.raw_host, req.port
        assert host is not None
        assert port is not None
        if req.proxy:
            raise ValueError(f"got the proxy {req.proxy}, expected none: the wire in memory has no proxies")
        for trace in traces:
            await trace.send_dns_resolvehost_start(host)
        try:
            answer = self._wire.resolve(host, port)
        except OSError as exc:
            raise aiohttp.ClientConnectorDNSError(req.connection_key, exc) from exc
        for trace in traces:
            await trace.send_dns_resolvehost_end(host)
        try:
            async with asyncio.timeout(timeout.sock_connect):
                server = await answer()
        except TimeoutError:
            raise
        except OSError as exc:
            raise aiohttp.ClientConnectorError(req.connection_key, exc) from exc
        client = self._factory()  # as a real connector makes it: `Outbound` has a protocol of its own
        self._wire.join(client, server, host, port)
        return client


async def _start(app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_PATIENCE)
    await runner.setup()
    return runner
