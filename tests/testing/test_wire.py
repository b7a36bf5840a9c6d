"""Real HTTP through memory."""

import asyncio
import time

import aiohttp
import pytest
from aiohttp import web

from sidecar.testing import Wire

URL = "https://api.anthropic.com/v1/models"


def answering(text: str = "hello", after: float = 0.0) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        await asyncio.sleep(after)
        return web.Response(text=f"{text} {request.method} {request.path} {await request.text()}".rstrip())

    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{tail:.*}", handle)
    return app


@pytest.fixture
async def session(wire):
    async with aiohttp.ClientSession(connector=wire.connector()) as session:
        yield session


class Saying(asyncio.Protocol):
    """Writes by hand: each piece after its pause, then the end, a reset, or nothing more."""

    def __init__(self, *pieces: bytes, pause: float = 0.0, end: str = "close") -> None:
        self.pieces, self.pause, self.end = pieces, pause, end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.task = asyncio.create_task(self.say(transport))

    async def say(self, transport: asyncio.Transport) -> None:
        for piece in self.pieces:
            transport.write(piece)
            await asyncio.sleep(self.pause)
        if self.end == "close":
            transport.close()
        elif self.end == "reset":
            transport.abort()


async def test_a_client_meets_the_app_of_its_host(wire, session):
    """Each host answers with its own app, https without TLS, and an hour of requests costs no time."""
    wire.serve("api.anthropic.com", answering("claude"))
    wire.serve("hooks.slack.com:443", answering("slack"))

    for _ in range(240):
        async with session.get(URL) as response:
            assert await response.text() == "claude GET /v1/models"
        await asyncio.sleep(15)
    async with session.post("https://hooks.slack.com/T1", data="fire") as response:
        assert await response.text() == "slack POST /T1 fire"

    assert time.time() == 1767614400 + 3600


async def test_one_app_answers_at_many_hosts(wire, session):
    """An app is started once, however many hosts and clients want it at the same time."""
    app = answering()
    starts = []

    async def started(_: web.Application) -> None:
        starts.append(await asyncio.sleep(1, "started"))

    app.on_startup.append(started)
    for host in ("a.test", "b.test"):
        wire.serve(host, app)

    async def ask(host: str) -> int:
        async with session.get(f"http://{host}/") as response:
            return int(response.status)

    assert await asyncio.gather(*(ask(host) for host in ("a.test", "b.test", "a.test"))) == [200, 200, 200]
    assert starts == ["started"]


async def test_what_a_host_is_can_change(wire, session):
    """An outage and its end: the next connection meets what the host is by then."""
    wire.refuse("api.anthropic.com")
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await session.get(URL)
    assert isinstance(caught.value.os_error, ConnectionRefusedError)

    wire.serve("api.anthropic.com", answering())
    async with session.get(URL) as response:
        assert response.status == 200

    wire.unresolvable("api.anthropic.com")
    with pytest.raises(aiohttp.ClientConnectorDNSError, match="not on this wire"):
        await session.get(URL)


async def test_a_host_that_hangs_runs_into_the_client_s_timeout(wire, session):
    """A connection that is neither accepted nor refused ends by the client's own timeout, in virtual time."""
    wire.hang("api.anthropic.com")

    with pytest.raises(aiohttp.ServerTimeoutError):
        await session.get(URL, timeout=aiohttp.ClientTimeout(sock_connect=10))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(20):
            await session.get(URL)

    assert asyncio.get_running_loop().time() == 30


