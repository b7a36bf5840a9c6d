"""A real daemon on a real socket, and a real browser that looks at it, together on a loop of their own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, ViewportSize, async_playwright, expect

from sidecar import app as application
from sidecar import config as configuration
from sidecar.simulator import Simulator, serve
from sidecar.simulator import application as claude
from tests.programs import program

T = TypeVar("T")
PATIENCE = 30.0
WIDE = ViewportSize(width=1280, height=900)
expect.set_options(timeout=PATIENCE * 1000 / 2)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-extensions", "--disable-background-networking"]

CONFIG = """
tick: 1s
http: {{listen: "127.0.0.1:0"}}
external_labels: {{cluster: "eu-1"}}
checks:
  - name: claude
    type: claude.models
    base_url: "{url}"
    api_key: {{file: "{key}"}}
    every: 500ms
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
        self._window: Page
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
        self.browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        self._stack.push_async_callback(self.browser.close)
        context = await self.browser.new_context(base_url=self.url, viewport=WIDE)
        self._window = await context.new_page()

    @asynccontextmanager
    async def page(self, path: str = "/", *, quiet: bool = True) -> AsyncIterator[Page]:
        """The window at *path*; at its end nothing was loaded from elsewhere, and, if *quiet*, nothing went wrong."""
        async with self.watched(self._window, quiet=quiet):
            await self._window.goto(path)
            try:
                yield self._window
            finally:
                await self._window.unroute_all()
                await self._window.set_viewport_size(WIDE)

    @asynccontextmanager
    async def other(self, path: str = "/", **context: Any) -> AsyncIterator[Page]:
        """A window of another kind; each costs a process."""
        opened = await self.browser.new_context(base_url=self.url, **context)
        page = await opened.new_page()
        try:
            async with self.watched(page, quiet=True):
                await page.goto(path)
                yield page
        finally:
            await opened.close()

    @asynccontextmanager
    async def watched(self, page: Page, *, quiet: bool) -> AsyncIterator[None]:
        """Whatever *page* loads and says meanwhile is looked at."""
        wrong: list[str] = []
        foreign: list[str] = []

        def asked(request: Request) -> None:
            if not request.url.startswith(self.url):
                foreign.append(request.url)

        def said(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                wrong.append(message.text)

        def failed(error: Error) -> None:
            wrong.append(str(error))

        page.on("pageerror", failed)
        page.on("console", said)
        page.on("request", asked)
        try:
            yield
        finally:
            page.remove_listener("pageerror", failed)
            page.remove_listener("console", said)
            page.remove_listener("request", asked)
        assert not foreign
        assert not (quiet and wrong), wrong


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
