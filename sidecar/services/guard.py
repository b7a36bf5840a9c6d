"""Who may ask, and how long an answer may take."""

import asyncio
import base64
import binascii
import hmac
import re
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestPayloadError

from sidecar.secrets import SecretError

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.\-]+)(:[0-9]{1,5})?")
_SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


class Stream(web.StreamResponse):
    """An answer without an end: *chunks*, each as it comes. A handler returns it, and `bounded` sends it."""

    def __init__(self, chunks: AsyncGenerator[bytes], *, content_type: str) -> None:
        super().__init__()
        self.content_type = content_type
        self.chunks = chunks


class Streams:
    """The streams that are being sent; a server that ends does not wait for them."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    async def end(self, _: object = None) -> None:
        """No stream goes on, and none begins."""
        self._ended.set()

    async def next(self, chunks: AsyncGenerator[bytes]) -> bytes | None:
        """The next chunk; None when there is none, or none is wanted any more."""
        coming = asyncio.ensure_future(anext(chunks, None))
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((coming, ended), return_when=asyncio.FIRST_COMPLETED)
            return await coming if coming.done() else None
        finally:
            for task in (coming, ended):
                task.cancel()
            # A generator can only be closed when nothing of it runs any more.
            await asyncio.gather(coming, ended, return_exceptions=True)


def bounded(seconds: float, streams: Streams | None = None) -> Middleware:
    """Requests that arrive too slowly get 408; answers that are taken too slowly are cut off.

    A `Stream` may take as long as it likes to say something, until *streams* end; what it has said has to be taken.
    """
    streams = streams or Streams()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response: web.StreamResponse | None = None
        try:
            async with asyncio.timeout(seconds) as limit:
                response = await handler(request)
                # Sent here and not by aiohttp, whose own sending waits forever for a client that does not read.
                await response.prepare(request)
                if isinstance(response, Stream):
                    await _pump(response, request, streams, limit, seconds)
                await response.write_eof()
                if request.content.exception() is not None:
                    # The rest cannot be read. aiohttp would try, and log a traceback, for whatever anybody sends.
                    request.protocol.force_close()
                return response
        except TimeoutError:
            if not limit.expired():
                raise  # the handler's own
            if response is None:
                raise web.HTTPRequestTimeout(text=f"no complete request within {seconds:g} s\n") from None
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError(f"the answer was not taken within {seconds:g} s") from None

    return middleware


async def _pump(
    response: Stream, request: web.Request, streams: Streams, limit: asyncio.Timeout, seconds: float
) -> None:
    """Send what *response* has to say, each chunk within *seconds*; *limit* bounds what follows."""
    loop = asyncio.get_running_loop()
    async with aclosing(response.chunks) as chunks:
        while request.method != hdrs.METH_HEAD:
            limit.reschedule(None)
            chunk = await streams.next(chunks)
            limit.reschedule(loop.time() + seconds)
            if chunk is None:
                break
            await response.write(chunk)
    request.protocol.force_close()  # it has no end that a client could wait for


@web.middleware
async def readable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A body that cannot be read, because it breaks off or is not encoded as its header says, is a bad request."""
    try:
        return await handler(request)
    except RequestPayloadError as exc:
        raise web.HTTPBadRequest(text="the body ends too early, or is not in its Content-Encoding\n") from exc


def token_required(token: Callable[[], str]) -> Middleware:
    """Only requests that know the token come through; *token* is asked anew for each.

    Programs send `Authorization: Bearer <token>`. Browsers ask people for a name and a password when they are offered
    Basic: the token is the password, and any name will do.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = _given(request.headers.get(hdrs.AUTHORIZATION, ""))
        try:
            expected = token()
        except SecretError as exc:
            raise web.HTTPServiceUnavailable(text="http.token cannot be read; is its file mounted?\n") from exc
        if not _is_same(given, expected):
            raise _unauthorized(request)
        response = await handler(request)
        if isinstance(response, Stream):
            response.chunks = _while_valid(response.chunks, given, token)
        return response

    return middleware


async def _while_valid(chunks: AsyncGenerator[bytes], given: bytes, token: Callable[[], str]) -> AsyncGenerator[bytes]:
    """*chunks*, as long as *given* is the token: another one ends what was begun under this one."""
    async with aclosing(chunks):
        async for chunk in chunks:
            try:
                if not _is_same(given, token()):
                    return
            except SecretError:
                return  # nobody can tell; whoever asks again hears why
            yield chunk


def _is_same(given: bytes, expected: str) -> bool:
    return hmac.compare_digest(given, expected.encode("utf-8", "surrogateescape")) and expected != ""


def _given(authorization: str) -> bytes:
    """The token in the header; empty when there is none."""
    scheme, _, given = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return given.strip().encode("utf-8", "surrogateescape")  # as it came
        case "basic":
            try:
                return base64.b64decode(given.strip(), validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return b""
    return b""


def _unauthorized(request: web.Request) -> web.HTTPUnauthorized:
    """Browsers are offered to log in; a program that is, too, might ask somebody for a password who is not there."""
    refusal = web.HTTPUnauthorized(text="expected the header 'Authorization: Bearer' with http.token\n")
    if "text/html" in request.headers.get(hdrs.ACCEPT, ""):
        refusal.text = "log in with any name, and http.token as the password\n"
        refusal.headers.add(hdrs.WWW_AUTHENTICATE, 'Basic realm="sidecar", charset="UTF-8"')
    refusal.headers.add(hdrs.WWW_AUTHENTICATE, 'Bearer realm="sidecar"')
    return refusal


def own_names(hosts: Collection[str]) -> Middleware:
    """Only requests that call us by an IP address, localhost or one of *hosts* come through.

    A web page can make a browser connect to loopback by letting its own name resolve to 127.0.0.1; the browser then
    takes us for the page's own server. But it still sends that name.
    """
    known = {host.lower() for host in hosts}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get(hdrs.HOST, "")
        name = _hostname(f"//{host}") if _HOST.fullmatch(host) else None
        if name is None or not (name in known or name == "localhost" or _is_address(name)):
            raise web.HTTPForbidden(text="the Host header names another server; use an address or localhost\n")
        return await handler(request)

    return middleware


def same_origin(hosts: Collection[str]) -> Middleware:
    """No web page of another origin may change anything here; reading across origins is prevented by browsers."""
    known = {host.lower() for host in hosts}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in _SAFE and _is_foreign(request, known):
            raise web.HTTPForbidden(text="the request comes from a web page of another origin\n")
        return await handler(request)

    return middleware


def _is_foreign(request: web.Request, known: Collection[str]) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:  # the browser knows what it has asked, and from where; over plain HTTP it does not say
        return site not in ("none", "same-origin")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return False
    if _hostname(origin) in known:
        return False
    try:
        ours = urlsplit(origin).netloc.lower()
    except ValueError:
        return True
    return not ours or ours != request.headers.get(hdrs.HOST, "").lower()  # "null" has no place


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def plain_headers(_: web.Request, response: web.StreamResponse) -> None:
    """No banner with versions, nothing kept by caches, nothing guessed, loaded, run or framed by browsers."""
    response.headers[hdrs.SERVER] = "sidecar"
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
