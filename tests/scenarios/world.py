"""The whole daemon in virtual time: something to watch, people to tell, and a hand to break things with."""

import asyncio
import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from sidecar import app as application
from sidecar import config as configuration
from sidecar.clock import SystemClock
from sidecar.outbound import Outbound
from sidecar.testing import Wire

DOWN = """
groups:
  - name: down
    rules:
      - alert: TargetDown
        expr: sidecar_check_up == 0
        severity: critical
        annotations: {summary: "{{ $labels.check }} is down"}
"""


OFTEN = DOWN.replace("severity: critical", "severity: critical\n        repeat: 20m")
"""Told again every twenty minutes instead of every four hours: hours of virtual time are seconds of ours."""


@dataclass
class Heard:
    """One message that a channel took."""

    at: float  # the loop's time
    body: dict[str, Any]
    key: str

    @property
    def kind(self) -> str:
        kind: str = self.body["kind"]
        return kind

    @property
    def alerts(self) -> list[str]:
        return [alert["labels"]["alertname"] for alert in self.body["alerts"]]


@dataclass
class World:
    """A gateway at `gateway`, a webhook receiver at `hook`, and a daemon that watches one and tells the other."""

    folder: Path
    wire: Wire
    status: int = 200  # what the gateway answers
    hook_status: int = 200  # what the receiver answers
    hook_headers: dict[str, str] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    refused: int = 0
    probes: int = 0
    app: application.App | None = None
    _task: asyncio.Task[None] | None = None
    _lives: int = 0

    def __post_init__(self) -> None:
        self.connect()
        hook = web.Application()
        hook.router.add_post("/{path:.*}", self._take)
        self.wire.serve("hook", hook)

    def connect(self) -> None:
        """The gateway is there, also after `wire.refuse`."""
        gateway = web.Application()
        gateway.router.add_get("/{path:.*}", self._answer)
        self.wire.serve("gateway", gateway)

    async def _answer(self, request: web.Request) -> web.Response:
        self.probes += 1
        return web.Response(status=self.status)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.hook_status != 200:
            self.refused += 1
            return web.Response(status=self.hook_status, headers=self.hook_headers)
        self.heard.append(Heard(asyncio.get_running_loop().time(), body, request.headers["Idempotency-Key"]))
        return web.Response()

    @property
    def database(self) -> Path:
        return self.folder / f"life-{self._lives}.db"

    def settings(self, rules: str = DOWN, **changes: Any) -> dict[str, Any]:
        """A configuration with one check, one channel and *rules*; *changes* replace its top-level keys."""
        (self.folder / "rules.yml").write_text(rules)
        return {
            "database": str(self.database),
            "checks": [{"type": "http", "name": "gateway", "url": "http://gateway/health", "critical": True}],
            "channels": [{"type": "webhook", "name": "hook", "url": "http://hook/"}],
            "rules": [{"file": "rules.yml"}],
        } | changes

    async def start(self, settings: dict[str, Any] | None = None) -> application.App:
        """Start a daemon; it runs until `stop`, `kill` or the end of the test."""
        text = json.dumps(settings or self.settings())
        config = configuration.parse(text, "sidecar.yml", folder=self.folder)
        loop = asyncio.get_running_loop()
        started: asyncio.Future[application.App] = loop.create_future()

        async def live() -> None:
            outbound = Outbound(connector=self.wire.connector)
            async with application.build(config, clock=SystemClock(monotonic=loop.time), outbound=outbound) as app:
                started.set_result(app)
                await app.run(listen=False)

        self._task = asyncio.create_task(live())
        waiting: list[asyncio.Future[Any]] = [started, self._task]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task
        self.app = await started
        return self.app

    async def reload(self, settings: dict[str, Any]) -> None:
        """Go on with other settings, as after SIGHUP."""
        assert self.app is not None
        await self.app.apply(configuration.parse(json.dumps(settings), "sidecar.yml", folder=self.folder))

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def kill(self) -> None:
        """End it as kill -9 does: what the next life finds is the file as it is now."""
        before = self.database
        self._lives += 1
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{before}{suffix}", f"{self.database}{suffix}")
        heard = list(self.heard)
        await self.stop()
        self.heard[:] = heard  # a killed process says no last words

    def story(self) -> list[str]:
        """What was heard, in order."""
        return [heard.kind for heard in self.heard]
