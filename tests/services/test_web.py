"""The HTTP server, over real sockets."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sidecar.secrets import Secret, SecretError
from sidecar.services.addresses import Address, ListenError
from sidecar.services.guard import Stream
from sidecar.services.web import Web

pytestmark = pytest.mark.realtime


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def echo(request: web.Request) -> web.Response:
    return web.Response(text=f"{len(await request.read())} bytes")


async def crash(_: web.Request) -> web.Response:
    raise RuntimeError("the secret is hunter2")


ROUTES = [
    web.get("/metrics", hello),
    web.get("/health", hello),
    web.get("/health/live", hello),
    web.get("/health/ready", hello),
    web.get("/crash", crash),
    web.post("/echo", echo),
    web.post("/metrics", echo),
]


@asynccontextmanager
async def serving(*routes: web.RouteDef, **settings: Any) -> AsyncIterator[Web]:
    """A server on free ports, gone at the end."""
    server = Web([*ROUTES, *routes], **{"listen": "127.0.0.1:0", **settings})
    task = asyncio.create_task(server.run())
    bound = asyncio.create_task(server.bound.wait())
    await asyncio.wait([task, bound], return_when=asyncio.FIRST_COMPLETED)
    bound.cancel()
    if task.done():
        await task
    try:
        yield server
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ask(address: Address, method: str, path: str, **more: Any) -> tuple[int, str, dict[str, str]]:
    """One request; its code, text and headers."""
    connector = aiohttp.UnixConnector(address.path) if address.path else None
    url = f"http://{address if not address.path else 'sidecar'}{path}"
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, url, **more) as response,
    ):
        return response.status, await response.text(), dict(response.headers)


async def code(address: Address, method: str, path: str, **more: Any) -> int:
    return (await ask(address, method, path, **more))[0]


async def talk(address: Address, data: bytes) -> bytes:
    """What comes back for *data*, until the other end closes."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        with suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), 10)
        return b""
    finally:
        writer.close()


async def test_two_listeners():
    """One listener serves everything, the public one only metrics and health, to GET and HEAD."""
    async with serving(public="127.0.0.1:0") as server:
        private, public = server.addresses
        for path in ("/metrics", "/health", "/health/live", "/health/ready"):
            assert await code(private, "GET", path) == 200
            assert await code(public, "GET", path) == 200
            assert await code(public, "HEAD", path) == 200
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                assert await code(public, method, path) == 405
        assert await code(private, "POST", "/echo", data=b"12") == 200
        assert await code(public, "POST", "/echo", data=b"12") == 404
        assert await code(public, "GET", "/crash") == 404


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", ":0", "10.0.0.1:9797", "sidecar.example.com:80"])
async def test_a_wide_listener_needs_a_token(listen):
    """Where others can reach it, the server does not exist without a token, and says what to do."""
    with pytest.raises(ListenError, match=r"and no http\.token; expected the token, or 127\.0\.0\.1"):
        Web(ROUTES, listen=listen)


async def test_the_token():
    """With a token every path needs it, and the next token counts as soon as there is one."""
    tokens = ["s3cret"]
    async with serving(listen="0.0.0.0:0", token=lambda: tokens[-1]) as server:
        (wide,) = server.addresses
        address = Address("127.0.0.1", wide.port)
        status, text, headers = await ask(address, "GET", "/metrics")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="sidecar"')
        assert "s3cret" not in text
        for wrong in ("Bearer", "Bearer ", "Bearer s3cre", "Basic s3cret", "s3cret", "Bearer ü"):
            assert await code(address, "GET", "/metrics", headers={"Authorization": wrong}) == 401
        assert await code(address, "GET", "/nothing") == 401
        assert await code(address, "GET", "/metrics", headers={"Authorization": "bearer s3cret"}) == 200
        tokens.append("rotated")
        assert await code(address, "GET", "/metrics", headers={"Authorization": "Bearer s3cret"}) == 401
        assert await code(address, "GET", "/metrics", headers={"Authorization": "Bearer rotated"}) == 200
        tokens.append("")
        assert await code(address, "GET", "/metrics", headers={"Authorization": "Bearer "}) == 401


async def test_a_token_of_any_bytes():
    """A token that is no text, as an environment may hold it, is that token and no other."""
    async with serving(token=lambda: "s\udcff3") as server:
        for given, expected in ((b"s\xff3", 200), (b"s\xfe3", 401), (b"s?3", 401)):
            head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
            assert (await talk(server.addresses[0], head + given + b"\r\n\r\n")).startswith(b"HTTP/1.1 %d" % expected)


