"""The one door through which HTTP leaves: a connection of its own per request, phases, and errors in our words."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from sidecar.model.errors import SidecarError
from sidecar.network import Network, NetworkError
from sidecar.secrets import SecretError, refused

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
    if not parsed.host:
        return parsed.path.rpartition("@")[2]  # a user and a password, when somebody forgot the scheme
    return str(parsed.with_user(None).with_query(None).with_fragment(None))


class Outbound:
    """Sends requests. *connector* replaces the network, for tests; then proxies and addresses are ignored."""

    def __init__(
        self,
        *,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        network: Network = Network(),  # noqa: B008 -- frozen
    ) -> None:
        """*context*: whom TLS trusts; without it, whom *network* says."""
        self._connector = connector
        self._user_agent = user_agent
        self._context = context
        self.network = network

    def with_network(self, network: Network | None) -> Self:
        """One that connects as *network* says, and where that says nothing, as this one; cheap."""
        if network is None:
            return self
        merged = network.over(self.network)
        context = None if network.says_whom_to_trust else self._context
        return type(self)(connector=self._connector, context=context, user_agent=self._user_agent, network=merged)

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
        certificate: Callable[[float], None] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request, its body not read yet; raises OutboundError, also from reading inside the block.

        The request is made once: nothing is repeated, whatever the method. Up to *redirects* are followed, the one
        after them is the answer; another origin gets neither the headers nor the body. *phase* hears each phase with
        its seconds, summed over redirects; *certificate* when the peer's ends, in seconds since the epoch. Nothing
        bounds the time: that is the caller's `asyncio.timeout`.
        """
        watch = _Watch(phase, certificate)
        headers = dict(headers or {})
        for name, value in headers.items():
            if any(c in name + value for c in "\r\n\0"):
                raise OutboundError("bad_request", f"the header {name!r:.40} holds a line break", sent=False)
        while True:
            async with AsyncExitStack() as stack:
                try:
                    response = await self._send(stack, watch, method, url, headers=headers, body=body)
                except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as exc:
                    raise translate(exc, safe_url(url), sent=watch.sent) from exc
                there = _redirect(response) if redirects > 0 else None
                if there is None:
                    try:
                        yield response
                    except (aiohttp.ClientError, HttpProcessingError, OSError) as exc:
                        raise translate(exc, safe_url(url), sent=True) from exc
                    return
            redirects -= 1
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), None
            if there.origin() != response.url.origin():
                headers, body = {}, None
            url = str(there)

    async def _send(
        self,
        stack: AsyncExitStack,
        watch: "_Watch",
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> aiohttp.ClientResponse:
        proxy, credentials = _proxy(self.network, url) if self._connector is None else (None, {})
        tunnel = url.lower().startswith("https:")  # then the proxy reads a request of its own, CONNECT
        encrypted = tunnel or (proxy is not None and proxy.scheme == "https")
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=_attentive(self._connect(watch, encrypted=encrypted)),
                connector_owner=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                trace_configs=[watch.trace()],
                trust_env=False,  # it would take user names from ~/.netrc, too
                read_bufsize=2**16,
            )
        )
        # A peer that hangs up is asked a second time otherwise, for GET and its like: two requests, one measurement.
        session._retry_connection = False  # noqa: SLF001 -- as aiohttp's own test client does; there is no public way
        return await stack.enter_async_context(
            session.request(
                method,
                url,
                headers=headers if tunnel else {**headers, **credentials},
                data=body,
                allow_redirects=False,
                proxy=proxy,
                proxy_headers=credentials if tunnel else None,
                server_hostname=self.network.server_name or None,
            )
        )

    def _connect(self, watch: "_Watch", *, encrypted: bool) -> aiohttp.BaseConnector:
        if self._connector is not None:
            return self._connector()
        tls: ssl.SSLContext | bool = True
        if encrypted:
            # Reads all certificates of the system, which costs 20 ms and a megabyte: only who needs it pays, once.
            try:
                tls = _marking(self._context or self.network.ssl_context(), watch)
            except NetworkError as exc:
                raise OutboundError("tls", str(exc), sent=False) from exc
        return _Connector(
            self.network,
            ssl=tls,
            force_close=True,
            use_dns_cache=False,
            limit=1,
            family=self.network.family,
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
    """A foreign error in our words; every class that aiohttp, ssl or a socket raises has one."""
    match exc:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | aiohttp.RedirectClientError():
            return OutboundError("bad_request", f"{where} is no URL to ask, expected http:// or https://", sent=sent)
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            host = URL(where).host if "://" in where else where
            return OutboundError("dns", f"the name {host} does not resolve", sent=sent)
        case ssl.SSLError() | aiohttp.ClientSSLError() | ssl.CertificateError() | aiohttp.ServerFingerprintMismatch():
            return OutboundError("tls", f"no TLS with {where}: {_reason(exc)}", sent=sent)
        case TimeoutError():
            return OutboundError("timeout", f"{where} did not answer in time", sent=sent)
        case aiohttp.ClientHttpProxyError():
            if exc.status == 407:
                refused()
            return OutboundError("connect", f"the proxy on the way to {where} answered {exc.status}", sent=sent)
        case aiohttp.ClientProxyConnectionError():
            return OutboundError("connect", f"no connection to the proxy on the way to {where}", sent=sent)
        case aiohttp.ClientConnectorError():
            return OutboundError("connect", f"no connection to {where}: {_reason(exc)}", sent=sent)
        case aiohttp.ClientPayloadError():
            return OutboundError("reset", f"{where} broke off or garbled its answer", sent=True)
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return OutboundError("reset", f"{where} answered with what is no HTTP", sent=True)
        case aiohttp.ServerDisconnectedError():
            return OutboundError("reset", f"{where} hung up without an answer", sent=sent)
        case aiohttp.ClientError() | OSError():
            return OutboundError("reset", f"{where} broke the connection: {_reason(exc)}", sent=sent)
        case _:
            return OutboundError("bad_request", f"the request to {where} cannot be made: {_reason(exc)}", sent=sent)


def _redirect(response: aiohttp.ClientResponse) -> URL | None:
    """Where *response* sends us, if that is a place for HTTP."""
    location = response.headers.get("Location")
    if response.status not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        there = response.url.join(URL(location)).with_user(None)  # nobody tells us as whom to come
        there.origin()
    except ValueError:
        return None
    return there if there.scheme in ("http", "https") else None


def _proxy(network: Network, url: str) -> tuple[URL | None, dict[str, str]]:
    """The proxy for *url*, with its headers."""
    try:
        proxy = network.proxy_for(URL(url))
    except SecretError as exc:
        raise OutboundError("connect", str(exc), sent=False) from exc
    if proxy is None:
        return None, {}
    if proxy.scheme not in ("http", "https") or not proxy.host:
        found = safe_url(str(proxy))
        raise OutboundError(
            "connect", f"the environment names the proxy {found}, expected http://host:port", sent=False
        )
    if not proxy.user:
        return proxy, {}
    return proxy.with_user(None), {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")}


class _Connector(aiohttp.TCPConnector):
    """Connects where *network* says; Host and the name in TLS stay those of the URL."""

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(**options)
        self._network = network

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> Any:
        return await super()._resolve_host(*self._network.address(host, port), traces=traces)


# OpenSSL's reasons when bytes come that are no record of TLS.
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})


