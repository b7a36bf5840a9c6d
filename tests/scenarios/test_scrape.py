"""The gateway's own metrics."""

import asyncio

from aiohttp import web

from tests.scenarios.world import World


async def test_rules_read_what_was_scraped(world: World):
    """A counter of the gateway fires an alert by its rate; when the gateway is gone, its series are."""
    errors = 0

    async def metrics(_: web.Request) -> web.Response:
        nonlocal errors
        errors += 30
        return web.Response(text=f"gateway_errors_total {errors}\n")

    gateway = web.Application()
    gateway.router.add_get("/metrics", metrics)
    world.wire.serve("litellm", gateway)
    rules = """
groups:
  - name: g
    rules: [{alert: Errors, expr: "rate(gateway_errors_total[1m]) > 1", severity: warning}]
"""
    checks = [{"type": "scrape", "name": "gateway", "url": "http://litellm/metrics"}]
    app = await world.start(world.settings(rules, checks=checks))
    await asyncio.sleep(120)
    assert world.story() == ["opening"]

    world.wire.refuse("litellm")
    await asyncio.sleep(30)
    assert "gateway_errors_total" not in {family.name for family, _ in app.store.live()}
