"""A world for each story."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.testing import Wire
from tests.scenarios.world import World


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[World]:
    """A gateway, a receiver and nobody between them yet."""
    world = World(tmp_path, wire)
    yield world
    await world.stop()
