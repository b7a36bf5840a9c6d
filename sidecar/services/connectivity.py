"""Whether we reach the network at all: a watcher that is cut off must not blame what it watches."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sidecar.clock import Clock
from sidecar.model.durations import Duration
from sidecar.model.families import CONNECTIVITY_UP
from sidecar.model.samples import Batch, Emit, Update

log = structlog.get_logger(__name__)

FRESH: Final = 1.0
"""Seconds for which an answer is good enough for whoever has just failed."""

Reach = Callable[[str, int], Awaitable[None]]
"""Opens a connection to host and port and closes it; raises OSError."""


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"got {text!r}, expected host:port, such as 1.1.1.1:443")
    return text


class ConnectivitySettings(BaseModel):
    """Independent addresses; when none of them can be reached, checks that cross the network become unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    addresses: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(
        (),
        description="host:port of at least two that have nothing in common; nothing is judged without any.",
        examples=[["1.1.1.1:443", "9.9.9.9:443"]],
    )
    every: Duration = Field(10.0, description="Time from one look to the next; a failed probe asks at once.", ge=0.5)
    timeout: Duration = Field(1.5, description="How long an address may take to answer.", gt=0)


async def reach(host: str, port: int) -> None:
    """Open a TCP connection and close it; raises OSError."""
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


class Connectivity:
    """Looks after *settings* until cancelled; *changed* hears whether we are cut off, whenever that changes."""

    def __init__(
        self,
        settings: ConnectivitySettings,
        clock: Clock,
        *,
        emit: Emit,
        changed: Callable[[bool], None],
        reach: Reach = reach,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._emit = emit
        self._changed = changed
        self._reach = reach
        self._looked_at = -math.inf  # monotonic time at which the last look ended
        self._asked = asyncio.Event()
        self.offline = False

    def replace(self, settings: ConnectivitySettings) -> None:
        """Look at other addresses from now on."""
        if settings != self._settings:
            self._settings = settings
            self._asked.set()

    def suspect(self) -> bool:
        """Whether we are cut off, for whoever could not reach its peer; a look that is not fresh is taken anew."""
        if self._settings.addresses and self._clock.monotonic() - self._looked_at > FRESH:
            self._asked.set()
        return self.offline

    async def run(self) -> None:
        """Look, and look again."""
        while True:
            self._asked.clear()
            settings = self._settings
            self._say(offline=not await self._online(settings), addresses=settings.addresses)
            self._looked_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(settings.every):
                    await self._asked.wait()
            except TimeoutError:
                pass

    async def _online(self, settings: ConnectivitySettings) -> bool:
        """Whether any address answers; without addresses nothing speaks against it."""
        if not settings.addresses:
            return True
        looks = [asyncio.create_task(self._answers(address, settings.timeout)) for address in settings.addresses]
        try:
            for look in asyncio.as_completed(looks):
                if await look:
                    return True
            return False
        finally:
            for task in looks:
                task.cancel()

    async def _answers(self, address: str, timeout: float) -> bool:  # noqa: ASYNC109 -- of the look, not of the caller
        host, _, port = address.rpartition(":")
        try:
            async with asyncio.timeout(timeout):
                await self._reach(host.strip("[]"), int(port))
        except OSError:  # TimeoutError is one
            return False
        return True

    def _say(self, *, offline: bool, addresses: Sequence[str]) -> None:
        if offline is not self.offline:
            self.offline = offline
            if offline:
                log.error("network.lost", addresses=list(addresses), now="checks that cross the network are unknown")
            else:
                log.info("network.found")
            self._changed(offline)
        updates = (Update(CONNECTIVITY_UP, 0.0 if offline else 1.0),) if addresses else ()
        self._emit(Batch("connectivity", self._clock.time(), updates))
