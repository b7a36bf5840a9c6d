"""What a probe saw reaches whoever is paged."""

import asyncio
from typing import Any

from aiohttp import web

from tests.scenarios.world import OFTEN, World

KEY = "sk-ant-scenario-0123456789abcdef"


class Gateway:
    """Answers with a page of its own, which quotes the request's key as careless gateways do."""

    def __init__(self, world: World) -> None:
        self.status = 200
        self.seen = 0
        application = web.Application()
        application.router.add_get("/health", self._answer)
        world.wire.serve("careless", application)

    async def _answer(self, request: web.Request) -> web.Response:
        self.seen += request.headers["X-Key"] == KEY
        return web.Response(status=self.status, text=f"no upstream\r\nfor {request.headers['X-Key']}")


def settings(world: World) -> dict[str, Any]:
    check = {"type": "http", "name": "gateway", "url": "http://careless/health", "headers": {"X-Key": KEY}}
    return world.settings(OFTEN, checks=[check])


async def test_a_page_says_what_the_probe_saw(world: World):
    """The opening and the reminder carry the last probe's words without the secret in them; the resolve does not."""
    gateway = Gateway(world)
    await world.start(settings(world))
    await asyncio.sleep(100.3)

    gateway.status = 503
    await asyncio.sleep(1800)
    gateway.status = 200
    await asyncio.sleep(60)

    assert gateway.seen, "the key was in what the gateway answered"
    assert world.story() == ["opening", "reminder", "resolve"]
    opening, reminder, resolve = (heard.body["alerts"][0]["lastProbe"] for heard in world.heard)
    assert opening == "assertion: got 503, expected 2xx: no upstream ⏎ for ***"
    assert reminder == opening
    assert resolve == ""
    assert all(KEY not in str(heard.body) for heard in world.heard)


async def test_what_was_over_before_it_could_be_told_has_its_evidence(world: World):
    """A message that tells an opening and its end in one says what the probe saw."""
    gateway = Gateway(world)
    await world.start(settings(world))
    await asyncio.sleep(100.3)

    gateway.status, world.hook_status = 503, 503
    await asyncio.sleep(300)
    gateway.status = 200
    await asyncio.sleep(60)
    world.hook_status = 200
    await asyncio.sleep(900)

    (closed,) = world.heard
    assert closed.kind == "closed"
    assert closed.body["alerts"][0]["lastProbe"].startswith("assertion: got 503")
