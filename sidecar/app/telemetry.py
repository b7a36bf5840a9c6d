"""What the daemon says of itself to collectors, under the configuration of now."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from sidecar.api.exposition import Live
from sidecar.clock import Clock
from sidecar.config import Settings
from sidecar.model.samples import Update
from sidecar.outbound import Outbound, safe_url
from sidecar.telemetry.loop import LoopWatch
from sidecar.telemetry.otlp.settings import Export, export

if TYPE_CHECKING:
    from sidecar.telemetry.otlp.exporter import Exporter

log = structlog.get_logger(__name__)


def preload(settings: Settings) -> None:
    """Import what *settings* export with: it takes a moment, which a running event loop has not."""
    _import(export(settings.otlp, os.environ, {}))


def _import(wanted: Export) -> None:
    if wanted:
        from sidecar.telemetry.otlp import exporter

        exporter.preload(wanted)


class Telemetry:
    """Exports *live* as `otlp` of the settings says, and watches the event loop, while `running`.

    When a reload changes where it goes, what is left goes where it went before. A *dry* daemon sends nothing.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        outbound: Outbound,
        *,
        live: Callable[[], Live],
        pod: str,
        dry: bool = False,
    ) -> None:
        self._clock = clock
        self._outbound = outbound
        self._live = live
        self._pod = pod
        self._dry = dry
        self._started = clock.time()
        self._loop = LoopWatch(clock.monotonic)
        self._export, self._network = self._wanted(settings), settings.network
        self._exporter: Exporter | None = None
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Export for as long as the block lasts, and then what is left."""
        tasks = [asyncio.create_task(self._loop.run(), name="loop"), asyncio.create_task(self._run(), name="telemetry")]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()

    def replace(self, settings: Settings) -> None:
        """Go on with *settings*."""
        wanted = self._wanted(settings)
        if (wanted, settings.network) != (self._export, self._network):
            self._export, self._network = wanted, settings.network
            self._changed.set()

    def updates(self) -> tuple[Update, ...]:
        """What the metrics say of it since this was asked last."""
        return self._loop.updates() + (self._exporter.updates() if self._exporter else ())

    def _wanted(self, settings: Settings) -> Export:
        if self._dry:
            return Export()
        who = {
            **settings.external_labels,
            "service.version": version("claude-sidecar"),
            "service.instance.id": self._pod,
        }
        return export(settings.otlp, os.environ, who)

    async def _run(self) -> None:
        while True:
            if self._changed.is_set():
                self._changed.clear()
                await asyncio.to_thread(_import, self._export)
            self._exporter = self._made(self._export)
            exporting = asyncio.create_task(self._exporter.run()) if self._exporter else None
            try:
                await self._changed.wait()
            finally:
                if exporting is not None:
                    exporting.cancel()
                    await asyncio.wait([exporting])

    def _made(self, wanted: Export) -> "Exporter | None":
        for problem in wanted.problems:
            log.warning("telemetry.environment", problem=problem, consequence="nothing is sent there")
        if not wanted:
            return None
        from sidecar.telemetry.otlp.exporter import Exporter

        urls = {
            signal: safe_url(destination.url)
            for signal, destination in (("traces", wanted.traces), ("metrics", wanted.metrics))
            if destination is not None
        }
        log.info("telemetry.exporting", **urls)
        return Exporter(
            wanted,
            self._outbound.with_network(self._network),
            self._clock,
            live=self._live,
            chance=random.random,
            version=version("claude-sidecar"),
            started=self._started,
        )