async def test_bytes_by_hand_arrive_as_written(wire, session):
    """A raw host decides each byte and pause of its answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    wire.raw("api.anthropic.com", lambda: Saying(head, b"one", b"two", pause=5))

    async with session.get(URL) as response:
        pieces = [(asyncio.get_running_loop().time(), piece) async for piece in response.content.iter_any()]

    assert pieces == [(5, b"one"), (10, b"two")]


@pytest.mark.parametrize(
    ("protocol", "error"),
    [
        pytest.param(lambda: Saying(), aiohttp.ServerDisconnectedError, id="closed without a word"),
        pytest.param(lambda: Saying(end="reset"), aiohttp.ClientOSError, id="reset without a word"),
        pytest.param(lambda: Saying(b"\xff\x00 nonsense\r\n\r\n"), aiohttp.ClientResponseError, id="not HTTP"),
        pytest.param(
            lambda: Saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"),
            aiohttp.ClientPayloadError,
            id="shorter than it said",
        ),
    ],
)
async def test_broken_answers_are_the_client_s_own_errors(wire, session, protocol, error):
    """What goes wrong on the wire arrives as what aiohttp makes of it on a real one."""
    wire.raw("api.anthropic.com", protocol)

    with pytest.raises(error):
        async with session.get(URL) as response:
            await response.read()


async def test_an_early_answer_is_read_although_the_request_is_not(wire, session):
    """A server that answers and closes before it has read the body is heard by a client that still writes."""
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    wire.raw("api.anthropic.com", lambda: Saying(answer))

    async with session.post(URL, data=b"x" * 1_000_000) as response:
        assert response.status == 413


async def test_a_slow_reader_holds_back_the_server(wire, session):
    """The server's drain waits for a client that does not read."""
    progress = []

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for n in range(64):
            await response.write(b"x" * 65536)
            progress.append(n)
        return response

    app = web.Application()
    app.router.add_get("/v1/models", pour)
    wire.serve("api.anthropic.com", app)

    async with session.get(URL) as response:
        await asyncio.sleep(60)
        assert len(progress) < 16
        assert len(await response.read()) == 64 * 65536


async def test_a_cut_breaks_what_is_open(wire, session):
    """After a cut an answer under way ends in an error, and a new connection works."""
    wire.serve("api.anthropic.com", answering(after=10))
    asyncio.get_running_loop().call_later(5, wire.cut)

    # POST, because aiohttp tries what is idempotent once more.
    with pytest.raises(aiohttp.ClientOSError):
        await session.post(URL)
    async with session.post(URL) as response:
        assert response.status == 200


async def test_a_client_that_leaves_ends_its_connection(wire, session):
    """A server notices a client that gave up."""
    ended = asyncio.Event()

    class Listening(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            ended.set()

    wire.raw("api.anthropic.com", Listening)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await session.get(URL)
    async with asyncio.timeout(1):
        await ended.wait()


async def test_phases_are_traced(wire):
    """Resolution and connection are told to the client's traces."""
    heard = []
    trace = aiohttp.TraceConfig()
    for name in ("on_dns_resolvehost_start", "on_dns_resolvehost_end", "on_connection_create_end"):

        async def hear(session: object, context: object, params: object, name: str = name) -> None:
            heard.append(name)

        getattr(trace, name).append(hear)
    wire.serve("api.anthropic.com", answering())

    async with (
        aiohttp.ClientSession(connector=wire.connector(), trace_configs=[trace]) as session,
        session.get(URL) as response,
    ):
        await response.read()

    assert heard == ["on_dns_resolvehost_start", "on_dns_resolvehost_end", "on_connection_create_end"]


async def test_closing_ends_what_is_still_at_work():
    """A wire can be closed while a handler hangs, and the app's clean-up runs."""
    cleaned = []
    app = answering(after=1e6)

    async def clean(_: web.Application) -> None:
        cleaned.append(True)

    app.on_cleanup.append(clean)
    wire = Wire()
    wire.serve("api.anthropic.com", app)

    async with aiohttp.ClientSession(connector=wire.connector()) as session:
        asking = asyncio.create_task(session.post(URL))
        await asyncio.sleep(1)
        await wire.close()
        with pytest.raises(aiohttp.ClientOSError):
            await asking

    assert cleaned == [True]
    assert asyncio.get_running_loop().time() < 2
