"""Sends what the daemon knows of itself to collectors, for as long as it runs."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from sidecar.clock import Clock
from sidecar.model.families import TELEMETRY_DROPPED, TELEMETRY_FAILURES, TELEMETRY_SENT
from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Update
from sidecar.outbound import Outbound
from sidecar.secrets import redact
from sidecar.telemetry import tracing
from sidecar.telemetry.otlp import metrics, spans
from sidecar.telemetry.otlp.sender import Parse, Sender, Sent
from sidecar.telemetry.otlp.settings import Export, Signal

log = structlog.get_logger(__name__)

FLUSH: Final = 2.0
"""Seconds that are spent on what is left when the daemon ends."""
LINGER: Final = 5.0
"""Seconds after which spans are sent, be they ever so few."""
PATIENCE: Final = 60.0
"""Seconds after which spans that no collector takes are dropped."""


@dataclass(slots=True)
class _Tally:
    """What became of a signal's items since somebody asked."""

    sent: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, items: int) -> None:
        if items:
            self.dropped[reason] = self.dropped.get(reason, 0) + items

    def count(self, sent: Sent, items: int) -> None:
        self.drop(sent.reason or "rejected", items if sent.reason else sent.rejected)
        self.sent += 0 if sent.reason else items - sent.rejected


class Exporter:
    """Sends spans soon after they ended, and the current values of *live* at each interval.

    *chance* gives random numbers in [0, 1), *started* is when nothing had been counted yet. While `run` runs, spans are
    taken, see `tracing.install`. A collector that is away costs what could not be sent, which `updates` counts, and
    nothing else.
    """

    def __init__(
        self,
        export: Export,
        outbound: Outbound,
        clock: Clock,
        *,
        live: Callable[[], metrics.Live],
        chance: Callable[[], float],
        version: str,
        started: float,
    ) -> None:
        self._export = export
        self._clock = clock
        self._live = live
        self._tallies: dict[Signal, _Tally] = {}
        self._senders: dict[Signal, Sender] = {}
        parses: Mapping[Signal, Parse] = {"traces": spans.parse, "metrics": metrics.parse}
        for signal, parse in parses.items():
            destination = export.traces if signal == "traces" else export.metrics
            if destination is not None:
                self._tallies[signal] = _Tally()
                self._senders[signal] = Sender(signal, destination, outbound, clock, parse=parse, chance=chance)
        resource: Mapping[str, str] = {**export.resource, "telemetry.sdk.language": "python"}
        self._keep = spans.Keep(export.sample)
        self._tracer = spans.OtelTracer(
            self._keep, resource, version, now=clock.time, redact=redact, propagate=export.propagate
        )
        self._builder = metrics.MetricsBuilder(resource, version, started)

    async def run(self) -> None:
        """Send until cancelled; what is left then gets two seconds."""
        if "traces" in self._senders:
            tracing.install(self._tracer)
        try:
            async with asyncio.TaskGroup() as tasks:
                if "traces" in self._senders:
                    tasks.create_task(self._spans())
                if "metrics" in self._senders:
                    tasks.create_task(self._metrics())
        finally:
            tracing.install(None)
            await self._flush()

    def updates(self) -> tuple[Update, ...]:
        """What became of spans and data points since this was asked last."""
        found: list[Update] = []
        if "traces" in self._tallies:
            self._tallies["traces"].drop("queue_full", self._keep.dropped)
            self._keep.dropped = 0
        for signal, tally in self._tallies.items():
            labels, failures = Labels(signal=signal), self._senders[signal].failures
            found.append(Update(TELEMETRY_SENT, tally.sent, labels))
            found += _by_reason(TELEMETRY_DROPPED, labels, tally.dropped)
            found += _by_reason(TELEMETRY_FAILURES, labels, failures)
            tally.sent = 0
            tally.dropped.clear()
            failures.clear()
        return tuple(found)

    async def _spans(self) -> None:
        while True:
            for _ in range(round(LINGER)):  # a full batch does not wait for the others
                await asyncio.sleep(1.0)
                if len(self._keep) >= spans.BATCH:
                    break
            await self._send_waiting_spans(PATIENCE)

    async def _send_waiting_spans(self, within: float) -> None:
        while len(self._keep):
            await self._send_spans(within)

    async def _send_spans(self, within: float) -> None:
        taken = self._keep.take()
        try:
            sent = await self._senders["traces"].send(lambda: spans.encode(taken), within)
        except asyncio.CancelledError:
            self._keep.give_back(taken)  # a span that comes twice is one span to a collector
            raise
        except Exception:  # what only watches must not end what it watches
            log.exception("telemetry.crashed", signal="traces")
            sent = Sent("crash")
        self._tallies["traces"].count(sent, len(taken))

    async def _metrics(self) -> None:
        interval = self._export.interval
        due = self._clock.monotonic()
        while True:
            due = max(due + interval, self._clock.monotonic())  # what took too long is not made up for
            await asyncio.sleep(due - self._clock.monotonic())
            await self._send_metrics(interval / 2)

    async def _send_metrics(self, within: float) -> None:
        """The values now; what cannot be sent before the next ones is not sent later, since those say it all."""
        try:
            for message in await self._builder.build(self._live(), self._clock.time()):
                sent = await self._senders["metrics"].send(message.SerializeToString, within)
                self._tallies["metrics"].count(sent, metrics.points(message))
        except Exception:  # as for spans
            log.exception("telemetry.crashed", signal="metrics")

    async def _flush(self) -> None:
        """One attempt for what is left; a collector that is away does not hold the end."""
        last = []
        if "traces" in self._senders:
            last.append(self._send_waiting_spans(0.0))
        if "metrics" in self._senders:
            last.append(self._send_metrics(0.0))
        try:
            async with asyncio.timeout(FLUSH):
                await asyncio.gather(*last)
        except TimeoutError:
            log.warning("telemetry.unsent", spans=len(self._keep), seconds=FLUSH)


def _by_reason(family: Family, labels: Labels, counts: Mapping[str, int]) -> list[Update]:
    return [Update(family, count, labels.with_(reason=reason)) for reason, count in counts.items()]
