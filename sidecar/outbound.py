"""The one door through which HTTP leaves: a connection of its own per request, phases, and errors in our words."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from yarl import URL

from sidecar.model.errors import SidecarError

USER_AGENT: Final = "claude-sidecar"

Phase = Callable[[str, float], None]
"""Hears how many seconds a phase took: resolve, connect, tls or first_byte."""


class OutboundError(SidecarError):
    """A request without a usable answer.

    `error_type` is dns, connect, tls, reset, timeout, too_large or bad_request; `sent`: whether the request had left,
    or may have, so that it can have had its effect. The message holds no query, user info or header.
    """

    def __init__(self, error_type: str, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.sent = sent


def safe_url(url: str) -> str:
    """Scheme, host, port and path of *url*: what may be shown."""
    try:
        parsed = URL(url)
    except ValueError:
        return "an unreadable URL"
    return str(parsed.with_user(None).with_query(None).with_fragment(None)) if parsed.host else parsed.path


class Outbound:
    """Sends requests. *connector* replaces the network, for tests; then the environment's proxies are ignored."""

    def __init__(
        self, *, connector: Callable[[], aiohttp.BaseConnector] | None = None, user_agent: str = USER_AGENT
    ) -> None:
        self._connector = connector
        self._user_agent = user_agent
        self._context: ssl.SSLContext | None = None

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        redirects: int = 0,
        phase: Phase | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request, its body not read yet; raises OutboundError, also from reading inside the block.

        Nothing bounds the time: that is the caller's `asyncio.timeout`. Redirects are answers unless *redirects* > 0.
        """
        watch = _Watch(phase)
        where = safe_url(url)
        for name, value in (headers or {}).items():
            if any(c in name + value for c in "\r\n\0"):
                raise OutboundError("bad_request", f"the header {name!r:.40} holds a line break", sent=False)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=self._connect(watch),
                    connector_owner=True,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"User-Agent": self._user_agent},
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                    trace_configs=[watch.trace()],
                    trust_env=self._connector is None,
                    read_bufsize=2**16,
                ) as session,
                session.request(
                    method,
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=redirects > 0,
                    max_redirects=max(1, redirects),
                ) as response,
            ):
                yield response
        except (aiohttp.ClientError, OSError) as exc:
            raise translate(exc, where, sent=watch.sent) from exc

    def _connect(self, watch: "_Watch") -> aiohttp.BaseConnector:
        if self._connector is not None:
            return self._connector()
        if self._context is None:
            self._context = ssl.create_default_context()
        return aiohttp.TCPConnector(
            ssl=_marking(self._context, watch),
            force_close=True,
            use_dns_cache=False,
            limit=1,
            enable_cleanup_closed=False,
        )

    async def close(self) -> None:
        """Nothing outlives its request."""


async def read_limited(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body; raises OutboundError("too_large") once it is more than *limit* bytes, decompressed."""
    parts, size = [], 0
    async for part in response.content.iter_chunked(2**16):
        size += len(part)
        if size > limit:
            where = safe_url(str(response.url))
            raise OutboundError("too_large", f"{where} answered with more than {limit} bytes", sent=True)
        parts.append(part)
    return b"".join(parts)


def translate(exc: Exception, where: str, *, sent: bool) -> OutboundError:
    """A foreign error in our words; every class that aiohttp, ssl or the socket raises has one."""
    match exc:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | aiohttp.RedirectClientError():
            return OutboundError(
                "bad_request", f"{where} is no URL that can be asked; expected http:// or https://", sent=sent
            )
        case aiohttp.TooManyRedirects():
            return OutboundError("bad_request", f"{where} redirects too often", sent=True)
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            host = URL(where).host if "://" in where else where
            return OutboundError("dns", f"the name {host} does not resolve", sent=False)
        case ssl.SSLError() | aiohttp.ClientSSLError() | ssl.CertificateError() | aiohttp.ServerFingerprintMismatch():
            return OutboundError("tls", f"no TLS with {where}: {_reason(exc)}", sent=sent)
        case TimeoutError():
            return OutboundError("timeout", f"{where} did not answer in time", sent=sent)
        case aiohttp.ClientHttpProxyError():
            return OutboundError("connect", f"the proxy on the way to {where} answered {exc.status}", sent=False)
        case aiohttp.ClientProxyConnectionError():
            return OutboundError("connect", f"no connection to the proxy on the way to {where}", sent=False)
        case aiohttp.ClientConnectorError():
            return OutboundError("connect", f"no connection to {where}: {_reason(exc)}", sent=False)
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return OutboundError("reset", f"{where} answered with what is no HTTP: {_reason(exc)}", sent=True)
        case aiohttp.ClientError() | OSError():
            return OutboundError("reset", f"{where} broke the connection: {_reason(exc)}", sent=sent)
        case _:
            return OutboundError("bad_request", f"the request to {where} cannot be made: {_reason(exc)}", sent=sent)


def _reason(exc: Exception) -> str:
    """What the operating system or OpenSSL says; aiohttp's own texts repeat the URL, its query with it."""
    inner = getattr(exc, "os_error", None) or getattr(exc, "certificate_error", None) or exc
    if isinstance(inner, ssl.SSLError):
        return getattr(inner, "verify_message", "") or inner.reason or type(inner).__name__
    if isinstance(inner, OSError) and inner.strerror:
        return str(inner.strerror).lower()
    return type(inner).__name__


class _Watch:
    """Follows one request; tells the phases of its first connection and whether the request has left."""

    def __init__(self, phase: Phase | None) -> None:
        self._phase = phase or (lambda _name, _seconds: None)
        self._marks: dict[str, float] = {}
        self.sent = False

    def mark(self, name: str) -> None:
        self._marks.setdefault(name, asyncio.get_running_loop().time())

    def _tell(self, name: str, start: str, end: str) -> None:
        if start in self._marks and end in self._marks:
            self._phase(name, self._marks[end] - self._marks[start])

    def trace(self) -> aiohttp.TraceConfig:
        """Aiohttp's signals. It has none for TLS: the SSL context marks the moment at which TCP is up."""
        config = aiohttp.TraceConfig()

        async def resolving(*_: Any) -> None:
            self.mark("resolve")

        async def resolved(*_: Any) -> None:
            self.mark("resolved")
            self._tell("resolve", "resolve", "resolved")

        async def connecting(*_: Any) -> None:
            self.mark("connect")

        async def connected(*_: Any) -> None:
            self.mark("connected")
            start = "resolved" if "resolved" in self._marks else "connect"
            self._tell("connect", start, "tcp" if "tcp" in self._marks else "connected")
            self._tell("tls", "tcp", "connected")

        async def headers_sent(*_: Any) -> None:
            self.sent = True
            self.mark("sent")

        async def answered(*_: Any) -> None:
            self.mark("answered")
            self._tell("first_byte", "sent", "answered")

        config.on_dns_resolvehost_start.append(resolving)
        config.on_dns_resolvehost_end.append(resolved)
        config.on_connection_create_start.append(connecting)
        config.on_connection_create_end.append(connected)
        config.on_request_headers_sent.append(headers_sent)
        config.on_request_end.append(answered)
        return config


def _marking(context: ssl.SSLContext, watch: _Watch) -> ssl.SSLContext:
    """A view of *context* that marks when TLS begins, which is when TCP is up."""

    class Marking(ssl.SSLContext):
        def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
            watch.mark("tcp")
            return context.wrap_bio(*args, **kwargs)

    return Marking(ssl.PROTOCOL_TLS_CLIENT)
