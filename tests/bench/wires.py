"""Both ends of the daemon, with bytes timed where they enter and leave; all on one monotonic clock."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import perf_counter

from tests.integration.harness import within

Answer = Callable[[float, bytes], int]
"""From the time of a request's first byte and its body to the status of the answer."""


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[str]:
    """The smallest HTTP server on a free port of loopback; yields its URL."""
    conversations: set[asyncio.Task[None]] = set()

    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        try:
            # Whoever leaves in the middle is a daemon that was stopped.
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await _talk(reader, writer, answer)
        finally:
            conversations.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)


async def _talk(reader: StreamReader, writer: StreamWriter, answer: Answer) -> None:
    """One connection, which is kept for as long as the other side likes."""
    while first := await reader.read(1):
        at = perf_counter()
        head = first + await reader.readuntil(b"\r\n\r\n")
        fields = {
            name.strip().lower(): value.strip().lower()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        body = await _body(reader, fields)
        writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\nok" % answer(at, body))
        if fields.get(b"connection") == b"close":
            return


async def _body(reader: StreamReader, fields: dict[bytes, bytes]) -> bytes:
    if fields.get(b"transfer-encoding") != b"chunked":
        return await reader.readexactly(int(fields.get(b"content-length", b"0")))
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        chunk = await reader.readexactly(size + 2)
        if not size:
            return body
        body += chunk[:size]


class Watched:
    """What is probed: answers 200, or 503 while it fails."""

    def __init__(self) -> None:
        self.failing = False
        self.answered: float | None = None  # when the first answer since the last turn was written

    def turn(self, *, failing: bool) -> None:
        """From now on it answers otherwise."""
        self.failing, self.answered = failing, None

    def __call__(self, _first: float, _body: bytes) -> int:
        if self.answered is None:
            self.answered = perf_counter()
        return 503 if self.failing else 200


class Told:
    """Who is told, by webhook, in the shape that Alertmanager's webhooks have."""

    def __init__(self) -> None:
        self._awaited = ""
        self._began: asyncio.Future[float] | None = None

    def __call__(self, first: float, body: bytes) -> int:
        if self._began and not self._began.done() and json.loads(body)["status"] == self._awaited:
            self._began.set_result(first)
        return 200

    def expect(self, status: str) -> asyncio.Future[float]:
        """When the next message with *status* begins to arrive."""
        self._awaited, self._began = status, asyncio.get_running_loop().create_future()
        return self._began


async def turned(watched: Watched, *hooks: Told, failing: bool, seconds: float = 60.0) -> list[float]:
    """Turn *watched*; when each of *hooks* began to hear of it."""
    status = "firing" if failing else "resolved"
    waiting = [hook.expect(status) for hook in hooks]
    watched.turn(failing=failing)
    return list(await within(seconds, asyncio.gather(*waiting), f"{len(hooks)} messages {status!r}"))


def quantile(seconds: list[float], q: float) -> float:
    """The nearest rank's value."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def spread(seconds: list[float]) -> str:
    """The usual quantiles, in milliseconds."""
    shown = [f"{name}={quantile(seconds, q) * 1000:.1f}" for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))]
    return f"n={len(seconds)}  {'  '.join(shown)} ms"
