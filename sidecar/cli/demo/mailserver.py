"""A mail server that keeps what it is given: just enough SMTP to be told something."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

_LINE: Final = 64 * 1024
_LARGEST: Final = 4 * 1024 * 1024
_PATIENCE: Final = 60.0  # seconds that a client may be silent


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it came: envelope and bytes."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@asynccontextmanager
async def serve_mail(deliver: Callable[[Mail], None]) -> AsyncIterator[int]:
    """Take mail on a free port of the loopback and hand it to *deliver*; yields the port."""
    talks: set[asyncio.Task[None]] = set()

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_Session(reader, writer, deliver).talk())
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(meet, "127.0.0.1", 0, limit=_LINE)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


class _Session:
    """One client's talk with us."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deliver: Callable[[Mail], None]
    ) -> None:
        self._reader, self._writer, self._deliver = reader, writer, deliver
        self._sender = ""
        self._recipients: list[str] = []

    async def talk(self) -> None:
        """Answer until the client leaves, or is silent for too long, or says what no line can hold."""
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):  # a TimeoutError is an OSError
            await self._say("220 demo ready")
            while line := await self._line():
                verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                if verb.upper() == "QUIT":
                    await self._say("221 bye")
                    break
                await self._answer(verb.upper(), rest)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _answer(self, verb: str, rest: str) -> None:
        match verb:
            case "EHLO":
                await self._say("250-demo", f"250-SIZE {_LARGEST}", "250 8BITMIME")
            case "HELO" | "NOOP":
                await self._say("250 demo")
            case "RSET":
                self._sender, self._recipients = "", []
                await self._say("250 forgotten")
            case "MAIL":
                self._sender, self._recipients = _path(rest), []
                await self._say("250 go on")
            case "RCPT":
                self._recipients.append(_path(rest))
                await self._say("250 known")
            case "DATA" if self._recipients:
                await self._data()
            case "DATA":
                await self._say("503 for whom?")
            case _:
                await self._say(f"502 {verb[:20]!r} is not known here")

    async def _data(self) -> None:
        """Take what comes up to the dot; what is too much is read all the same, and refused."""
        await self._say("354 end with a dot")
        lines: list[bytes] = []
        size = 0
        while (line := await self._line()) not in (b".\r\n", b".\n"):
            if not line:
                raise asyncio.IncompleteReadError(b"", None)
            size += len(line)
            if size <= _LARGEST:
                lines.append(line.removeprefix(b"."))
        if size > _LARGEST:
            await self._say("552 too large")
            return
        self._deliver(Mail(self._sender, tuple(self._recipients), b"".join(lines)))
        self._recipients = []
        await self._say("250 taken")

    async def _line(self) -> bytes:
        return await asyncio.wait_for(self._reader.readline(), _PATIENCE)

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()


def _path(text: str) -> str:
    """The address in `FROM:<a@b> SIZE=1`."""
    return text.partition(":")[2].strip().partition(" ")[0].strip("<>")
