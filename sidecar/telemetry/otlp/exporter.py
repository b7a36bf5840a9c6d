"""Sends what the daemon knows of itself to collectors, for as long as it runs."""

import asyncio
import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import structlog

from sidecar.clock import Clock
from sidecar.model.labels import Labels
from sidecar.model.samples import Family, HistogramValue, Update
from sidecar.outbound import Outbound
from sidecar.telemetry.otlp.sender import Parse, Sender
from sidecar.telemetry.otlp.settings import Destination, Export, Signal

log = structlog.get_logger(__name__)

Live = Iterable[tuple[Family, list[tuple[Labels, float | HistogramValue]]]]
"""Current values by metric, as the store has them."""
FLUSH: Final = 2.0
"""Seconds that are spent on what is left when the daemon ends."""


class Part(Protocol):
    """What sends one signal."""

    def begin(self) -> None:
        """Take what happens from now on, at once: nobody waits until `run` has its first turn."""

    async def run(self) -> None:
        """Send until cancelled."""

    async def flush(self) -> None:
        """One attempt for what is left."""

    def updates(self) -> tuple[Update, ...]:
        """What became of it since this was asked last."""
        ...


def preload(export: Export) -> None:
    """Import what sends the signals of *export*."""
    if export.traces is not None:
        importlib.import_module("sidecar.telemetry.otlp.traces")
    if export.metrics is not None:
        importlib.import_module("sidecar.telemetry.otlp.readings")


class Exporter:
    """Sends spans soon after they ended, and the current values of *live* at each interval.

    *chance* gives random numbers in [0, 1), *started* is when nothing had been counted yet. A collector that is away
    costs what could not be sent, which `updates` counts, and nothing else. What is not exported is not imported.
    """

    def __init__(
        self,
        export: Export,
        outbound: Outbound,
        clock: Clock,
        *,
        live: Callable[[], Live],
        chance: Callable[[], float],
        version: str,
        started: float,
    ) -> None:
        self._parts: list[Part] = []
        resource: Mapping[str, str] = {**export.resource, "telemetry.sdk.language": "python"}

        def sender(signal: Signal, destination: Destination, parse: Parse) -> Sender:
            return Sender(signal, destination, outbound, clock, parse=parse, chance=chance)

        if export.traces is not None:
            from sidecar.telemetry.otlp import spans
            from sidecar.telemetry.otlp.traces import Traces

            sends = sender("traces", export.traces, spans.parse)
            self._parts.append(
                Traces(sends, export.sample, resource, version, now=clock.time, propagate=export.propagate)
            )
        if export.metrics is not None:
            from sidecar.telemetry.otlp import metrics
            from sidecar.telemetry.otlp.readings import Readings

            sends = sender("metrics", export.metrics, metrics.parse)
            builder = metrics.MetricsBuilder(resource, version, started)
            self._parts.append(Readings(sends, builder, clock, live=live, interval=export.interval))

    async def run(self) -> None:
        """Send until cancelled; what is left then gets two seconds."""
        for part in self._parts:
            part.begin()
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in self._parts:
                    tasks.create_task(part.run())
        finally:
            await self._flush()

    def updates(self) -> tuple[Update, ...]:
        """What became of spans and data points since this was asked last."""
        return tuple(update for part in self._parts for update in part.updates())

    async def _flush(self) -> None:
        """A collector that is away does not hold the end."""
        try:
            async with asyncio.timeout(FLUSH):
                await asyncio.gather(*(part.flush() for part in self._parts))
        except TimeoutError:
            log.warning("telemetry.unsent", seconds=FLUSH, consequence="what was left for the collector is lost")
