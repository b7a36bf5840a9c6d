"""A peer that speaks bytes written by hand, and remembers what it heard."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sidecar.checks import Check
from sidecar.clock import SystemClock
from sidecar.model.checks import ProbeResult
from sidecar.model.samples import Family
from sidecar.outbound import Outbound
from sidecar.services.probing import Recording, probe_once
from sidecar.testing import Wire

HANG = "hang"
RESET = "reset"

Step = bytes | float | str
"""Bytes to send, seconds to wait, or HANG or RESET; after the last step the peer hangs up."""


@dataclass
class Peer:
    """Answers every connection with *steps* once a whole request has come."""

    steps: Sequence[Step]
    requests: list[bytes] = field(default_factory=list)

    def __call__(self) -> asyncio.Protocol:
        return _Connection(self)

    @property
    def request(self) -> str:
        """The only request."""
        (only,) = self.requests
        return only.decode()


class _Connection(asyncio.Protocol):
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._heard = b""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if end and not self._task and len(body) >= (int(lengths[0].split(b":")[1]) if lengths else 0):
            self._peer.requests.append(self._heard)
            self._task = asyncio.get_running_loop().create_task(self._speak())

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task:
            self._task.cancel()

    async def _speak(self) -> None:
        for step in self._peer.steps:
            match step:
                case bytes():
                    self._transport.write(step)
                case "hang":
                    return
                case "reset":
                    self._transport.abort()
                    return
                case seconds if isinstance(seconds, float):
                    await asyncio.sleep(seconds)
        self._transport.close()


def answer(status: int, body: bytes = b"", *headers: str, reason: str = "-") -> bytes:
    """One whole answer, on the wire."""
    head = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


@dataclass
class Probed:
    """What came of one probe."""

    result: ProbeResult
    ctx: Recording

    @property
    def error_type(self) -> str:
        return self.result.error_type

    @property
    def message(self) -> str:
        return self.result.message

    @property
    def notes(self) -> dict[str, str | float]:
        return dict(self.result.notes)

    def values(self, family: Family) -> list[tuple[dict[str, str], float]]:
        """What was recorded of *family*."""
        return [(dict(update.labels), update.value) for update in self.ctx.updates if update.family is family]

    def value(self, family: Family) -> float:
        ((_, only),) = self.values(family)
        return only


async def probe(check: Check, wire: Wire) -> Probed:
    """Probe *check* once on *wire*."""
    outbound = Outbound(connector=wire.connector)
    ctx = Recording(SystemClock(monotonic=asyncio.get_running_loop().time), outbound)
    result = await probe_once(check, ctx)
    await outbound.close()
    return Probed(result, ctx)
