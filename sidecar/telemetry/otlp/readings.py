"""The numbers of /metrics to a collector, at each interval."""

import asyncio
from collections.abc import Callable

import structlog

from sidecar.clock import Clock
from sidecar.model.samples import Update
from sidecar.telemetry.otlp import metrics
from sidecar.telemetry.otlp.metrics import Live, MetricsBuilder
from sidecar.telemetry.otlp.sender import Sender

log = structlog.get_logger(__name__)


class Readings:
    """Sends with *sender* what *builder* makes of the current values, every *interval* seconds."""

    def __init__(
        self, sender: Sender, builder: MetricsBuilder, clock: Clock, *, live: Callable[[], Live], interval: float
    ) -> None:
        self._sender = sender
        self._builder = builder
        self._clock = clock
        self._live = live
        self._interval = interval

    def begin(self) -> None:
        """Nothing to be done: values are there when they are asked for."""

    async def run(self) -> None:
        """Send until cancelled."""
        due = self._clock.monotonic()
        while True:
            due = max(due + self._interval, self._clock.monotonic())  # what took too long is not made up for
            await asyncio.sleep(due - self._clock.monotonic())
            await self._send(self._interval / 2)

    async def flush(self) -> None:
        """The last values; one attempt."""
        await self._send(0.0)

    def updates(self) -> tuple[Update, ...]:
        """What became of data points since this was asked last."""
        return self._sender.updates()

    async def _send(self, within: float) -> None:
        """The values now; what cannot be sent before the next ones is not sent later, since those say it all."""
        try:
            for message in await self._builder.build(self._live(), self._clock.time()):
                await self._sender.send(message.SerializeToString, metrics.points(message), within)
        except Exception:  # what only watches must not end what it watches
            log.exception("telemetry.crashed", signal="metrics")
