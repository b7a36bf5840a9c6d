"""A world for each story."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.services import delivery
from sidecar.telemetry import loop
from sidecar.telemetry.process import ProcessReader
from sidecar.testing import Wire
from tests.scenarios.world import World


@pytest.fixture(autouse=True)
def nothing_about_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of samples about pytest's own process are no part of a story, and its memory would alarm a pack.

    Nor is the loop's lateness: in virtual time nothing is late, and looking twice a second is half of an idle hour. How
    much waits to be delivered is counted once a minute.
    """
    monkeypatch.setattr(ProcessReader, "updates", lambda _: ())
    monkeypatch.setattr(loop, "INTERVAL", 3600.0)
    monkeypatch.setattr(delivery, "REPORT", 60.0)


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[World]:
    """A gateway, a receiver and nobody between them yet."""
    world = World(tmp_path, wire)
    yield world
    await world.stop()
