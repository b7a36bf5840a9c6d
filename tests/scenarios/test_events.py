"""A gateway tells what its users meet, and the daemon tells people."""

import asyncio
import gc
import json
import math
import random
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sidecar.api import problems
from sidecar.model.matchers import Matcher, MatchOp
from tests.scenarios.world import World

SLOW = """
groups:
  - name: traffic
    rules:
      - alert: FirstTokenSlow
        expr: claude_time_to_first_token_seconds_quantile{quantile="0.95", window="5m"} > 8
        min_samples: 20
        severity: critical
        annotations: {summary: "p95 of {{ $labels.model }} is {{ $value | humanizeDuration }}"}
"""


class Gateway:
    """Sends events to the daemon of a world."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        assert world.app is not None
        app = web.Application(middlewares=[problems.in_json()])
        app.add_routes(world.app.routes(lambda: True))
        world.wire.serve("sidecar", app)
        self._session = session
        self.statuses: list[int] = []

    async def send(self, *events: dict[str, Any]) -> None:
        body = "\n".join(json.dumps(event) for event in events)
        async with self._session.post(
            "http://sidecar/api/v1/events", data=body, headers={"Content-Type": "application/x-ndjson"}
        ) as answer:
            await answer.read()
            self.statuses.append(answer.status)


def requests(n: int, first_token: float) -> list[dict[str, Any]]:
    event = {"type": "request", "model": "claude-opus-5", "target": "https://api.anthropic.com", "status": 200}
    return [event | {"time_to_first_token": first_token, "duration": first_token + 1} for _ in range(n)]


@pytest.fixture
async def session(wire):
    async with aiohttp.ClientSession(connector=wire.connector()) as session:
        yield session


async def test_slow_first_tokens_page_with_their_count(world: World, session):
    """Users' slow first tokens fire a percentile rule that says how many are behind it, and end when they are quick."""
    await world.start(world.settings(SLOW))
    gateway = Gateway(world, session)
    await asyncio.sleep(120)
    await gateway.send(*requests(19, 12.0))
    await asyncio.sleep(45)
    assert world.story() == [], "nineteen are too few to judge"

    await gateway.send(*requests(5, 12.0))
    await asyncio.sleep(61)
    (opening,) = world.heard
    assert opening.alerts == ["FirstTokenSlow"]
    assert opening.body["alerts"][0]["samples"] == 24
    assert opening.body["alerts"][0]["value"] == pytest.approx(12.0, rel=0.01)
    assert opening.body["alerts"][0]["labels"]["model"] == "claude-opus-5"

    for _ in range(10):
        await gateway.send(*requests(100, 0.5))
        await asyncio.sleep(45)
    assert world.story() == ["opening", "resolve"]


def hostile(chance: random.Random, n: int) -> dict[str, Any]:
    """An event of somebody who wants to fill the memory."""
    odd = "".join(chance.choices('abcdefghij{}\\"\n\u2028\U0001f600', k=chance.randrange(1, 40)))
    return chance.choice(
        [
            {"type": "request", "model": odd + str(n), "target": f"https://{n}.example", "status": 200, "duration": 1},
            {"type": "request", "model": "claude-opus-5", "error_type": odd + str(n), "status": n % 600},
            {"type": "request", "model": "claude-opus-5", "labels": {"user": f"{odd}{n}"}, "duration": 10.0 ** (n % 9)},
            {"type": "counter", "name": f"c{n}_total", "value": 1},
            {
                "type": "histogram",
                "name": "wait_seconds",
                "value": math.exp(chance.gauss(0, 6)),
                "labels": {"n": str(n)},
            },
            {"type": "histogram", "name": f"h{n}", "value": n, "labels": {"model": str(n)}},
            {"type": "gauge", "name": "g", "value": n, "labels": {"n": str(n)}},
            {"type": "counter", "name": "sidecar_check_up", "value": 1},
            {"type": odd, "id": str(n)},
            {"type": "counter", "name": "ids_total", "id": str(n)},
        ]
    )


async def test_an_hour_of_hostile_events_leaves_checks_on_time_and_memory_flat(world: World, session):
    """Whatever is sent for an hour: what fires elsewhere is told at once, and memory grows no more after a while."""
    chance = random.Random(3)
    await world.start(world.settings(events={"series": 500, "series_per_metric": 150, "rate": 100_000}))
    gateway = Gateway(world, session)
    assert world.app is not None
    objects, live = [], []
    for minute in range(72):
        await gateway.send(*(hostile(chance, 60 * minute + n) for n in range(60)))
        await asyncio.sleep(50)
        if minute in (60, 71):
            gc.collect()
            objects.append(len(gc.get_objects()))
            live.append(len(world.app.store.select([Matcher("__name__", MatchOp.RE, ".+")])))
    assert set(gateway.statuses) == {200}
    assert live[1] < 1500, "500 of events, percentiles, and the daemon's own"
    assert objects[1] < objects[0] + 2000, "what is remembered of routes and names comes and goes"
    probes = world.probes
    assert probes == pytest.approx(72 * 50 / 15, abs=3), "no probe was late or lost"

    world.status = 503
    await asyncio.sleep(20)

    assert world.story() == ["opening"]
