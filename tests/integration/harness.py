"""A real daemon in a process of its own, something for it to watch, and somebody for it to tell."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web


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
    """Something to watch: answers every GET with `status`."""

    status: int = 200
    asked: int = 0
    answered_at: float = 0.0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.answered_at = asyncio.get_running_loop().time()
        return web.Response(status=self.status, text="answer")


@dataclass
class Heard:
    """One request that arrived at the receiver."""

    key: str
    at: float  # the loop's time
    body: dict[str, Any]


@dataclass
class Receiver:
    """Somebody to tell: keeps every webhook that arrived, refuses with `status` when that is not 200."""

    status: int = 200
    heard: list[Heard] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        at = asyncio.get_running_loop().time()
        body = await request.json()
        if self.status == 200:
            self.heard.append(Heard(request.headers["Idempotency-Key"], at, body))
            self.arrived.set()
        return web.Response(status=self.status)

    async def count(self, n: int) -> None:
        """Wait until *n* messages with different ids have arrived."""
        while len({h.key for h in self.heard}) < n:
            self.arrived.clear()
            await self.arrived.wait()

    def story(self) -> list[str]:
        """The kinds that arrived, each message once, in the order of its first arrival."""
        return [h.body["kind"] for h in {h.key: h for h in reversed(self.heard)}.values()][::-1]


@dataclass
class Daemon:
    """`sidecar run` in a process of its own."""

    folder: Path
    config: dict[str, Any]
    process: asyncio.subprocess.Process | None = None
    url: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    _reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait until it says where it listens."""
        file = self.folder / "sidecar.yml"
        file.write_text(json.dumps(self.config))  # JSON is YAML
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar", "run", str(file), "--log-format", "json"),
            stderr=asyncio.subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("SIDECAR_")},
        )
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(listening))
        self.url = await listening

    async def _read(self, listening: asyncio.Future[str]) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        raw = []
        async for line in self.process.stderr:
            raw.append(line.decode())
            try:
                event = json.loads(line)
            except ValueError:
                continue
            self.log.append(event)
            if event["event"] == "web.listening" and not listening.done():
                listening.set_result(f"http://{event['address']}")
        if not listening.done():
            listening.set_exception(RuntimeError("the daemon ended before it listened:\n" + "".join(raw)))

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await self.process.wait()
        if self._reader:
            await self._reader
        return code

    async def __aenter__(self) -> "Daemon":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop(signal.SIGKILL)
