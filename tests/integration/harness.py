"""A real daemon in a process of its own, something for it to watch, and somebody for it to tell."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web

T = TypeVar("T")

SIDECAR = ("-m", "sidecar")

RECORDING = """
import atexit, pathlib, sys
file = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: file.write_text("\\n".join(name for name, module in sys.modules.items() if module)))
from sidecar.cli import main
main()
"""


def recording(file: Path) -> tuple[str, ...]:
    """A program for `Daemon` that writes into *file*, at its end, what was imported, in that order."""
    return ("-c", RECORDING, str(file))


async def within(seconds: float, awaited: Awaitable[T], what: str) -> T:
    """What *awaited* comes to; says *what* did not come when it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await awaited
    except TimeoutError:
        raise AssertionError(f"waited {seconds:g} s in vain for {what}") from None


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 30.0) -> None:
    """Ask until *condition* holds; says *what* was waited for when it takes longer."""

    async def ask() -> None:
        while not await condition():
            await asyncio.sleep(0.02)

    await within(seconds, ask(), what)


def environment() -> dict[str, str]:
    """Ours without what configures the daemon; and Python keeps what it compiles, as an installed package is."""
    ours = ("SIDECAR_", "OTEL_", "PYTHONDONTWRITEBYTECODE")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}


def free_port() -> int:
    """A port of loopback that nobody uses just now, for programs that cannot say which one they took."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[str]:
    """*app* on a free port of loopback; yields its URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@dataclass
class Target:
    """Something to watch: answers each GET with the status of its path, 200 unless told otherwise."""

    status: dict[str, int] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(status=self.status.get(request.match_info["path"], 200), text="answer")


@dataclass(frozen=True)
class Heard:
    """One request that arrived at the receiver."""

    key: str
    at: float  # the loop's time
    body: dict[str, Any]


class Receiver:
    """Somebody to tell: keeps every webhook that arrived, and answers at once unless its answers are `held`."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._arrived = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        at = asyncio.get_running_loop().time()
        self.heard.append(Heard(request.headers["Idempotency-Key"], at, await request.json()))
        self._arrived.set()
        await self._free.wait()
        return web.Response()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Whoever sends meanwhile waits for the answer."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    async def next(self) -> Heard:
        """The next message that arrives."""
        self._arrived.clear()
        await within(30, self._arrived.wait(), "a message at the receiver")
        return self.heard[-1]

    def story(self, check: str) -> list[str]:
        """The kinds of message that arrived about *check*, each message once, in the order of first arrival."""
        first: dict[str, Heard] = {}
        for heard in self.heard:
            first.setdefault(heard.key, heard)
        return [heard.body["kind"] for heard in first.values() if check in _checks(heard)]


def _checks(heard: Heard) -> list[str]:
    return [alert["labels"]["check"] for alert in heard.body["alerts"]]


class Daemon:
    """`sidecar run` in a process of its own for as long as a block lasts; can be stopped and started again in it.

    *program* is what Python is called with instead of `-m sidecar`; *secrets* are in its environment.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        program: tuple[str, ...] = SIDECAR,
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.log: list[dict[str, Any]] = []  # of every run
        self.url = ""
        self._file = folder / "sidecar.yml"
        self._config = config
        self._program = program
        self._environment = environment() | dict(secrets)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._noise: list[str] = []  # lines that are no events: tracebacks of the interpreter
        self._news = asyncio.Event()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the daemon was not started"
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it says where it listens."""
        self._file.write_text(json.dumps(self._config))  # JSON is YAML
        seen = len(self.log)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, *self._program, "run", str(self._file), "--log-format", "json"),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        try:
            self.url = f"http://{(await self.event('web.listening', since=seen))['address']}"
        except BaseException:
            await self.stop(signal.SIGKILL)
            raise

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self._noise.append(line.decode(errors="replace").rstrip())
            self._news.set()

    async def event(self, *names: str, since: int = 0, seconds: float = 30.0) -> dict[str, Any]:
        """The first event of one of these *names* in the log, from entry *since* on."""
        what = f"the daemon to log {' or '.join(names)}"
        return await within(seconds, self._event(names, since), what)

    async def _event(self, names: tuple[str, ...], since: int) -> dict[str, Any]:
        assert self._reader is not None
        while True:
            ended = self._reader.done()
            for entry in self.log[since:]:
                if entry["event"] in names:
                    return entry
            if ended:
                raise AssertionError(f"the daemon ended before it logged {' or '.join(names)}:\n{self.last_words()}")
            self._news.clear()
            news = asyncio.ensure_future(self._news.wait())
            await asyncio.wait([news, self._reader], return_when=asyncio.FIRST_COMPLETED)
            news.cancel()

    def last_words(self) -> str:
        """The end of what it wrote."""
        return "\n".join([*(json.dumps(entry) for entry in self.log[-10:]), *self._noise[-30:]])

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of its answer."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def ready(self) -> None:
        """Wait until /health/ready says so."""

        async def is_ready() -> bool:
            return (await self.get("/health/ready"))[0] == 200

        await until(is_ready, "/health/ready to answer 200")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self._process is not None, "the daemon was not started"
        assert self._reader is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        code = await within(20, self._process.wait(), f"the end of the daemon after {number.name}")
        await self._reader
        return code

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop(signal.SIGKILL)
