"""The HTTP server: everything on one listener, what is public on another."""

import asyncio
import errno
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from sidecar.model.families import HTTP_CONNECTIONS, HTTP_REFUSED
from sidecar.model.samples import Update
from sidecar.services import addresses, guard
from sidecar.services.addresses import Address, ListenError

log = structlog.get_logger(__name__)

_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REMINDER: Final = 60.0  # seconds
PUBLIC: Final = frozenset({"/metrics", "/health", "/health/live", "/health/ready"})
"""What the public listener serves, to GET and HEAD."""


class _Connection(web.RequestHandler):
    """aiohttp's, but bytes that are no HTTP are neither a traceback in the log nor an answer with our versions."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError):
            raise exc  # the client is gone; aiohttp ends the connection
        if isinstance(exc, HttpProcessingError):
            self.logger.debug("bad request from %s: %s", request.remote, type(exc).__name__)
            response: web.StreamResponse = web.Response(status=status, text="this is no HTTP request\n")
            response.force_close()
        else:
            response = super().handle_error(request, status, exc, message)
        response.headers[hdrs.SERVER] = "sidecar"
        return response


class _Refusal(asyncio.Protocol):
    """What a connection meets when there are too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


class Web:
    """Serves *routes* on *listen*, and those in PUBLIC on *public* too, from `run` until it is cancelled.

    *listen* that others can reach needs a *token*: without one the constructor refuses. *hosts* are names, beside
    localhost and IP addresses, by which people call us: that of the external URL. *around* sees every request first,
    and every refusal last.
    """

    def __init__(
        self,
        routes: Iterable[web.AbstractRouteDef],
        *,
        listen: str,
        public: str = "",
        token: Callable[[], str] | None = None,
        hosts: Collection[str] = (),
        around: Sequence[Middleware] = (),
        max_body: int = 1 << 20,
        max_connections: int = 256,
        patience: float = 30.0,
        grace: float = 5.0,
    ) -> None:
        self._listen = addresses.guarded(listen, token=token is not None)
        self._public = addresses.parse(public) if public else None
        self._token = token
        self._routes = tuple(routes)
        self._max_body = max_body
        self._max_connections = max_connections
        self._patience = patience  # seconds for a request to arrive, for an answer to be taken, between two requests
        self._grace = grace  # seconds for answers under way at the end
        who = guard.own_names(hosts) if token is None and not self._listen.path else None
        key = guard.token_required(token) if token is not None else None
        guards = (who, guard.same_origin(hosts), key, guard.readable)
        self._middlewares = [*around, *(ware for ware in guards if ware is not None)]
        self._managers: list[web.Server] = []
        self._remind = 0.0  # when it is said next that nobody can be accepted
        self._refused = 0  # connections, since somebody asked
        self.addresses: Sequence[Address] = ()
        """Where it really listens, `listen` first; empty until bound."""
        self.bound = asyncio.Event()

    def updates(self) -> tuple[Update, ...]:
        """How many are connected, and how many were refused since this was asked last."""
        refused, self._refused = self._refused, 0
        connected = sum(len(manager.connections) for manager in self._managers)
        return Update(HTTP_CONNECTIONS, connected), Update(HTTP_REFUSED, refused)

    async def run(self) -> None:
        """Bind both listeners, or raise ListenError with neither bound; serve; on cancellation finish answers.

        Without its token there is nothing to serve: what reading that raises is raised here.
        """
        if self._token is not None:
            self._token()
        async with AsyncExitStack() as stack:
            loop = asyncio.get_running_loop()
            stack.callback(loop.set_exception_handler, loop.get_exception_handler())
            loop.set_exception_handler(self._told)
            found = await self._serve(stack, self._listen, self._application())
            if self._public is not None:
                found = found + await self._serve(stack, self._public, self._public_application())
            self.addresses = found
            self.bound.set()
            stack.callback(self.bound.clear)  # the first thing undone
            await loop.create_future()  # until cancelled

    def _told(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio has to say; that no connection can be accepted, it would say hundreds of times a second."""
        exc = context.get("exception")
        if not (isinstance(exc, OSError) and exc.errno in _EXHAUSTED and "accept" in context.get("message", "")):
            loop.default_exception_handler(context)
        elif loop.time() >= self._remind:
            self._remind = loop.time() + _REMINDER
            log.error(
                "web.cannot_accept", error=_why(exc), step="raise the limit of open files, or find who holds them"
            )

    def _application(self) -> web.Application:
        return self._app(self._routes, self._middlewares)

    def _public_application(self) -> web.Application:
        public = [
            route
            for route in self._routes
            if isinstance(route, web.RouteDef) and route.path in PUBLIC and route.method == hdrs.METH_GET
        ]
        return self._app(public, [])

    def _app(self, routes: Sequence[web.AbstractRouteDef], middlewares: Sequence[Any]) -> web.Application:
        streams = guard.Streams()
        bounds = guard.bounded(self._patience, streams)
        app = web.Application(client_max_size=self._max_body, middlewares=[bounds, *middlewares])
        app.on_shutdown.append(streams.end)
        app.on_response_prepare.append(guard.plain_headers)
        app.router.add_routes(routes)
        return app

    async def _serve(self, stack: AsyncExitStack, address: Address, app: web.Application) -> tuple[Address, ...]:
        loop = asyncio.get_running_loop()
        settings: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": self._patience,  # also the time from connecting to the end of the first headers
            "lingering_time": min(2.0, self._patience),
        }
        runner = web.AppRunner(app, shutdown_timeout=self._grace, **settings)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        manager = runner.server
        assert manager is not None
        self._managers.append(manager)

        def connection() -> asyncio.Protocol:
            if len(manager.connections) >= self._max_connections:
                self._refused += 1
                return _Refusal()
            return _Connection(manager, loop=loop, **settings)

        if address.path:
            server = await loop.create_unix_server(connection, sock=addresses.unix_socket(address.path))
            stack.callback(addresses.forget, address.path)
            stack.callback(server.close)
            return (address,)
        try:
            server = await loop.create_server(connection, address.host, address.port)
        except OSError as exc:
            raise ListenError(f"cannot listen on {address}: {_why(exc)}; change it, or stop who does") from exc
        stack.callback(server.close)
        return tuple(Address(*sock.getsockname()[:2]) for sock in server.sockets)


def _why(exc: OSError) -> str:
    """What the system says; asyncio puts the address and words of its own before it."""
    return os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else exc.strerror or str(exc)
