"""Long work on the event loop, in pieces."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import Final, TypeVar

T = TypeVar("T")

PIECE: Final = 0.003
"""Seconds after which others get their turn."""


async def paced(items: Iterable[T]) -> AsyncIterator[T]:
    """*items*, with a pause for everybody else whenever what is done with them has taken PIECE."""
    began = perf_counter()
    for item in items:
        yield item
        if perf_counter() - began > PIECE:
            await asyncio.sleep(0)
            began = perf_counter()