def _reason(exc: Exception) -> str:
    """What the operating system or OpenSSL says; aiohttp's own texts repeat the URL, its query with it."""
    inner = getattr(exc, "os_error", None) or getattr(exc, "certificate_error", None) or exc
    if isinstance(inner, ssl.SSLError):
        said = getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or type(inner).__name__
        return f"what answers there does not speak TLS ({said}); is it http://?" if said in _NO_TLS else str(said)
    if isinstance(inner, OSError) and inner.errno and inner.errno > 0:  # a resolver's own numbers are below
        return os.strerror(inner.errno).lower()  # asyncio puts words of its own, with the address, in their place
    return type(inner).__name__


class _Watch:
    """Follows one request; tells the phases of its connections, and whether it has left."""

    def __init__(self, phase: Phase | None, certificate: Callable[[float], None] | None) -> None:
        self._phase = phase
        self._certificate = certificate
        self._marks: dict[str, float] = {}
        self._totals: dict[str, float] = {}
        self._tls: ssl.SSLObject | None = None
        self.sent = False

    def mark(self, name: str) -> None:
        self._marks.setdefault(name, asyncio.get_running_loop().time())

    def begin_tls(self, tls: ssl.SSLObject) -> None:
        self.mark("tcp")
        self._tls = tls

    def _tell(self, name: str, start: str, end: str) -> None:
        if self._phase and start in self._marks and end in self._marks:
            self._totals[name] = self._totals.get(name, 0.0) + self._marks[end] - self._marks[start]
            self._phase(name, self._totals[name])

    def _tell_certificate(self) -> None:
        shown = self._tls.getpeercert() if self._tls else None
        ends = shown.get("notAfter") if shown else None
        if self._certificate and isinstance(ends, str):
            self._certificate(float(ssl.cert_time_to_seconds(ends)))

    def trace(self) -> aiohttp.TraceConfig:
        """Aiohttp's signals. It has none for TLS: the SSL context marks the moment at which TCP is up."""
        config = aiohttp.TraceConfig()

        async def started(*_: Any) -> None:
            self._marks.clear()  # a redirect is a connection of its own
            self._tls = None

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
            self._tell_certificate()

        async def headers_sent(*_: Any) -> None:
            self.sent = True
            self.mark("sent")

        async def answered(*_: Any) -> None:
            self.mark("answered")
            self._tell("first_byte", "sent", "answered")

        config.on_request_start.append(started)
        config.on_dns_resolvehost_start.append(resolving)
        config.on_dns_resolvehost_end.append(resolved)
        config.on_connection_create_start.append(connecting)
        config.on_connection_create_end.append(connected)
        config.on_request_headers_sent.append(headers_sent)
        config.on_request_end.append(answered)
        return config


class _Protocol(ResponseHandler):
    """aiohttp's, but whoever reads a body hears when its bytes are no HTTP; there, they would wait for ever."""

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        payload = self._payload
        if isinstance(exc, HttpProcessingError) and payload is not None and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError("the body is no HTTP"), exc)


def _protocol(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return _Protocol(loop)


def _attentive(connector: aiohttp.BaseConnector) -> aiohttp.BaseConnector:
    """*connector*, which speaks by our protocol from now on."""
    connector._factory = partial(_protocol, asyncio.get_running_loop())  # noqa: SLF001 -- there is no public way
    return connector


def _marking(context: ssl.SSLContext, watch: _Watch) -> ssl.SSLContext:
    """A view of *context* that marks when TLS begins, which is when TCP is up."""

    class Marking(ssl.SSLContext):
        def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
            tls = context.wrap_bio(*args, **kwargs)
            watch.begin_tls(tls)
            return tls

    return Marking(ssl.PROTOCOL_TLS_CLIENT)
