"""What the checks share that speak no HTTP: connections with their phases, and errors in our words."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from sidecar.checks import CheckFailed, ProbeContext
from sidecar.checks._addresses import Address
from sidecar.checks._http import quoted
from sidecar.model.families import PROBE_CERT_EXPIRY
from sidecar.network import NetworkError

_STAGGER: Final = 0.25  # seconds until the next address is tried beside the one before, as RFC 8305 has it
_MOST: Final = 4 * 1024 * 1024  # bytes that a peer may say in one probe


@dataclass(slots=True)
class Stream:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    plain: asyncio.StreamWriter | None = None  # beneath TLS; a writer that nobody keeps closes the connection

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The connection's TLS, once there is one."""
        found: ssl.SSLObject | None = self.writer.get_extra_info("ssl_object")
        return found


class _Limited(asyncio.StreamReader):
    """A reader whose peer may say only so much: drivers believe the lengths that they are told."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def feed_data(self, data: Any) -> None:
        self._most -= len(data)
        if self._most >= 0:
            super().feed_data(data)
        elif self.exception() is None:
            self.set_exception(TooMuchError())


class TooMuchError(ConnectionError):
    """A peer said more than a probe listens to."""


@asynccontextmanager
async def dial(
    ctx: ProbeContext,
    address: Address,
    *,
    tls: bool = False,
    most: int = _MOST,
) -> AsyncIterator[Stream]:
    """A connection to *address* that ends with the block, and sooner when the peer says more than *most* bytes.

    Records the phases resolve, connect and, with *tls*, tls; raises CheckFailed. Errors inside the block are the
    caller's: see `translated`.
    """
    sock = await connect(ctx, address)
    try:
        reader = _Limited(most)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
    except BaseException:
        sock.close()
        raise
    stream = Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
    try:
        if tls:
            await start_tls(ctx, stream, address, most=most)
            record_expiry(ctx, stream)
        yield stream
    finally:
        # Not a polite end: it would wait for a peer that may never answer.
        stream.writer.transport.abort()
        transport.abort()


async def start_tls(
    ctx: ProbeContext,
    stream: Stream,
    address: Address,
    *,
    context: ssl.SSLContext | None = None,
    any_name: bool = False,
    most: int = _MOST,
) -> None:
    """Begin TLS on *stream*, with its phase; raises CheckFailed. *any_name*: whom we trust may have any name."""
    loop = asyncio.get_running_loop()
    where = str(address)
    context = context or trust(ctx)
    if any_name:
        context = _of_any_name(context)
    reader = _Limited(most)
    protocol = asyncio.StreamReaderProtocol(reader)
    plain = stream.writer.transport
    with ctx.timed("tls"):
        try:
            transport = await loop.start_tls(plain, protocol, context, server_hostname=server_name(ctx, address))
        except (OSError, ValueError) as exc:
            raise tls_failed(exc, where) from exc
    if transport is None:  # the peer hung up while it was being set up
        raise CheckFailed("tls", f"{where} hung up in the middle of the TLS handshake")
    protocol.connection_made(transport)
    stream.plain = stream.writer
    stream.reader, stream.writer = reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def record_expiry(ctx: ProbeContext, stream: Stream) -> None:
    """When the peer's certificate expires, which TLS has accepted."""
    shown = stream.tls.getpeercert() if stream.tls else None
    ends = shown.get("notAfter") if shown else None
    if isinstance(ends, str):
        ctx.record(PROBE_CERT_EXPIRY, float(ssl.cert_time_to_seconds(ends)))


def _of_any_name(context: ssl.SSLContext) -> ssl.SSLContext:
    """A view of *context*, which others share, that does not look at names."""

    class AnyName(ssl.SSLContext):
        def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
            checked, context.check_hostname = context.check_hostname, False
            try:
                return context.wrap_bio(*args, **more)  # which is when the name is noted, or not
            finally:
                context.check_hostname = checked

    return AnyName(ssl.PROTOCOL_TLS_CLIENT)


def trust(ctx: ProbeContext, *, verify: bool = True) -> ssl.SSLContext:
    """Whom TLS trusts and what we show; raises CheckFailed. Without *verify*, anybody may be the other end."""
    network = ctx.outbound.network
    try:
        return (network if verify else network.model_copy(update={"verify": False})).ssl_context()
    except NetworkError as exc:
        raise CheckFailed("tls", str(exc)) from exc


def server_name(ctx: ProbeContext, address: Address) -> str:
    """The name that the certificate of *address* has to have."""
    return ctx.outbound.network.server_name or address.host


