"""Who may probe now."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

PATIENCE: Final = 1.0
"""Seconds after which a probe only waits for its peer, and lends its place to one that has not begun."""
_MOST: Final = 2000
_SPARE: Final = 0.5
"""The share of the files that the process may open which probes may use."""


class Slots:
    """Places for probes: *fresh* for those that have just begun, *most* for all together.

    What makes many probes costly is their beginning; one that hangs costs a socket. So a burst is held back, and those
    that hang delay nobody, until they are so many that the sockets run out. Whoever waits is served in order.
    """

    def __init__(self, fresh: int, most: int | None = None, patience: float = PATIENCE) -> None:
        self.most = room() if most is None else most
        self.running = 0
        self._fresh = asyncio.Semaphore(fresh)
        self._all = asyncio.Semaphore(self.most)
        self._patience = patience

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place for as long as the block lasts."""
        async with self._all:
            await self._fresh.acquire()
            lent = asyncio.Event()
            lending = asyncio.get_running_loop().call_later(self._patience, partial(self._lend, lent))
            self.running += 1
            try:
                yield
            finally:
                self.running -= 1
                lending.cancel()
                self._lend(lent)

    def _lend(self, lent: asyncio.Event) -> None:
        if not lent.is_set():
            lent.set()
            self._fresh.release()


def room() -> int:
    """How many probes may hold a socket, given the files that this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(1, min(_MOST, int(soft * _SPARE)))
