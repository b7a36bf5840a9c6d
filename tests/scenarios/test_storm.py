"""Five hundred alerts in ten seconds."""

import asyncio
import json

from tests.scenarios.world import World


async def test_the_counts_of_a_storm_add_up(world: World) -> None:
    """At most twenty messages reach a channel in a minute, and every alert is in one of them, once; so are the ends."""
    rules = {"groups": [{"name": f"g{n}", "rules": [rule(n, m) for m in range(50)]} for n in range(10)]}
    settings = world.settings(checks=[{"type": "http", "name": "gateway", "url": "http://gateway/health"}])
    (world.folder / "rules.yml").write_text(json.dumps(rules))
    await world.start(settings)
    await asyncio.sleep(61)

    world.status = 503
    await asyncio.sleep(180)

    openings = [heard for heard in world.heard if heard.kind == "opening"]
    names = [alert["labels"]["alertname"] for heard in openings for alert in heard.body["alerts"]]
    assert sorted(names) == sorted(f"Many{n}x{m}" for n in range(10) for m in range(50))
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
    severity = "critical" if m == 49 else "warning"
    return {"alert": f"Many{n}x{m}", "expr": "probe_success == 0", "for": f"{n}s", "labels": {"severity": severity}}
