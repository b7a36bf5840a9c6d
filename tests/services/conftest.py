"""What the stories of services share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sidecar.checks import Check
from sidecar.clock import Clock
from sidecar.outbound import Outbound
from tests.services.desk import Desk


@pytest.fixture
async def probing(clock: Clock) -> AsyncIterator[Callable[..., Desk]]:
    """Starts a prober over the checks it is given."""
    outbound = Outbound()
    tasks: list[asyncio.Task[None]] = []

    def start(*checks: Check, **options: Any) -> Desk:
        desk = Desk(checks, clock, outbound, options)
        desk.task = asyncio.create_task(desk.prober.run())
        tasks.append(desk.task)
        return desk

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await outbound.close()
