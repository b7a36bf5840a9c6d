"""Secrets in every place that takes one, and peers that repeat them in every encoding."""

import asyncio
import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import structlog
from aiohttp import web

from sidecar.secrets import redact
from sidecar.telemetry import logs
from tests.canaries import CANARIES, Echo, found
from tests.scenarios.world import World
from tests.telemetry.otlp.collector import Collector

HTTP = {"X-Api-Key": CANARIES["short header"], "Authorization": f"Bearer {CANARIES['bearer']}"}


EVERY = "{__name__=~'.+'}"


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that is logged, at debug, as JSON."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = StringIO()
    logs.configure(level="debug", form="json", stream=out, redact=redact, environment={})
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("apscheduler", "asyncio", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def planted(world: World, folder: Path, **more: Any) -> dict[str, Any]:
    """Every place of a configuration that speaks HTTP holds a secret, and a peer that repeats it."""
    (folder / "key").write_text(CANARIES["key in a file"] + "\n")
    echo, file = "http://echo", {"file": str(folder / "key")}
    query = quote(CANARIES["query of a check"], safe="")
    body = json.dumps({"password": CANARIES["body of a check"]})
    claude: list[dict[str, Any]] = [
        {"type": "claude.models", "name": "models", "base_url": f"{echo}/models", "api_key": {"env": "CANARY_KEY"}},
        {"type": "claude.stream", "name": "stream", "base_url": f"{echo}/stream", "api_key": file},
        {"type": "claude.messages", "name": "paid", "base_url": echo, "api_key": file, "auth": "bearer"},
    ]
    http: list[dict[str, Any]] = [
        {
            "type": "http",
            "name": kind,
            "url": f"{echo}/{kind}?key={query}",
            "method": "POST",
            "headers": HTTP,
            "body": body,
            "body_contains": "what is not there",
        }
        for kind in ("plain", "redirect", "reason", "ok")
    ]
    scrape: dict[str, Any] = {"type": "scrape", "name": "scrape", "url": f"{echo}/ok", "headers": HTTP}
    channels = [
        {
            "type": "webhook",
            "name": "echo",
            "url": f"{echo}/hook/{CANARIES['hook path']}?k={CANARIES['hook query']}",
            "headers": {"X-Team-Token": CANARIES["hook header"]},
            "signing_secret": CANARIES["signing"],
            "max_per_minute": 0,
        },
        {"type": "slack", "name": "slack", "webhook_url": f"{echo}/services/{CANARIES['slack']}", "max_per_minute": 0},
        {"type": "webhook", "name": "hook", "url": "http://hook/", "max_per_minute": 0},
        {"type": "log", "name": "log"},
    ]
    return world.settings(
        checks=[check | {"every": "1s", "confirm": "1s", "timeout": "900ms"} for check in (*claude, *http, scrape)],
        channels=channels,
        otlp={"endpoint": "http://collector:4318", "headers": {"x-token": CANARIES["otlp"]}, "traces": {"sample": 1.0}},
        **more,
    )


async def api(world: World) -> dict[str, str]:
    """Every answer of the API to GET, by path."""
    assert world.app is not None
    app = web.Application()
    routes = world.app.routes(lambda: True)
    app.router.add_routes(routes)
    world.wire.serve("sidecar", app)
    paths = [route.path for route in routes if route.method == "GET"]
    paths += [f"/api/v1/checks/{check.name}" for check in world.app.config.checks]
    answers = {}
    async with aiohttp.ClientSession("http://sidecar", connector=world.wire.connector()) as session:
        for path in paths:
            asked = {"query": EVERY, "match[]": EVERY} if path.endswith(("query", "series")) else {}
            async with session.get(path, params=asked) as answer:
                answers[path] = await answer.text()
    return answers


async def test_what_a_peer_repeats_is_shown_nowhere(world: World, logged, tmp_path, monkeypatch):
    """Peers that repeat keys, headers, queries and bodies in every encoding make no surface show them."""
    monkeypatch.setenv("CANARY_KEY", CANARIES["api key"])
    echo, collector = Echo(), Collector()
    world.wire.serve("echo", echo.app())
    world.wire.serve("collector", collector.app())
    app = await world.start(planted(world, tmp_path))
    shown: dict[str, str] = {}
    for turn in range(100):
        await asyncio.sleep(1)
        for path, text in (await api(world)).items() if turn % 33 == 32 else ():
            shown[f"{path} {turn}"] = text
        for name, state in app.prober.states().items():
            shown[f"{name} {turn}"] = json.dumps([repr(state)], ensure_ascii=False)
    shown["repr of the configuration"] = repr(app.config)
    shown["messages"] = json.dumps([heard.body for heard in world.heard], ensure_ascii=False)
    shown["messages of others"] = repr([body for path, body in echo.bodies if path.startswith(("hook", "services"))])
    shown["spans"] = repr(collector.traces) + repr(collector.metrics)
    shown["log"] = logged.getvalue()
    await world.stop()
    shown["database"] = world.database.read_text("utf-8", "replace")
    assert echo.asked > 500

    leaks = {place: leak for place, text in shown.items() if (leak := found(text))}

    assert not leaks
