"""What a restart may say of an alert that its cooldown had kept back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.testing import Wire
from tests.scenarios.attacks import HardWorld, check


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[HardWorld]:
    """A target, a receiver, and a daemon between them."""
    world = HardWorld(tmp_path, wire)
    yield world
    await world.stop()


@pytest.mark.parametrize(
    ("status", "story"),
    [
        pytest.param(200, ["opening", "resolve"], id="it is over meanwhile"),
        pytest.param(503, ["opening", "resolve", "opening"], id="it goes on"),
    ],
)
async def test_what_the_cooldown_kept_back_is_looked_at_again_before_it_is_told(
    world: HardWorld, status: int, story: list[str]
):
    """An alert that was firing untold before a restart is told after it only if it still is true."""
    checks = [check("other"), check("gateway")]  # the other one is known first
    await world.start(world.settings(checks=checks))
    await asyncio.sleep(60.3)
    for answer in (503, 200, 503):
        world.paths["/gateway"] = answer
        await asyncio.sleep(40)
    assert world.story() == ["opening", "resolve"]

    await world.kill()
    world.paths["/gateway"] = status
    await asyncio.sleep(300)  # the cooldown ends
    await world.start(world.settings(checks=checks))
    await asyncio.sleep(600)

    assert world.story() == story
