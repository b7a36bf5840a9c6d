"""Spans to a collector, soon after they ended."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from sidecar.model.samples import Update
from sidecar.secrets import redact
from sidecar.telemetry import tracing
from sidecar.telemetry.otlp import spans
from sidecar.telemetry.otlp.sender import Sender

log = structlog.get_logger(__name__)

LINGER: Final = 5.0
"""Seconds after which spans are sent, be they ever so few."""
PATIENCE: Final = 60.0
"""Seconds after which spans that no collector takes are dropped."""


class Traces:
    """Takes spans from `begin` to the end of `run`, and sends with *sender* those that are kept.

    *share* of the traces without an error are; *now* is the time in seconds since the epoch.
    """

    def __init__(
        self,
        sender: Sender,
        share: float,
        resource: Mapping[str, str],
        version: str,
        *,
        now: Callable[[], float],
        propagate: bool,
    ) -> None:
        self._sender = sender
        self._keep = spans.Keep(share)
        self._tracer = spans.OtelTracer(self._keep, resource, version, now=now, redact=redact, propagate=propagate)

    def begin(self) -> None:
        """Take spans from now on."""
        tracing.install(self._tracer)

    async def run(self) -> None:
        """Send until cancelled; then spans are taken no more."""
        try:
            while True:
                for _ in range(round(LINGER)):  # a full batch does not wait for the others
                    await asyncio.sleep(1.0)
                    if len(self._keep) >= spans.BATCH:
                        break
                await self._send(PATIENCE)
        finally:
            tracing.install(None)

    async def flush(self) -> None:
        """One attempt for what is left."""
        await self._send(0.0)

    def updates(self) -> tuple[Update, ...]:
        """What became of spans since this was asked last."""
        self._sender.drop("queue_full", self._keep.dropped)
        self._keep.dropped = 0
        return self._sender.updates()

    async def _send(self, within: float) -> None:
        while taken := self._keep.take():
            try:
                await self._sender.send(partial(spans.encode, taken), len(taken), within)
            except asyncio.CancelledError:
                self._keep.give_back(taken)  # a span that comes twice is one span to a collector
                raise
            except Exception:  # what only watches must not end what it watches
                log.exception("telemetry.crashed", signal="traces")
                self._sender.drop("crash", len(taken))
