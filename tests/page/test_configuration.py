"""The page about the configuration."""

import asyncio
from dataclasses import replace

from tests.page.reading import said
from tests.scenarios.world import DOWN


async def test_it_shows_what_runs_without_a_secret(world, looking):
    """The effective configuration is there as YAML, with what is secret hidden."""
    channels = [{"type": "webhook", "name": "hook", "url": "http://hook/very-secret-path"}]
    await world.start(world.settings(channels=channels))

    page = await looking.get("/configuration")

    assert page.status == 200
    assert "failure_threshold: 2" in page.text
    assert "very-secret-path" not in page.text


async def test_the_rules_are_there_with_what_came_of_them(world, looking):
    """Each group says how often and when it was evaluated, and each rule what it asks, what fires and what fails."""
    rules = DOWN + (
        "      - alert: Broken\n        expr: probe_phase_seconds * on (check) probe_phase_seconds > 0\n"
        "        for: 5m\n        channels: [hook]\n      - record: up:count\n        expr: count(sidecar_check_up)\n"
    )
    await world.start(world.settings(rules))
    world.status = 503
    await asyncio.sleep(60)

    page, index = await looking.get("/configuration"), await looking.get("/")

    shown = said(page.text, "rules")
    assert "1 group, 3 rules" in shown
    assert "down ✕ 1 firing ! 1 rule cannot be evaluated 3 rules, every 15s, evaluated 12:0" in shown
    assert "TargetDown firing repeated after 4h, told to every channel sidecar_check_up == 0" in shown
    assert "Broken for 5m, repeated after 4h, told to hook" in shown
    assert "✕ " in shown.partition("Broken")[2]
    assert "up:count recording count(sidecar_check_up)" in shown
    assert "1 rule cannot be evaluated: what it judges is not watched. See it" in said(index.text, "headline")


async def test_a_mistake_in_the_files_is_said(world, looking):
    """What is wrong with the files, and that something else runs, stand above all; the status says so, too."""
    app = await world.start()
    app.reloader.status = replace(app.reloader.status, problem="sidecar.yml:3: checks[0].every: got 'x'", hash="a1b2")

    page, index = await looking.get("/configuration"), await looking.get("/")

    assert "The files have a mistake; what ran before goes on" in said(page.text, "configuration")
    assert "sidecar.yml:3: checks[0].every" in said(page.text, "configuration")
    assert "hash a1b2" in said(page.text, "configuration")
    assert "The configuration files have a mistake; what ran before goes on." in said(index.text, "headline")
    assert "✕ the files have a mistake" in said(index.text, "itself")
