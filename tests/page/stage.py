"""A real daemon on a real socket, and a real browser that looks at it, together on a loop of their own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Browser, Page, async_playwright

from sidecar import app as application
from sidecar import config as configuration
from sidecar.simulator import Simulator, serve
from sidecar.simulator import application as claude
from tests.programs import program

T = TypeVar("T")
PATIENCE = 30.0

CONFIG = """
tick: 1s
http: {{listen: "127.0.0.1:0"}}
external_labels: {{cluster: "eu-1"}}
checks:
  - name: claude
    type: claude.models
    base_url: "{url}"
    api_key: {{file: "{key}"}}
    every: 200ms
    confirm: 100ms
    critical: true
  - {{name: gateway, type: http, url: "{url}/api/hello", every: 1s, depends_on: [claude]}}
  - {{name: one, type: tcp, address: "{peer}", every: 1h}}
  - {{name: two, type: tcp, address: "{peer}", every: 1h}}
  - {{name: three, type: tcp, address: "{peer}", every: 1h}}
  - {{name: four, type: tcp, address: "{peer}", every: 1h}}
channels:
  - {{name: oncall, type: log}}
rules:
  - {{file: rules.yml}}
"""
RULES = """
groups:
  - name: claude
    rules:
      - alert: ClaudeDown
        expr: sidecar_check_up{check="claude"} == 0
        severity: critical
        annotations:
          summary: The probes of Claude fail
          next_step: Look at `status.claude.com` first
          runbook_url: https://runbooks.example/claude
"""


class Stage:
    """Runs coroutines beside the tests; `faults` are the simulator's, `url` is the daemon's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.simulator = Simulator()
        self.url = ""
        self.browser: Browser
        self._thread = threading.Thread(target=self.loop.run_forever, name="stage")
        self._stack = AsyncExitStack()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What *work* comes to."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, PATIENCE), self.loop).result()

    def open(self, folder: Path) -> None:
        """Put everything up."""
        self._thread.start()
        self.run(self._open(folder))

    def close(self) -> None:
        """Take everything down."""
        self.run(self._stack.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    async def _open(self, folder: Path) -> None:
        path = program("chromium")
        api = await self._stack.enter_async_context(serve(claude(self.simulator)))
        (folder / "key").write_text("sk-ant-simulator")
        (folder / "rules.yml").write_text(RULES)
        config = configuration.parse(
            CONFIG.format(url=api, peer=api.removeprefix("http://"), key=folder / "key"), "sidecar.yml", folder=folder
        )
        app = await self._stack.enter_async_context(application.build(config))
        task = asyncio.create_task(app.run())
        self._stack.push_async_callback(_end, task)
        while app._web is None:
            await asyncio.sleep(0.01)
        self.url = f"http://{app._web.addresses[0]}"
        playwright = await self._stack.enter_async_context(async_playwright())
        self.browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        self._stack.push_async_callback(self.browser.close)

    @asynccontextmanager
    async def page(self, path: str = "/", *, quiet: bool = True, **context: Any) -> AsyncIterator[Page]:
        """A new window at *path*; at its end nothing was loaded from elsewhere, and, if *quiet*, nothing went wrong."""
        opened = await self.browser.new_context(base_url=self.url, **context)
        opened.set_default_timeout(PATIENCE * 1000 / 2)
        page = await opened.new_page()
        wrong: list[str] = []
        foreign: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("request", lambda asked: None if asked.url.startswith(self.url) else foreign.append(asked.url))
        await page.goto(path)
        try:
            yield page
            assert not foreign
            assert not (quiet and wrong), wrong
        finally:
            await opened.close()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
