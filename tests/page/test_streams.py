"""Answers without an end, over real sockets."""

import asyncio
from contextlib import suppress

import pytest
from aiohttp import web

from sidecar.services.guard import Stream
from tests.services.test_web import serving

pytestmark = pytest.mark.realtime


class Source:
    """A stream, and whether it is still wanted."""

    def __init__(self, chunk: bytes, every: float) -> None:
        self.chunk, self.every, self.ended = chunk, every, asyncio.Event()

    async def chunks(self):
        try:
            while True:
                yield self.chunk
                await asyncio.sleep(self.every)
        finally:
            self.ended.set()

    def route(self) -> web.RouteDef:
        async def stream(_: web.Request) -> web.StreamResponse:
            return Stream(self.chunks(), content_type="text/event-stream")

        return web.get("/stream", stream)


async def ask(address, method=b"GET"):
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(method + b" /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return reader, writer


async def test_a_stream_outlives_the_patience_for_answers(caplog):
    """What is taken may go on for as long as it likes; that somebody leaves is no error."""
    source = Source(b"tick\n", 0.05)
    async with serving(source.route(), patience=0.2) as server:
        reader, writer = await ask(server.addresses[0])
        heard = b""
        async with asyncio.timeout(20):
            while heard.count(b"tick") < 10:
                heard += await reader.read(1000)
        writer.close()
        async with asyncio.timeout(20):
            await source.ended.wait()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_who_does_not_read_is_cut_off():
    """A stream that nobody takes ends after the patience, and what it holds is let go."""
    source = Source(b"x" * 1_000_000, 0.0)
    async with serving(source.route(), patience=0.2) as server:
        _, writer = await ask(server.addresses[0])
        async with asyncio.timeout(20):
            await source.ended.wait()
        writer.close()


async def test_the_end_does_not_wait_for_streams():
    """A server that is stopped ends its streams at once, though it would wait long for other answers."""
    source = Source(b"tick\n", 3600)
    async with asyncio.timeout(20):
        async with serving(source.route(), grace=3600) as server:
            reader, writer = await ask(server.addresses[0])
            await reader.readuntil(b"tick\n")
        assert source.ended.is_set()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()


async def test_head_has_no_stream():
    """Who asks for the headers gets them and no more."""
    source = Source(b"tick\n", 3600)
    async with serving(source.route(), patience=5) as server:
        reader, writer = await ask(server.addresses[0], b"HEAD")
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()

    assert b"text/event-stream" in answer
    assert b"tick" not in answer
