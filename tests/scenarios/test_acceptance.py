"""What neighbours get wrong, and users were hurt by."""

import asyncio
import contextlib
import json

import pytest
from aiohttp import web

from sidecar import app as application
from sidecar.clock import SystemClock
from sidecar.model.samples import Batch, Family, Kind, Update
from sidecar.outbound import Outbound
from tests.scenarios.world import DOWN, World

PUSHED = Family("pushed", Kind.GAUGE, "What somebody pushed.")
VANISHED = """
groups:
  - name: g
    interval: 15s
    rules:
      - alert: Down
        expr: pushed == 0
        severity: critical
        on_no_data: {policy}
"""


async def test_a_channel_that_asks_for_patience_gets_it(world: World) -> None:
    """429 with Retry-After, then 503, then 200: one delivery, and not before it was asked for."""
    answers = [(429, {"Retry-After": "7"}), (503, {}), (200, {})]
    asked: list[tuple[float, str]] = []

    async def take(request: web.Request) -> web.Response:
        asked.append((asyncio.get_running_loop().time(), request.headers["Idempotency-Key"]))
        status, headers = answers[len(asked) - 1]
        return web.Response(status=status, headers=headers)

    hook = web.Application()
    hook.router.add_post("/", take)
    world.wire.serve("patience", hook)
    channel = {"type": "webhook", "name": "hook", "url": "http://patience/"}
    await world.start(world.settings(channels=[channel]))
    await asyncio.sleep(60)
    world.status = 503
    await asyncio.sleep(60)

    assert len(asked) == 3
    assert asked[1][0] - asked[0][0] >= 7
    assert len({key for _, key in asked}) == 1


async def test_a_broken_template_swallows_no_page(world: World) -> None:
    """The alert arrives with the error in place of the text, and the failure is counted."""
    rules = DOWN.replace('"{{ $labels.check }} is down"', "'{{ query \"nonsense(\" | first | value }}'")
    app = await world.start(world.settings(rules))
    await asyncio.sleep(60)
    world.status = 503
    await asyncio.sleep(60)

    assert world.story() == ["opening"]
    assert "error expanding template" in world.heard[0].body["alerts"][0]["annotations"]["summary"]
    counted = [family.name for family, _ in app.store.live() if family.name == "sidecar_template_failures_total"]
    assert counted


@pytest.mark.parametrize(
    ("policy", "story"),
    [
        pytest.param("ok", [("opening", None), ("resolve", "no_data")], id="ok ends it, and does not call it well"),
        pytest.param("keep", [("opening", None)], id="keep keeps it"),
        pytest.param("alert", [("opening", None)], id="alert goes on saying it"),
    ],
)
async def test_a_series_that_vanishes(world: World, policy: str, story: list[tuple[str, str | None]]) -> None:
    """Each policy does what it says when what was measured is measured no more."""
    app = await world.start(world.settings(VANISHED.format(policy=policy)))
    await asyncio.sleep(60)
    app.store.append(Batch("pushed", app.clock.time(), (Update(PUSHED, 0.0),)))
    await asyncio.sleep(60)
    app.store.end("pushed", app.clock.time())
    await asyncio.sleep(600)

    assert [(heard.kind, heard.body["alerts"][0]["endReason"]) for heard in world.heard] == story


async def test_a_file_with_a_mistake_stops_nothing(world: World) -> None:
    """Checks go on without a gap, the metric says 0, and the hash is that of what runs; a mended file is taken up."""
    path = world.folder / "sidecar.yml"
    path.write_text(json.dumps(world.settings()))
    config, origin = application.load(path, {})
    clock = SystemClock(monotonic=asyncio.get_running_loop().time)
    outbound = Outbound(connector=world.wire.connector)

    def shown(name: str) -> dict[str, float]:
        live = {family.name: children for family, children in app.store.live()}
        return {labels.text("hash"): value for labels, value in live[name] if isinstance(value, float)}

    async with application.build(config, clock=clock, outbound=outbound, origin=origin) as app:
        task = asyncio.create_task(app.run(listen=False))
        await asyncio.sleep(300)
        before, hashes = world.probes, shown("sidecar_config_info")
        path.write_text("checks: [{type: nonsense}]")
        await asyncio.sleep(300)
        assert world.probes - before == 20
        assert shown("sidecar_config_last_reload_successful") == {"": 0.0}
        assert shown("sidecar_config_info") == hashes

        path.write_text(json.dumps(world.settings(external_labels={"cluster": "eu"})))
        await asyncio.sleep(60)
        assert shown("sidecar_config_last_reload_successful") == {"": 1.0}
        assert shown("sidecar_config_info").keys() != hashes.keys()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_series_that_never_was_is_told_where_it_is_asked_for(world: World) -> None:
    """`on_no_data: alert` tells of a subject that never returned anything, once; the others say nothing of it."""
    for policy, story in (("ok", []), ("keep", []), ("alert", ["opening"])):
        await world.start(world.settings(VANISHED.format(policy=policy), database=""))
        await asyncio.sleep(600)
        assert world.story() == story
        await world.stop()
