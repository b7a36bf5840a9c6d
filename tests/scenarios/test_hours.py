"""Checks that are not always asked. Virtual time begins on a Monday, at 12:00 UTC."""

import asyncio
import json
from typing import Any

import pytest

from sidecar.model.checks import CheckStatus
from tests.scenarios.world import World

HOUR = 3600.0
GATEWAY = {"type": "http", "name": "gateway", "url": "http://gateway/health", "critical": True}


def checks(**settings: Any) -> dict[str, Any]:
    return {"checks": [GATEWAY | settings]}


async def test_nobody_is_paged_out_of_hours(world: World):
    """An outage at night pages nobody; when the hours begin and it is still there, it pages at once."""
    hours = [{"from": "08:00", "to": "13:00"}, {"from": "14:00", "to": "18:00"}]
    await world.start(world.settings(**checks(hours=hours)))
    await asyncio.sleep(HOUR + 60)
    world.status = 503

    await asyncio.sleep(HOUR - 70)
    assert world.heard == []
    assert world.app is not None
    assert world.app.prober.states()["gateway"].reason == "off_hours"

    await asyncio.sleep(20)
    assert world.story() == ["opening"]


async def test_by_cron_an_outage_is_seen_at_the_next_run(world: World):
    """Two probes, one by the expression and one that confirms it, page; the series last from run to run."""
    await world.start(world.settings(**checks(cron="*/20 * * * *")))
    await asyncio.sleep(HOUR + 60)
    assert world.probes == 4
    world.status = 503
    await asyncio.sleep(18 * 60)
    assert world.heard == []

    await asyncio.sleep(60 + 10)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(20 * 60)
    assert world.story() == ["opening", "resolve"]


async def test_what_has_to_be_refused(world: World):
    """A negative check pages when it is answered, and resolves when it is refused again."""
    world.status = 403
    await world.start(world.settings(**checks(negative=True)))
    await asyncio.sleep(100)
    assert world.app is not None
    assert world.app.prober.states()["gateway"].status is CheckStatus.UP

    world.status = 200
    await asyncio.sleep(30)
    assert world.story() == ["opening"]
    assert "the probe succeeded, expected a failure" in json.dumps(world.heard[0].body)
    world.status = 403
    await asyncio.sleep(30)
    assert world.story() == ["opening", "resolve"]


@pytest.mark.parametrize("weight", [{}, {"critical": False}], ids=["unchanged", "with a new label"])
async def test_hours_that_come_with_a_reload(world: World, weight: dict[str, Any]):
    """A check that is closed by a new configuration is unknown from then on, and its alert does not recover."""
    world.status = 503
    await world.start(world.settings(**checks()))
    await asyncio.sleep(100)
    assert world.story() == ["opening"]

    await world.reload(world.settings(**checks(hours={"from": "20:00"}, **weight)))
    await asyncio.sleep(600)

    assert world.app is not None
    assert world.app.prober.states()["gateway"].reason == "off_hours"
    [resolve] = world.heard[1:]
    assert resolve.body["alerts"][0]["endReason"] in ("no_data", "replaced")