@pytest.mark.parametrize(
    "after", [pytest.param(["rotated"], id="another"), pytest.param([], id="none that can be read")]
)
async def test_a_stream_ends_with_its_token(after):
    """Whoever listens with a token that does not count any more hears nothing more."""
    tokens = ["s3cret"]
    more, ended, told = asyncio.Event(), asyncio.Event(), []

    def token() -> str:
        if not tokens:
            raise SecretError("the file is gone")
        return tokens[-1]

    async def chunks() -> AsyncGenerator[bytes]:
        try:
            for chunk in (b"first", b"second", b"third"):
                told.append(chunk)
                yield chunk
                await more.wait()
        finally:
            ended.set()

    async def stream(_: web.Request) -> web.StreamResponse:
        return Stream(chunks(), content_type="text/event-stream")

    async with (
        serving(web.get("/stream", stream), token=token) as server,
        aiohttp.ClientSession(headers={"Authorization": "Bearer s3cret"}) as session,
        session.get(f"http://{server.addresses[0]}/stream") as response,
    ):
        assert await response.content.read(5) == b"first"
        tokens[:] = after
        more.set()
        async with asyncio.timeout(20):
            await ended.wait()
    assert told == [b"first", b"second"]


async def test_a_quiet_stream_is_not_cut_off():
    """What has nothing to say for longer than the patience for answers is still there afterwards."""

    async def chunks() -> AsyncGenerator[bytes]:
        yield b"first"
        await asyncio.sleep(0.2)
        yield b"second"

    async def stream(_: web.Request) -> web.StreamResponse:
        return Stream(chunks(), content_type="text/event-stream")

    async with serving(web.get("/stream", stream), patience=0.1) as server:
        heard = await talk(server.addresses[0], b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert b"first" in heard
    assert b"second" in heard


async def test_a_token_that_cannot_be_read(tmp_path):
    """Without its token's file the server does not begin; when that goes later, nobody comes in, and hears why."""
    file = tmp_path / "token"
    token = Secret.from_file(str(file)).reveal
    with pytest.raises(SecretError, match="cannot be read"):
        async with serving(token=token):
            pass

    file.write_text("s3cret")
    async with serving(token=token) as server:
        file.unlink()
        status, text, _ = await ask(server.addresses[0], "GET", "/metrics", headers={"Authorization": "Bearer s3cret"})

    assert (status, text) == (503, "http.token cannot be read; is its file mounted?\n")


async def test_a_port_that_is_taken():
    """The address and what to do are named, in one line."""
    async with serving() as server:
        address = str(server.addresses[0])
        expected = f"cannot listen on {address}: address already in use; change it, or stop who does"
        with pytest.raises(ListenError, match=f"^{re.escape(expected)}$"):
            async with serving(listen=address):
                pass


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("localhost", 200, id="localhost"),
        pytest.param("LOCALHOST:9797", 200, id="localhost with a port"),
        pytest.param("127.0.0.1:9797", 200, id="an address"),
        pytest.param("[::1]:9797", 200, id="an address of IPv6"),
        pytest.param("sidecar.example.com", 200, id="the external URL's name"),
        pytest.param("evil.example", 403, id="a page's own name"),
        pytest.param("127.0.0.1.evil.example", 403, id="a name that looks like an address"),
        pytest.param("[::1]evil.example", 403, id="a name behind an address"),
        pytest.param("evil.example#127.0.0.1", 403, id="an address behind a name"),
        pytest.param("127.0.0.1@evil.example", 403, id="an address for a user"),
        pytest.param("[", 400, id="no name at all"),
    ],
)
async def test_a_name_that_was_rebound_gets_nothing(host, expected):
    """A web page whose name resolves to loopback cannot read or change anything."""
    async with serving(hosts=["sidecar.example.com"]) as server:
        status = await code(server.addresses[0], "GET", "/metrics", headers={"Host": host})

    assert status in {expected, 403} if expected == 400 else status == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, 200, id="no browser"),
        pytest.param({"Origin": "http://{address}"}, 200, id="our own page"),
        pytest.param({"Origin": "https://sidecar.example.com"}, 200, id="our page behind a proxy"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="another page"),
        pytest.param({"Origin": "http://localhost:1"}, 403, id="another server of this machine"),
        pytest.param({"Origin": "null"}, 403, id="a page without an origin"),
        pytest.param({"Origin": "http://["}, 403, id="no origin at all"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="a browser that says so"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="a browser that says it is ours"),
        pytest.param(
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://pages.example"}, 200, id="our page behind any proxy"
        ),
        pytest.param(
            {"Sec-Fetch-Site": "same-site", "Origin": "https://sidecar.example.com"}, 403, id="another port of our host"
        ),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="a browser's own doing"),
    ],
)
async def test_no_page_posts_across_origins(headers, expected):
    """What changes anything is refused when it comes from a page of another origin; reading is not."""
    async with serving(hosts=["sidecar.example.com"]) as server:
        (address,) = server.addresses
        sent = {name: value.format(address=address) for name, value in headers.items()}

        assert await code(address, "POST", "/echo", headers=sent) == expected
        assert await code(address, "GET", "/metrics", headers=sent) == 200


async def test_a_unix_socket(tmp_path):
    """On a Unix socket everything is served without a token, and the path is gone afterwards."""
    path = tmp_path / "sidecar.sock"
    async with serving(listen=str(path)) as server:
        assert await code(server.addresses[0], "GET", "/metrics") == 200

    assert not path.exists()


