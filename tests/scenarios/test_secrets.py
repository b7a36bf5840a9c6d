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

from sidecar import config as configuration
from sidecar.model.errors import ConfigError
from sidecar.secrets import redact
from sidecar.services.late import all_of
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
    routes = list(all_of(world.app.routes(lambda: True)))
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
    for turn in range(60):
        await asyncio.sleep(1)
        for path, text in (await api(world)).items() if turn % 20 == 19 else ():
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
    assert echo.asked > 300

    leaks = {place: leak for place, text in shown.items() if (leak := found(text))}

    assert not leaks


PLACED = "q7Zk-canary-2m9x"
HOOK = f"https://hooks.example.com/services/T0/B0/{PLACED}"
URL = f"http://user:{PLACED}@host/"


def check(**settings: Any) -> str:
    return json.dumps({"checks": [{"type": "http", "name": "a", "url": "http://host/"} | settings]})


def channel(**settings: Any) -> str:
    return json.dumps({"channels": [{"type": "webhook", "name": "a", "url": "http://host/"} | settings]})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(check(url=URL), id="a password in a URL"),
        pytest.param(check(url=f"http://user:{PLACED}@host:port/"), id="a password in what is no URL"),
        pytest.param(check(headers=f"Authorization: Bearer {PLACED}"), id="headers as a text"),
        pytest.param(check(headers=[f"Authorization: Bearer {PLACED}"]), id="headers as a list"),
        pytest.param(check(headers={"Authorization": {"value": PLACED}}), id="a header of unknown kind"),
        pytest.param(check(body={"password": PLACED}), id="a body that is no text"),
        pytest.param(check(type="tcp", address=f"user:{PLACED}@host:80"), id="a password in an address"),
        pytest.param(check(type="redis", url=f"redis://:{PLACED}@host:6379/0"), id="a password in Redis' address"),
        pytest.param(check(type="postgres", dsn=f"postgres//u:{PLACED}@h/d"), id="a dsn that is none"),
        pytest.param(check(type="command", command=f"curl -H 'X-Api-Key: {PLACED}' x"), id="a command for a shell"),
        pytest.param(check(type="command", command=["x"], env=f"TOKEN={PLACED}"), id="an environment as a text"),
        pytest.param(channel(type="slack", webhook=HOOK), id="a webhook under another name"),
        pytest.param(channel(name=HOOK), id="a webhook as the name"),
        pytest.param(channel(type=HOOK), id="a webhook as the type"),
        pytest.param(json.dumps({"channels": [HOOK]}), id="a webhook as the channel"),
        pytest.param(json.dumps({"channels": HOOK}), id="a webhook as the list"),
        pytest.param(json.dumps({"http": {"token": [PLACED]}}), id="a token in a list"),
        pytest.param(json.dumps({"otlp": {"endpoint": URL}}), id="a password in the collector's address"),
        pytest.param(json.dumps({"network": {"proxy": f"socks5://u:{PLACED}@p:1"}}), id="a proxy we do not speak"),
        pytest.param(json.dumps({"network": URL}), id="a proxy in the place of the group"),
        pytest.param(json.dumps({"network": {"no_proxy": [URL]}}), id="a proxy among the exceptions"),
        pytest.param(json.dumps({"rules": [{"file": HOOK}]}), id="a webhook as a rule file"),
        pytest.param(f"http: {{token: *{PLACED}}}", id="a password that YAML takes for an alias"),
        pytest.param(f"http: {{token: !{PLACED} x}}", id="a password that YAML takes for a tag"),
        pytest.param(f'http:\n  token: "{PLACED}\n', id="a quote that is not closed"),
        pytest.param(f"http:\n  token: Bearer: {PLACED}: x\n", id="colons"),
        pytest.param(f'http:\n  token: "{PLACED}\\q"\n', id="an escape that is none"),
    ],
)
def test_a_mistake_does_not_repeat_what_may_be_secret(text):
    """A secret in the wrong place of a file is a mistake, whose message does not show it."""
    with pytest.raises(ConfigError) as failure:
        configuration.parse(text, "sidecar.yml")

    assert PLACED not in str(failure.value)
    assert str(failure.value).startswith("sidecar.yml:")
