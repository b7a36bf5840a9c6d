"""A connection of ours for the driver of PostgreSQL, which sees no frame that it could not come back from."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from sidecar.checks._net import Stream

_LARGEST: Final = 16 * 1024 * 1024  # bytes of a frame


class OneConnection:
    """The event loop as the driver sees it: whatever it connects to is *stream*, which is open already."""

    def __init__(self, stream: Stream) -> None:
        self._loop = asyncio.get_running_loop()
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(self, factory: Callable[[], asyncio.Protocol], *_: Any) -> Any:
        transport = self._stream.writer.transport
        driver = factory()
        transport.set_protocol(_Framed(transport, driver))
        driver.connection_made(transport)
        return transport, driver


class _Framed(asyncio.Protocol):
    """Looks at the frames before the driver does, which never comes back from a length that cannot be."""

    def __init__(self, transport: asyncio.WriteTransport, driver: asyncio.Protocol) -> None:
        self._transport = transport
        self._driver: asyncio.Protocol | None = driver
        self._head = b""
        self._rest = 0  # bytes of the frame that are still to come

    def data_received(self, data: bytes) -> None:
        if self._driver is None:
            return
        if self._is_sane(data):
            self._driver.data_received(data)
        else:
            self._transport.abort()
            self.connection_lost(_NonsenseError())

    def _is_sane(self, data: bytes) -> bool:
        at = 0
        while at < len(data):
            step = min(self._rest, len(data) - at)
            self._rest -= step
            at += step
            head = data[at : at + 5 - len(self._head)] if not self._rest else b""
            self._head += head
            at += len(head)
            if len(self._head) == 5:
                size = int.from_bytes(self._head[1:], "big")
                if not (4 <= size <= _LARGEST and self._head[:1].isalnum()):
                    return False
                self._head, self._rest = b"", size - 4
        return True

    def eof_received(self) -> bool | None:
        return self._driver.eof_received() if self._driver else None

    def connection_lost(self, exc: Exception | None) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._driver is not None:
            self._driver.pause_writing()

    def resume_writing(self) -> None:
        if self._driver is not None:
            self._driver.resume_writing()


class _NonsenseError(ConnectionError):
    """A peer that speaks no PostgreSQL."""
