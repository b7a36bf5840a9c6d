"""Both ends of the daemon as raw protocols, so that bytes are timed and nothing else; all on one monotonic clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter


class Http(asyncio.Protocol):
    """The smallest HTTP server: calls `heard(first byte's time, body)` and sends what it returns."""

    def __init__(self, heard: Callable[[float, bytes], bytes]) -> None:
        self._heard = heard
        self._buffer = b""
        self._first = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._first = perf_counter()
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(body) < length:
            return
        self._buffer = body[length:]
        assert self._transport is not None
        self._transport.write(self._heard(self._first, body[:length]))


@asynccontextmanager
async def listening(heard: Callable[[float, bytes], bytes]) -> AsyncIterator[str]:
    """A server on a free port of loopback; yields its URL."""
    server = await asyncio.get_running_loop().create_server(lambda: Http(heard), "127.0.0.1", 0)
    async with server:
        yield "http://127.0.0.1:{}".format(server.sockets[0].getsockname()[1])


def answer(status: int) -> bytes:
    """A whole HTTP answer."""
    return f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode()


class Watched:
    """What is probed: `failing` decides the answer; remembers when the first answer of each kind left."""

    def __init__(self) -> None:
        self.failing = False
        self.turned: float | None = None  # when the first answer after the last turn was written

    def turn(self, *, failing: bool) -> None:
        self.failing, self.turned = failing, None

    def __call__(self, first: float, body: bytes) -> bytes:
        if self.turned is None:
            self.turned = perf_counter()
        return answer(503 if self.failing else 200)


class Told:
    """Who is told: the time of the first byte of the first message with the awaited status."""

    def __init__(self) -> None:
        self._waiting: tuple[str, asyncio.Future[float]] | None = None

    def __call__(self, first: float, body: bytes) -> bytes:
        if self._waiting and body:
            status, future = self._waiting
            if json.loads(body).get("status") == status and not future.done():
                future.set_result(first)
        return answer(200)

    def expect(self, status: str) -> asyncio.Future[float]:
        """The time at which a message with *status* begins to arrive."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting = status, future
        return future


async def lateness(samples: list[float], interval: float = 0.01) -> None:
    """How late a timer of an idle loop fires on this machine, for ever."""
    while True:
        due = perf_counter() + interval
        await asyncio.sleep(interval)
        samples.append(perf_counter() - due)


def spread(seconds: list[float]) -> str:
    """The usual quantiles, in milliseconds."""
    ordered = sorted(seconds)
    at = {q: ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1000 for q in (0.5, 0.9, 0.99)}
    return f"n={len(ordered)}  p50={at[0.5]:.1f}  p90={at[0.9]:.1f}  p99={at[0.99]:.1f}  max={ordered[-1] * 1000:.1f} ms"
