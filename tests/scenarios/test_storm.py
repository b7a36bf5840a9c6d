"""Five hundred alerts in ten seconds."""

import asyncio
import json

from sidecar.model.matchers import Matcher, MatchOp
from tests.scenarios.world import World


async def test_the_counts_of_a_storm_add_up(world: World) -> None:
    """At most twenty messages reach a channel in a minute, and every alert is in one of them, once; so are the ends."""
    rules = {"groups": [{"name": f"g{n}", "rules": [rule(n, m) for m in range(25)]} for n in range(10)]}
    settings = world.settings(checks=[{"type": "http", "name": "gateway", "url": "http://gateway/health"}])
    (world.folder / "rules.yml").write_text(json.dumps(rules))
    await world.start(settings)
    await asyncio.sleep(61)

    world.status = 503
    await asyncio.sleep(180)

    openings = [heard for heard in world.heard if heard.kind == "opening"]
    names = [alert["labels"]["alertname"] for heard in openings for alert in heard.body["alerts"]]
    assert sorted(names) == sorted(f"Many{n}x{m}" for n in range(10) for m in range(25))
    assert all(len([one for one in openings if at <= one.at < at + 60]) <= 20 for at in range(300))
    assert max(len(heard.body["alerts"]) for heard in openings) > 20
    critical = [heard.at for heard in openings if heard.body["alerts"][0]["labels"]["severity"] == "critical"]
    assert critical[0] == min(heard.at for heard in openings)

    world.status = 200
    await asyncio.sleep(180)
    ends = [
        alert["labels"]["alertname"]
        for heard in world.heard
        if heard.kind == "resolve"
        for alert in heard.body["alerts"]
    ]
    assert sorted(ends) == sorted(names)


def rule(n: int, m: int) -> dict[str, object]:
    severity = "critical" if m % 25 == 24 else "warning"
    return {"alert": f"Many{n}x{m}", "expr": "probe_success == 0", "for": f"{n}s", "labels": {"severity": severity}}


async def test_a_restart_allows_no_more(world: World) -> None:
    """A daemon that falls over in a storm does not begin its minute anew."""
    rules = {"groups": [{"name": f"g{n}", "rules": [rule(n, m) for m in range(10)]} for n in range(10)]}
    settings = world.settings(checks=[{"type": "http", "name": "gateway", "url": "http://gateway/health"}])
    (world.folder / "rules.yml").write_text(json.dumps(rules))
    await world.start(settings)
    await asyncio.sleep(61)
    world.status = 503
    await asyncio.sleep(12)

    for _ in range(4):
        await world.kill()
        await world.start(settings | {"database": str(world.database)})
        await asyncio.sleep(6)
    await asyncio.sleep(180)

    openings = [heard for heard in world.heard if heard.kind == "opening"]
    names = [alert["labels"]["alertname"] for heard in openings for alert in heard.body["alerts"]]
    assert sorted(set(names)) == sorted(f"Many{n}x{m}" for n in range(10) for m in range(10))
    keys = {heard.key: heard.at for heard in openings}
    assert all(len([one for one in keys.values() if at <= one < at + 60]) <= 20 for at in range(400))


async def test_the_end_of_a_silence_over_many_is_told_in_few(world: World) -> None:
    """Two hundred alerts that were silenced are told in as many messages as a minute has, each alert once."""
    rules = {"groups": [{"name": f"g{n}", "rules": [rule(n, m) for m in range(20)]} for n in range(10)]}
    settings = world.settings(checks=[{"type": "http", "name": "gateway", "url": "http://gateway/health"}])
    (world.folder / "rules.yml").write_text(json.dumps(rules))
    app = await world.start(settings)
    await asyncio.sleep(61)
    now = app.clock.time()
    everything = (Matcher("check", MatchOp.EQ, "gateway"),)
    made = await app.quieter.silence(everything, now, now + 3600, "anna", "")
    world.status = 503
    await asyncio.sleep(120)
    assert world.heard == []

    await app.quieter.expire(made.id)
    await asyncio.sleep(120)

    names = [alert["labels"]["alertname"] for heard in world.heard for alert in heard.body["alerts"]]
    assert sorted(names) == sorted(f"Many{n}x{m}" for n in range(10) for m in range(20))
    assert len(world.heard) <= 20


async def test_a_storm_that_a_channel_refuses_is_told_anew(world: World) -> None:
    """Refused for good, no alert of a pack counts as told: no end is told of it, and it opens again a while later."""
    rules = {"groups": [{"name": "g", "rules": [rule(0, m) for m in range(40)]}]}
    settings = world.settings(checks=[{"type": "http", "name": "gateway", "url": "http://gateway/health"}])
    (world.folder / "rules.yml").write_text(json.dumps(rules))
    app = await world.start(settings)
    await asyncio.sleep(61)
    world.hook_status, world.status = 400, 503
    await asyncio.sleep(120)
    assert world.story() == []
    assert not [record for record in app.book.records() if record.open]

    world.hook_status = 200
    await asyncio.sleep(1200)
    names = [alert["labels"]["alertname"] for heard in world.heard for alert in heard.body["alerts"]]
    assert {heard.kind for heard in world.heard} == {"opening"}
    assert sorted(names) == sorted(f"Many0x{m}" for m in range(40))
