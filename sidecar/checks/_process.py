"""Programs that are run, bounded, and never left behind."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_TERM: Final = 1.0
"""Seconds that a program gets to end when it is asked to."""
_DRAIN: Final = 0.2
"""Seconds after a program's end in which what it wrote still comes; a grandchild may hold the pipe for ever."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it wrote."""

    code: int  # negative: by the signal of that number
    stdout: bytes
    stderr: bytes
    flooded: bool = False  # it wrote more than it may, and was killed for that

    @property
    def signal(self) -> str:
        """The name of the signal that ended it, if one did."""
        if self.code >= 0:
            return ""
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"


async def run(
    argv: Sequence[str], env: Mapping[str, str], *, cwd: str | None = None, most: int, stdin: bytes = b""
) -> Ended:
    """Run *argv* in a session of its own until it ends; raises OSError when it cannot begin.

    It may write *most* bytes. Whatever ends us, a cancellation included, the whole session is gone afterwards: first
    asked to end, then killed.
    """
    loop = asyncio.get_running_loop()
    transport, program = await loop.subprocess_exec(
        lambda: _Program(most),
        *argv,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    group = transport.get_pid()
    try:
        if stdin and (pipe := transport.get_pipe_transport(0)):
            assert isinstance(pipe, asyncio.WriteTransport)
            pipe.write(stdin)
            pipe.close()
        await asyncio.wait([program.exited, program.flooded], return_when=asyncio.FIRST_COMPLETED)
        if program.exited.done():
            await asyncio.wait([program.closed], timeout=_DRAIN)
    finally:
        try:
            await _end(group, program)
        finally:
            transport.close()
    code = transport.get_returncode()
    return Ended(
        -signal.SIGKILL if code is None else code,
        bytes(program.written[1]),
        bytes(program.written[2]),
        flooded=program.flooded.done(),
    )


async def _end(group: int, program: "_Program") -> None:
    """End the session of a program, those who outlive it included."""
    try:
        if not program.exited.done():
            _signal(group, signal.SIGTERM)
            await asyncio.wait([program.exited], timeout=_TERM)
    finally:
        _signal(group, signal.SIGKILL)
    if not program.exited.done():
        await asyncio.wait([program.exited], timeout=_TERM)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left, or whoever is left became another user
        os.killpg(group, number)


class _Program(asyncio.SubprocessProtocol):
    """Keeps what a program writes, up to *most* bytes."""

    def __init__(self, most: int) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.flooded: asyncio.Future[None] = loop.create_future()
        self.written = {1: bytearray(), 2: bytearray()}
        self._left = most
        self._open = {1, 2}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.written[fd] += data[: self._left]
        self._left -= len(data)
        if self._left < 0 and not self.flooded.done():
            self.flooded.set_result(None)
            for number in (1, 2):  # not read any more: whoever writes on waits, and dies waiting
                pipe = self._transport.get_pipe_transport(number)
                if isinstance(pipe, asyncio.ReadTransport):
                    pipe.pause_reading()

    def pipe_connection_lost(self, fd: int, _: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open and not self.closed.done():
            self.closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)
