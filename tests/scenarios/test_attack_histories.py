"""The whole daemon through random histories: outages, reloads, kills and refusals, in any order.

Whatever happened, when all is well again and has rested: every opening that a configured channel took has been closed,
none was told twice under another id, nothing fires, and nothing waits.
"""

import asyncio
import os
import random
from collections import Counter
from typing import Any

import pytest

from sidecar.db import outbox
from tests.scenarios.attacks import HardWorld, check
from tests.scenarios.world import DOWN

HISTORIES = int(os.environ.get("SIDECAR_SOAK", "6"))
STEPS = 24
FOR = DOWN.replace("severity: critical", "severity: critical\n        for: 20s\n        cooldown: 30s")
RECORDED = """
groups:
  - name: recorded
    rules: [{record: "gateway:up", expr: "sidecar_check_up + 0"}]
  - name: down
    rules: [{alert: TargetDown, expr: "gateway:up == 0", severity: critical, cooldown: 0s}]
"""


def configurations() -> list[tuple[str, dict[str, Any]]]:
    """Rules, and what else is different: the channel that everybody has stays as it is."""
    return [
        (DOWN, {"checks": [check("a"), check("b")]}),
        (FOR, {"checks": [check("a", every="7s"), check("b")], "external_labels": {"x": "y"}}),
        (RECORDED, {"checks": [check("b"), check("a")], "timezone": "Europe/Berlin"}),
        (DOWN, {"checks": [check("a", labels={"team": "web"})]}),
        ("groups: []", {"checks": [check("b")]}),
    ]


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_when_all_is_well_again_everybody_knows(seed: int, tmp_path: Any, wire: Any) -> None:
    """Nothing lost, nothing repeated, whatever the order of outages, reloads, kills and refusals."""
    chance = random.Random(seed)  # a history that can be had again
    world = HardWorld(tmp_path, wire)
    known = configurations()
    history: list[str] = []
    rules, changes = known[0]
    await world.start(world.settings(rules, **changes))
    for _ in range(STEPS):
        match chance.choice(["wait", "wait", "break", "break", "mend", "reload", "reload", "kill", "hook"]):
            case "break":
                world.paths[f"/{chance.choice('ab')}"] = 503
            case "mend":
                world.paths.clear()
            case "reload":
                n = chance.randrange(len(known))
                rules, changes = known[n]
                history.append(f"reload {n}")
                await world.reload(world.settings(rules, **changes))
            case "kill":
                history.append("kill")
                await world.kill()
                await world.start(world.settings(rules, **changes))
            case "hook":
                world.hook_status = chance.choice([200, 503])
        seconds = chance.choice([0.0, 0.5, 3.0, 20.0, 90.0])
        history.append(f"{seconds} s, {world.paths}, hook {world.hook_status}")
        await asyncio.sleep(seconds)
    world.paths.clear()
    world.hook_status = 200
    await asyncio.sleep(1500)

    app = world.app
    assert app is not None
    assert [alert for alert in app.book.alerts() if alert.firing] == [], history
    assert await app.database.run(outbox.waiting) == (), history
    views: dict[str, bool] = {}
    openings = Counter[tuple[str, str]]()
    for heard in {heard.key: heard for heard in world.heard}.values():
        for alert in heard.body["alerts"]:
            views[alert["fingerprint"]] = heard.kind in ("opening", "reminder")
            if heard.kind == "opening":
                openings[alert["fingerprint"], alert["openedAt"]] += 1
    assert not any(views.values()), (history, views)
    assert all(n == 1 for n in openings.values()), (history, openings)
    await world.stop()
