"""The shipped packs are to name the right culprit, once, whatever happened shortly before."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from sidecar.testing import Wire
from tests.scenarios.attacks import HardWorld, check

ERRORS: Final = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
LISTED: Final = {"type": "model", "id": "claude-x", "display_name": "X", "created_at": "2025-01-01T00:00:00Z"}


class ClaudeWorld(HardWorld):
    """The gateway speaks Claude's API."""

    async def _answer(self, request: web.Request) -> web.Response:
        self.probes += 1
        if self.status == 200:
            return web.json_response({"data": [LISTED], "has_more": False, "first_id": "x", "last_id": "x"})
        error = {"type": ERRORS[self.status], "message": "no"}
        return web.json_response({"type": "error", "error": error}, status=self.status)

    def claude(self, every: str = "15s") -> dict[str, Any]:
        """A configuration with the shipped packs and one check of Claude."""
        key = "sk-ant-none-0123456789"
        models = {"type": "claude.models", "name": "claude", "base_url": "http://gateway", "api_key": key}
        return self.shipped(checks=[models | {"every": every, "critical": True}])


@pytest.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[ClaudeWorld]:
    """A world with a Claude in it."""
    world = ClaudeWorld(tmp_path, wire)
    yield world
    await world.stop()


async def test_a_refused_key_is_told_as_such_over_a_restart(world: ClaudeWorld):
    """A revoked key is one page and one resolve, and never an outage, though the daemon starts anew meanwhile."""
    await world.start(world.claude())
    await asyncio.sleep(60.3)
    world.status = 401
    await asyncio.sleep(300)
    await world.kill()
    await world.start(world.claude())
    await asyncio.sleep(1200)
    world.status = 200
    await asyncio.sleep(60)

    assert world.names() == [("opening", "ClaudeAuthFailing"), ("resolve", "ClaudeAuthFailing")]


async def test_an_old_blip_does_not_make_a_refused_key_an_outage(world: ClaudeWorld):
    """Claude is not blamed for a revoked key because a probe minutes before found it overloaded."""
    await world.start(world.claude())
    await asyncio.sleep(60.3)
    world.status, probes = 529, world.probes
    while world.probes == probes:
        await asyncio.sleep(0.1)
    world.status = 200
    await asyncio.sleep(60)
    world.status = 401
    await asyncio.sleep(1500)

    assert world.names() == [("opening", "ClaudeAuthFailing")]


async def test_an_outage_after_a_refused_key_is_an_outage(world: ClaudeWorld):
    """A key that was mended is not blamed for the outage that comes minutes later."""
    await world.start(world.claude())
    await asyncio.sleep(60.3)
    for status in (401, 200, 529):
        world.status = status
        await asyncio.sleep(120)
    await asyncio.sleep(600)

    told = [name for kind, name in world.names() if kind == "opening"]
    assert told == ["ClaudeAuthFailing", "ClaudeDown"]


async def test_another_reason_is_no_recovery(world: ClaudeWorld):
    """A check that stays down for another reason has not recovered: the old page is closed by the name of the new."""
    await world.start(world.claude())
    await asyncio.sleep(60.3)
    for status in (529, 401, 200):
        world.status = status
        await asyncio.sleep(300)

    assert sorted(world.names()[1:3]) == [("opening", "ClaudeAuthFailing"), ("resolve", "ClaudeDown")]
    assert (world.names()[0], *world.names()[3:]) == (("opening", "ClaudeDown"), ("resolve", "ClaudeAuthFailing"))
    ends = [alert for heard in world.heard if heard.kind == "resolve" for alert in heard.body["alerts"]]
    assert [(end["endReason"], end["replacedBy"]) for end in ends] == [
        ("replaced", "ClaudeAuthFailing"),
        ("recovered", ""),
    ]


async def test_our_own_limit_is_no_outage(world: ClaudeWorld):
    """A check that is down for a rate limit is one page about the limit, and Claude is not said to be down."""
    await world.start(world.claude())
    await asyncio.sleep(60.3)
    world.status = 429
    await asyncio.sleep(1500)
    world.status = 200
    await asyncio.sleep(1500)

    assert world.names() == [("opening", "ClaudeRateLimited"), ("resolve", "ClaudeRateLimited")]


async def test_one_outage_is_told_once(world: ClaudeWorld):
    """An outage is one page and one resolve: its single failures are not told as well, neither then nor later."""
    await world.start(world.claude())
    await asyncio.sleep(60.3)
    world.status = 529
    await asyncio.sleep(1500)
    world.status = 200
    await asyncio.sleep(1500)

    assert world.names() == [("opening", "ClaudeDown"), ("resolve", "ClaudeDown")]


async def test_a_check_that_is_probed_seldom_does_not_change_its_mind(world: ClaudeWorld):
    """Between two probes that find the same, nothing is told, however far they are apart."""
    await world.start(world.claude("10m"))
    await asyncio.sleep(1200.3)
    world.status = 404
    await asyncio.sleep(2400)
    assert world.names() == [("opening", "ClaudeProbeMisconfigured")]
    world.status = 200
    await asyncio.sleep(1200)

    assert world.names() == [("opening", "ClaudeProbeMisconfigured"), ("resolve", "ClaudeProbeMisconfigured")]


async def test_the_reason_in_a_page_is_the_latest(world: ClaudeWorld):
    """A page names the error of the probes that led to it."""
    await world.start(world.shipped(checks=[check()]))
    await asyncio.sleep(60.3)
    world.status = 529
    await asyncio.sleep(60)

    assert "(assertion)" in world.heard[0].body["alerts"][0]["annotations"]["description"]
