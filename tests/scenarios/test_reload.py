"""Another configuration, in the midst of whatever happens."""

import asyncio
from typing import Any

import pytest

from tests.scenarios.world import DOWN, World

TWO = """
groups:
  - name: recorded
    rules: [{record: "gateway:up", expr: "sidecar_check_up + 0"}]
  - name: down
    rules: [{alert: TargetDown, expr: "gateway:up == 0", severity: critical}]
"""


def check(name: str = "gateway", **changes: Any) -> dict[str, Any]:
    return {"type": "http", "name": name, "url": f"http://gateway/{name}", "critical": True} | changes


def ends(world: World) -> list[str | None]:
    """Why each alert ended, of every message that said so."""
    return [alert["endReason"] for heard in world.heard if heard.kind != "opening" for alert in heard.body["alerts"]]


async def outage(world: World, settings: dict[str, Any]) -> None:
    """A daemon, and an outage of which the channel was told."""
    await world.start(settings)
    await asyncio.sleep(60)
    world.status = 503
    await asyncio.sleep(60)
    assert world.story() == ["opening"]


async def test_a_reload_in_an_outage_loses_and_repeats_nothing(world: World) -> None:
    """What was told stays told; a channel that is new hears of it once; the end is told to both, once."""
    settings = world.settings()
    await outage(world, settings)

    settings["channels"].append({"type": "webhook", "name": "other", "url": "http://hook/other"})
    await world.reload(settings)
    await asyncio.sleep(60)
    assert world.story() == ["opening", "opening"]
    await world.reload(settings)
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "opening", "resolve", "resolve"]
    assert ends(world) == ["recovered", "recovered"]


async def test_an_equal_check_keeps_its_grid(world: World) -> None:
    """Ten reloads cost no probe and add none: the samples of the check lie where they would have lain."""
    settings = world.settings()
    await world.start(settings)
    await asyncio.sleep(300)
    before = world.probes
    for n in range(10):
        settings["external_labels"] = {"n": str(n)}
        await world.reload(settings)
        await asyncio.sleep(30)

    assert world.probes - before == 20


async def test_a_check_that_is_gone_closes_its_alerts(world: World) -> None:
    """Nobody waits for the recovery of what is not watched any more, and nobody is told that it recovered."""
    settings = world.settings()
    await outage(world, settings)

    await world.reload(settings | {"checks": [check("other")]})
    await asyncio.sleep(1)

    assert world.story() == ["opening", "resolve"]
    assert ends(world) == ["removed"]
    await asyncio.sleep(300)
    assert [heard.body["alerts"][0]["labels"]["check"] for heard in world.heard[2:]] == ["other"]


async def test_a_changed_label_replaces_the_alert(world: World) -> None:
    """The old alert is closed as replaced, and the same trouble is told under its new labels."""
    settings = world.settings(checks=[check()])
    await outage(world, settings)

    await world.reload(settings | {"checks": [check(labels={"team": "web"})]})
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve", "opening"]
    assert ends(world) == ["replaced"]
    assert world.heard[-1].body["alerts"][0]["labels"]["team"] == "web"


async def test_a_changed_interval_keeps_the_alert(world: World) -> None:
    """What does not tell one thing from another is changed in place: nothing is closed and nothing told anew."""
    settings = world.settings(checks=[check()])
    await outage(world, settings)

    await world.reload(settings | {"checks": [check(every="5s")]})
    await asyncio.sleep(60)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(10)

    assert ends(world) == ["recovered"]


@pytest.mark.parametrize(
    ("rules", "story", "reasons"),
    [
        pytest.param(DOWN.replace("is down", "is gone"), ["opening"], [], id="another text"),
        pytest.param(
            DOWN.replace("severity: critical", "severity: critical\n        for: 1h"), ["opening"], [], id="for"
        ),
        pytest.param(
            DOWN.replace("severity: critical", "severity: warning"),
            ["opening", "opening", "resolve"],
            ["replaced"],
            id="another label",
        ),
        pytest.param("groups: []", ["opening", "resolve"], ["removed"], id="no rule"),
    ],
)
async def test_a_rule_changes_under_a_firing_alert(
    world: World, rules: str, story: list[str], reasons: list[str]
) -> None:
    """An equal identity keeps its alert, another one replaces it, none closes it."""
    settings = world.settings()
    await outage(world, settings)

    await world.reload(world.settings(rules))
    await asyncio.sleep(30)

    assert sorted(world.story()) == sorted(story)
    assert ends(world) == reasons


async def test_recorded_series_go_on(world: World) -> None:
    """A group that gets another rule in front keeps its series, and what reads them sees no gap."""
    settings = world.settings(TWO)
    await outage(world, settings)

    await world.reload(world.settings(TWO.replace("[{record", '[{record: "new:one", expr: "vector(1)"}, {record')))
    await asyncio.sleep(60)

    assert world.story() == ["opening"]
    assert world.app is not None
    assert {"new:one", "gateway:up"} <= {family.name for family, _ in world.app.store.live()}
    await world.reload(world.settings())
    await asyncio.sleep(30)
    assert "gateway:up" not in {family.name for family, _ in world.app.store.live()}


async def test_a_channel_that_is_gone_returns(world: World) -> None:
    """What it was told is remembered: after its return it hears of the end, and of nothing twice."""
    settings = world.settings()
    await outage(world, settings)

    await world.reload(settings | {"channels": []})
    await asyncio.sleep(60)
    await world.reload(settings)
    await asyncio.sleep(60)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


async def test_a_restart_after_a_reload_finds_what_the_reload_left(world: World) -> None:
    """What a reload ended is remembered as ended."""
    settings = world.settings()
    await outage(world, settings)
    settings |= {"checks": [check("other")]}
    await world.reload(settings)
    await asyncio.sleep(1)

    await world.kill()
    await world.start(settings | {"database": str(world.database)})
    await asyncio.sleep(300)

    assert world.story() == ["opening", "resolve", "opening"]


async def test_a_rule_over_the_check_as_a_whole_does_not_mind_a_label(world: World) -> None:
    """What a rule says about a check by its name alone is the same alert, whatever other labels the check gets."""
    rules = DOWN.replace("sidecar_check_up == 0", "max by (check) (sidecar_check_up) == 0")
    settings = world.settings(rules, checks=[check()])
    await outage(world, settings)

    await world.reload(settings | {"checks": [check(labels={"team": "web"})]})
    await asyncio.sleep(60)

    assert "replaced" not in ends(world)
