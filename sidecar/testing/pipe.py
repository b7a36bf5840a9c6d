"""Two transports that are joined in memory, as a loopback connection is by the kernel."""
# ruff: noqa: SLF001 -- the two ends of a pipe are one mechanism

import asyncio
import errno
import os
from collections import deque
from collections.abc import Iterable
from typing import Final

_PIECE: Final = 65536  # what one read of a socket brings at most
_INBOX: Final = 65536  # the peer's receive buffer
_HIGH: Final = 65536  # asyncio's own default for pause_writing
_EOF: Final = "eof"

Address = tuple[str, int]


def join(client: asyncio.Protocol, server: asyncio.Protocol, *, client_at: Address, server_at: Address) -> "Pipe":
    """Connect two protocols, the server first; returns the client's end, whose `peer` is the server's."""
    near = Pipe(client, sockname=client_at, peername=server_at)
    far = Pipe(server, sockname=server_at, peername=client_at)
    near.peer, far.peer = far, near
    server.connection_made(far)
    client.connection_made(near)
    return near


class Pipe(asyncio.Transport):
    """One end of a connection in memory.

    What is written arrives in order and in the pieces in which it was written, one per turn of the loop, cut at 64 KiB.
    A reader that pauses fills its receive buffer (64 KiB), then the writer's, then the writer's protocol is paused.
    `close` sends what is buffered and then the end; `abort` drops what is buffered and resets the peer, which still
    reads what had arrived.
    """

    peer: "Pipe"

    def __init__(self, protocol: asyncio.Protocol, *, sockname: Address, peername: Address) -> None:
        super().__init__({"sockname": sockname, "peername": peername})
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._inbox: deque[bytes] = deque()
        self._inbox_size = 0
        self._end: str | OSError | None = None  # what the reader meets after the inbox
        self._eof_seen = False
        self._delivery_due = False
        self._reading = True
        self._outbox: deque[bytes] = deque()
        self._outbox_size = 0
        self._limits = (_HIGH // 4, _HIGH)
        self._writing_paused = False
        self._eof_written = False
        self._closing = False
        self._lost = False

    # Reading

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._wake()
        if not self._lost:
            self.peer._push()

    def _arrive(self, end: str | OSError) -> None:
        """The peer will send nothing more."""
        if self._end is None or self._end == _EOF:
            self._end = end
        self._wake()

    def _wake(self) -> None:
        met = self._end is None or (self._end == _EOF and self._eof_seen)
        if not self._delivery_due and self.is_reading() and (self._inbox or not met):
            self._delivery_due = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivery_due = False
        if not self.is_reading():
            return
        if self._inbox:
            piece = self._inbox.popleft()
            self._inbox_size -= len(piece)
            try:
                self._protocol.data_received(piece)
            except Exception as exc:  # noqa: BLE001 -- asyncio's own transports do the same
                self._fatal(exc)
                return
            self.peer._push()
            self._wake()
        elif isinstance(self._end, OSError):
            self._lose(self._end)
        elif self._end == _EOF and not self._eof_seen:
            self._eof_seen = True
            if not self._protocol.eof_received():
                self.close()

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._lost or not data:
            return
        self._outbox.append(bytes(data))
        self._outbox_size += len(data)
        self._push()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._eof_written and not self._closing:
            self._eof_written = True
            self._push()

    def get_write_buffer_size(self) -> int:
        return self._outbox_size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._limits

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = _HIGH if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"got high {high} and low {low}, expected high >= low >= 0")
        self._limits = (low, high)
        self._press()

    def _push(self) -> None:
        """Move what was written to the peer, as far as there is room."""
        if self._lost:
            return
        peer = self.peer
        if self._outbox and peer._lost:
            self._outbox.clear()
            self._outbox_size = 0
            if not self.is_reading() or self._eof_seen:  # otherwise it reads what had arrived, and the end
                self._loop.call_soon(self._lose, _reset())
            return
        while self._outbox and (room := _INBOX - peer._inbox_size) > 0:
            piece = self._outbox.popleft()
            if len(piece) > min(room, _PIECE):
                self._outbox.appendleft(piece[min(room, _PIECE) :])
                piece = piece[: min(room, _PIECE)]
            self._outbox_size -= len(piece)
            if not peer._closing:  # an end that is closing reads no more
                peer._inbox.append(piece)
                peer._inbox_size += len(piece)
        peer._wake()
        self._press()
        if not self._outbox:
            if self._closing:
                self._lose(None)
            elif self._eof_written:
                peer._arrive(_EOF)

    def _press(self) -> None:
        """Tell the protocol to stop writing, or that it may go on."""
        low, high = self._limits
        if self._outbox_size > high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()
        elif self._outbox_size <= low and self._writing_paused:
            self._writing_paused = False
            self._protocol.resume_writing()

    # The end

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._drop_inbox()
            self._push()

    def abort(self) -> None:
        self._end_peer(_reset())
        self._lose(None)

    def reset(self) -> None:
        """Break the connection from outside, for both ends."""
        self._lose(_reset())
        self.peer._lose(_reset())

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def _fatal(self, exc: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "data_received() failed", "exception": exc, "transport": self, "protocol": self._protocol}
        )
        self._lose(exc)

    def _end_peer(self, end: str | OSError) -> None:
        if not self._lost:
            self.peer._arrive(end)

    def _lose(self, exc: Exception | None) -> None:
        """The connection is over for this end; the protocol hears of it in the loop's next turn."""
        if self._lost:
            return
        self._end_peer(_EOF)
        self._lost = self._closing = True
        self._outbox.clear()
        self._outbox_size = 0
        self._drop_inbox()
        self._loop.call_soon(self._protocol.connection_lost, exc)

    def _drop_inbox(self) -> None:
        self._inbox.clear()
        self._inbox_size = 0


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