async def resolve(ctx: ProbeContext, address: Address) -> list[tuple[int, Any]]:
    """Where *address* is, as pairs of a socket's family and its address; the phase is resolve."""
    network = ctx.outbound.network
    host, port = network.address(address.host, address.port)
    try:
        with ctx.timed("resolve"):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, family=network.family, type=socket.SOCK_STREAM
            )
    except (OSError, UnicodeError) as exc:
        over = f" over IPv{network.ip_version}" if network.ip_version != "any" else ""
        raise CheckFailed("dns", f"the name {quoted(host)} does not resolve{over}") from exc
    return list(dict.fromkeys((info[0], info[4]) for info in found))


async def connect(ctx: ProbeContext, address: Address) -> socket.socket:
    """A connected socket; raises CheckFailed with the word dns or connect."""
    places: list[tuple[int, Any]] = [(socket.AF_UNIX, address.path)]
    if not address.path:
        places = await resolve(ctx, address)
    with ctx.timed("connect"):
        try:
            return await _first(places)
        except OSError as exc:
            raise CheckFailed("connect", f"no connection to {address}: {reason(exc)}") from exc


async def _first(places: Iterable[tuple[int, Any]]) -> socket.socket:
    """The first connection that stands: a place that does not answer soon has the next one tried beside it."""
    failed: list[OSError] = []
    running: set[asyncio.Task[socket.socket]] = set()
    rest = iter(places)
    more = True
    try:
        while more or running:
            if more and (place := next(rest, None)) is not None:
                running.add(asyncio.create_task(_connect(*place)))
            else:
                more = False
                if not running:
                    break
            done, running = await asyncio.wait(
                running, timeout=_STAGGER if more else None, return_when=asyncio.FIRST_COMPLETED
            )
            winner: socket.socket | None = None
            for task in done:
                if (exc := task.exception()) is None:
                    winner = _keep(winner, task.result())
                elif isinstance(exc, OSError):
                    failed.append(exc)
                else:
                    raise exc
            if winner is not None:
                return winner
    finally:
        for task in running:
            task.add_done_callback(_discard)
            task.cancel()
    raise failed[0] if failed else OSError("no address")


def _keep(winner: socket.socket | None, other: socket.socket) -> socket.socket:
    if winner is None:
        return other
    other.close()
    return winner


def _discard(task: "asyncio.Task[socket.socket]") -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connect(family: int, place: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def quiet(ctx: ProbeContext) -> ProbeContext:
    """*ctx* for another look in the same probe, whose times and numbers are nobody's."""
    return cast(ProbeContext, _Quiet(ctx))


class _Quiet:
    def __init__(self, ctx: ProbeContext) -> None:
        self._ctx = ctx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def record(self, *_: Any, **__: Any) -> None:
        pass

    def timed(self, _: str) -> AbstractContextManager[None]:
        return nullcontext()


@contextmanager
def translated(where: str, protocol: str) -> Iterator[None]:
    """Errors of a connection that stood are failed probes; *protocol*: what the peer was expected to speak."""
    try:
        yield
    except TooMuchError as exc:
        raise CheckFailed("too_large", f"{where} said more than a probe listens to") from exc
    except TimeoutError:
        raise
    except (asyncio.IncompleteReadError, EOFError) as exc:
        raise CheckFailed("reset", f"{where} hung up without a whole answer of {protocol}") from exc
    except (asyncio.LimitOverrunError, ValueError, RecursionError) as exc:
        raise CheckFailed("reset", f"{where} answered with what is no {protocol}") from exc
    except ssl.SSLError as exc:
        raise tls_failed(exc, where) from exc
    except OSError as exc:
        raise CheckFailed("reset", f"{where} broke the connection: {reason(exc)}") from exc


def tls_failed(exc: Exception, where: str) -> CheckFailed:
    """Why TLS did not come about."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        said = exc.verify_message.rstrip(".")
        return CheckFailed("tls", f"the certificate of {where} is not accepted: {quoted(said)}")
    return CheckFailed("tls", f"the TLS handshake with {where} failed: {reason(exc)}")


def reason(exc: BaseException) -> str:
    """What the operating system or OpenSSL says, in words of theirs that hold no address and no secret."""
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or type(exc).__name__).lower().replace("_", " ")
    if isinstance(exc, OSError) and exc.errno and exc.errno > 0:
        return os.strerror(exc.errno).lower()
    if isinstance(exc, ConnectionError | EOFError):
        return "it hung up"
    return type(exc).__name__


async def closing(end: Any, patience: float = 1.0) -> None:
    """Await *end*, which ends a driver's own tasks, for *patience* seconds at most; its errors are nobody's news."""
    with suppress(Exception):
        async with asyncio.timeout(patience):
            await end
