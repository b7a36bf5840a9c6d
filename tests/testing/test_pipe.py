"""The connection in memory keeps the promises of a real one; each story runs on both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sidecar.testing.pipe import join

pytestmark = pytest.mark.realtime

MEGABYTE = bytes(range(256)) * 4096


class End(asyncio.Protocol):
    """One end that remembers what it heard."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.data = b""
        self.lost = asyncio.get_running_loop().create_future()
        self.keep_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self.heard.append("eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self.heard.append("pause")

    def resume_writing(self) -> None:
        self.heard.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append(type(exc).__name__ if exc else "lost")
        self.lost.set_result(None)


Connect = Callable[[], Awaitable[tuple[End, End]]]


@pytest.fixture(params=["memory", "loopback"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Makes a client's and a server's end of a new connection."""
    if request.param == "memory":

        async def join_in_memory() -> tuple[End, End]:
            client, server = End(), End()
            join(client, server, client_at=("127.0.0.1", 40000), server_at=("127.0.0.1", 80))
            return client, server

        yield join_in_memory
        return
    loop = asyncio.get_running_loop()
    accepted: asyncio.Queue[End] = asyncio.Queue()

    class Accepted(End):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            accepted.put_nowait(self)

    listener = await loop.create_server(Accepted, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    made: list[End] = []

    async def join_by_loopback() -> tuple[End, End]:
        _, client = await loop.create_connection(End, host, port)
        server = await accepted.get()
        made.extend((client, server))
        return client, server

    yield join_by_loopback
    listener.close()
    for end in made:
        end.transport.abort()
    await listener.wait_closed()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until *condition* holds; pytest's timeout bounds it."""
    while not condition():
        await asyncio.sleep(0)


async def test_bytes_arrive_whole_and_in_order(connect):
    """A megabyte arrives as it was sent, whatever the pieces."""
    client, server = await connect()

    client.transport.write(MEGABYTE)
    await until(lambda: len(server.data) == len(MEGABYTE))

    assert server.data == MEGABYTE


async def test_what_is_buffered_arrives_before_the_end(connect):
    """Closing sends what was written, then the end, then both sides are lost."""
    client, server = await connect()

    client.transport.write(MEGABYTE)
    client.transport.close()
    await client.lost
    await server.lost

    assert server.data == MEGABYTE
    assert server.heard == ["eof", "lost"]
    assert client.heard[-1] == "lost"


async def test_a_pause_keeps_the_order(connect):
    """What arrives during a pause of reading is delivered afterwards, in order, before the end."""
    client, server = await connect()
    client.transport.write(b"one ")
    await until(lambda: server.data)

    server.transport.pause_reading()
    client.transport.write(b"two ")
    client.transport.write(b"three")
    client.transport.close()
    for _ in range(20):
        await asyncio.sleep(0)

    assert server.data == b"one "
    assert server.heard == []
    server.transport.resume_reading()
    await server.lost
    assert server.data == b"one two three"
    assert server.heard == ["eof", "lost"]


async def test_a_reader_that_pauses_again_and_again_loses_nothing(connect):
    """Pausing in the middle of deliveries and resuming keeps every byte in its place."""
    client, server = await connect()
    client.transport.write(MEGABYTE)

    for _ in range(50):
        server.transport.pause_reading()
        await asyncio.sleep(0)
        server.transport.resume_reading()
        await asyncio.sleep(0)
    await until(lambda: len(server.data) == len(MEGABYTE))

    assert server.data == MEGABYTE


async def test_a_slow_reader_pauses_the_writer(connect):
    """Back-pressure: a writer whose reader stands still is told to stop, and to go on when the buffers empty."""
    client, server = await connect()
    server.transport.pause_reading()

    sent = 0
    while "pause" not in client.heard:
        client.transport.write(MEGABYTE)
        sent += len(MEGABYTE)
        await asyncio.sleep(0)
    assert client.transport.get_write_buffer_size() > 0
    server.transport.resume_reading()
    await until(lambda: len(server.data) == sent)
    await until(lambda: "resume" in client.heard)

    assert client.heard == ["pause", "resume"]
    assert client.transport.get_write_buffer_size() == 0


async def test_half_a_connection_can_end(connect):
    """After write_eof the other side may keep answering."""
    client, server = await connect()
    server.keep_open = True

    client.transport.write(b"question")
    client.transport.write_eof()
    await until(lambda: "eof" in server.heard)
    server.transport.write(b"answer")
    server.transport.close()
    await client.lost

    assert (server.data, client.data) == (b"question", b"answer")
    with pytest.raises(RuntimeError):
        client.transport.write(b"more")


async def test_writing_to_a_closed_connection_ends_in_a_reset(connect):
    """Who writes to a peer that is gone, and does not look, loses the connection with an error."""
    client, server = await connect()
    server.transport.pause_reading()
    client.transport.close()
    await client.lost

    while not server.lost.done():
        server.transport.write(b"anybody there?")
        await asyncio.sleep(0.001)

    assert server.heard in (["ConnectionResetError"], ["BrokenPipeError"])


async def test_closing_twice_is_closing_once(connect):
    """A second close or abort changes nothing, and connection_lost comes once."""
    client, server = await connect()

    client.transport.close()
    client.transport.close()
    client.transport.abort()
    await server.lost
    await client.lost

    assert client.transport.is_closing()
    assert client.heard == ["lost"]
