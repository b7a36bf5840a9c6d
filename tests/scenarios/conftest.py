"""A world for each story."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.model.families import PROCESS_RESIDENT
from sidecar.model.samples import Update
from sidecar.telemetry.process import ProcessReader
from sidecar.testing import Wire
from tests.scenarios.world import World


@pytest.fixture(autouse=True)
def a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that is measured is pytest's, whose memory would alarm a pack that watches the daemon's."""
    updates = ProcessReader.updates

    def without_memory(reader: ProcessReader) -> tuple[Update, ...]:
        return tuple(update for update in updates(reader) if update.family is not PROCESS_RESIDENT)

    monkeypatch.setattr(ProcessReader, "updates", without_memory)


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[World]:
    """A gateway, a receiver and nobody between them yet."""
    world = World(tmp_path, wire)
    yield world
    await world.stop()