async def test_no_banner():
    """No answer says what it was written with, good or bad, and nobody keeps or guesses anything."""
    async with serving() as server:
        (address,) = server.addresses
        for path in ("/metrics", "/nothing", "/crash"):
            _, text, headers = await ask(address, "GET", path)
            assert headers["Server"] == "sidecar"
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "hunter2" not in text
        broken = await talk(address, b"\x16\x03\x01\x02\x00 garbage\r\n\r\n")

    assert broken.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"aiohttp" not in broken
    assert b"garbage" not in broken


async def test_a_body_has_a_limit():
    """A body above the limit is refused with 413."""
    async with serving(max_body=1000) as server:
        (address,) = server.addresses

        assert (await ask(address, "POST", "/echo", data=b"x" * 1000))[:2] == (200, "1000 bytes")
        assert await code(address, "POST", "/echo", data=b"x" * 1001) == 413


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00\xff" * 5000, id="binary"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", id="a huge header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", id="endless headers"),
        pytest.param(b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", id="a huge path"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", id="less than no body"),
        pytest.param(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n", id="2"
        ),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="an unknown version"),
        pytest.param(b"\r\n" * 10_000, id="nothing but lines"),
    ],
)
async def test_hostile_bytes_harm_nothing(data, caplog):
    """After any bytes the server answers the next request, and its log holds no traceback."""
    caplog.set_level(logging.INFO)
    async with serving(patience=0.5) as server:
        (address,) = server.addresses
        answer = await talk(address, data)

        assert await code(address, "GET", "/metrics") == 200
    assert not answer or answer.startswith(b"HTTP/1.")
    assert not answer or b" 4" in answer.split(b"\r\n")[0]
    assert not caplog.records


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(b"", b"", id="says nothing"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: loc", b"", id="stops within the headers"),
        pytest.param(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx", b"408", id="within the body"
        ),
    ],
)
async def test_a_slow_request_is_cut_off(data, answer):
    """A client that does not finish its request loses the connection, at the latest when its patience is over."""
    async with serving(patience=0.2) as server:
        received = await talk(server.addresses[0], data)

    assert answer in received


async def test_a_client_that_does_not_read_is_cut_off(caplog):
    """An answer that nobody takes does not hold its memory forever."""
    given_up = asyncio.Event()

    class Large(web.Response):
        async def write_eof(self, data: bytes = b"") -> None:
            try:
                await super().write_eof(data)
            except asyncio.CancelledError:
                given_up.set()
                raise

    async def large(_: web.Request) -> web.Response:
        return Large(body=b"x" * 50_000_000)

    async with serving(web.get("/large", large), patience=0.2) as server:
        (address,) = server.addresses
        reader, writer = await asyncio.open_connection(address.host, address.port, limit=1024)
        writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await given_up.wait()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(50_000_000)
        writer.close()

        assert await code(address, "GET", "/metrics") == 200
    assert not caplog.records


async def test_too_many_connections_are_refused():
    """Beyond the limit a connection gets 503 at once and is counted; there is room again when others leave."""
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(max_connections=2) as server:
        (address,) = server.addresses
        held = [await asyncio.open_connection(address.host, address.port) for _ in range(2)]
        for reader, writer in held:
            writer.write(request)
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        assert (await talk(address, request)).startswith(b"HTTP/1.1 503")
        assert {update.family.name: update.value for update in server.updates()} == {
            "sidecar_http_connections": 2,
            "sidecar_http_connections_refused_total": 1,
        }
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        while await code(address, "GET", "/metrics") != 200:
            await asyncio.sleep(0)


async def test_a_crash_is_a_500_and_logged(caplog):
    """A handler's own error is a plain 500; the traceback is in the log and not in the answer."""
    async with serving() as server:
        status, text, _ = await ask(server.addresses[0], "GET", "/crash")

    assert status == 500
    assert "Traceback" not in text
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError]


async def test_an_address_in_use_is_named():
    """A listener that cannot be bound ends the service with the address, and leaves none bound."""
    async with serving() as server:
        (address,) = server.addresses
        with pytest.raises(ListenError, match=f"cannot listen on {address}.*stop who does"):
            async with serving(public=str(address)):
                pass


async def test_answers_under_way_are_finished():
    """A cancelled server lets an answer under way end before it goes."""
    started, release = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        started.set()
        await release.wait()
        return web.Response(text="done")

    server = Web([web.get("/slow", slow)], listen="127.0.0.1:0")
    task = asyncio.create_task(server.run())
    await server.bound.wait()
    answer = asyncio.create_task(ask(server.addresses[0], "GET", "/slow"))
    await started.wait()
    task.cancel()
    while server.bound.is_set():
        await asyncio.sleep(0)
    release.set()
    with suppress(asyncio.CancelledError):
        await task

    assert (await answer)[:2] == (200, "done")
