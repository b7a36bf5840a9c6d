"""A daemon that lives in a thread of the tests, behind a Unix socket."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from sidecar import app as application
from sidecar import config as configuration
from sidecar.cli.client import Client, NoAnswer
from tests.integration.harness import serve

RULES = """
groups:
  - name: down
    rules:
      - alert: TargetDown
        expr: sidecar_check_up == 0
        severity: critical
        annotations: {summary: "{{ $labels.check }} is down", next_step: "start it again"}
      - alert: Slow
        expr: probe_duration_seconds{check="good"} > 2
        for: 1m
      - alert: Excepted
        expr: sidecar_check_up == 0 unless on (check) probe_success{check="bad"}
      - alert: Nothing
        expr: no_such_metric > 1
"""


@dataclass
class Living:
    """One daemon: `bad` is down, `good` is up, `TargetDown` fires and the channel `hook` was told."""

    folder: Path
    url: str = ""
    error: BaseException | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def client(self) -> Client:
        return Client(self.url)

    def run(self) -> None:
        """Live until `ended`; the body of the thread."""
        try:
            asyncio.run(self._live())
        except BaseException as exc:
            self.error = exc

    async def _live(self) -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text="fine")

        target = web.Application()
        target.router.add_route("*", "/{path:.*}", answer)
        async with serve(target) as there:
            (self.folder / "rules.yml").write_text(RULES)
            config = configuration.parse(json.dumps(self._settings(there)), "sidecar.yml", folder=self.folder)
            async with application.build(config) as app:
                running = asyncio.create_task(app.run())
                while not (self.ended.is_set() or running.done()):
                    await asyncio.sleep(0.02)
                running.cancel()
                await asyncio.wait([running])

    def _settings(self, there: str) -> dict[str, Any]:
        return {
            "http": {"listen": self.url.removeprefix("unix://")},
            "tick": "1s",
            "checks": [
                {"type": "http", "name": "good", "url": there, "every": "1s"},
                {"type": "http", "name": "bad", "url": "http://127.0.0.1:1/", "every": "1s", "confirm": "100ms"},
            ],
            "channels": [{"type": "webhook", "name": "hook", "url": there}],
            "rules": [{"file": "rules.yml"}],
        }

    def told(self) -> bool:
        """Whether everything is as promised."""
        if self.error is not None:
            raise self.error
        try:
            alerts = self.client().data("/api/v1/alerts")["alerts"]
            waiting = self.client().data("/api/v1/notifications")["waiting"]
        except NoAnswer:
            return False
        return not waiting and any(channel["open"] for alert in alerts for channel in alert["channels"])


@contextmanager
def living(folder: Path) -> Iterator[Living]:
    """A daemon for as long as the block lasts."""
    daemon = Living(folder, url=f"unix://{folder}/sidecar.sock")
    thread = threading.Thread(target=daemon.run, name="daemon", daemon=True)
    thread.start()
    try:
        patience = time.monotonic() + 30
        while not daemon.told():
            assert time.monotonic() < patience, "the alert was not told"
            time.sleep(0.05)
        yield daemon
    finally:
        daemon.ended.set()
        thread.join(15)
