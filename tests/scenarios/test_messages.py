"""What a message tells beside the alert itself."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web

from tests.scenarios.world import World

PACK: Final = [{"pack": "availability"}]
MESSAGE: Final = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "max_tokens",
    "usage": {"input_tokens": 8, "output_tokens": 1},
}
OVERLOADED: Final = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

HELD: Final = """
groups:
  - name: held
    rules:
      - {alert: AtOnce, expr: sidecar_check_up == 0}
      - {alert: Held, expr: sidecar_check_up == 0, for: 30s}
"""


class Claude:
    """Speaks the API under one name; `status` is what it answers with."""

    def __init__(self, world: World, name: str) -> None:
        self.status = 200
        self.page = ""  # in place of the API's JSON
        application = web.Application()
        application.router.add_post("/v1/messages", self._answer)
        world.wire.serve(name, application)

    async def _answer(self, request: web.Request) -> web.Response:
        if self.page:
            return web.Response(status=self.status, text=self.page)
        body = MESSAGE if self.status == 200 else OVERLOADED
        return web.json_response(body, status=self.status)


def settings(world: World) -> dict[str, Any]:
    """Two checks of one model: through the gateway, and of the API itself."""
    common = {
        "type": "claude.messages",
        "every": "15s",
        "timeout": "5s",
        "critical": True,
        "api_key": "sk-ant-none-012345",
    }
    checks = [
        common | {"name": "through", "base_url": "http://llm-gateway"},
        common | {"name": "direct", "base_url": "http://api.anthropic.com"},
    ]
    return world.settings(checks=checks, external_url="https://sidecar.example.com/") | {"rules": PACK}


def alerts(world: World) -> list[dict[str, Any]]:
    return [alert for heard in world.heard for alert in heard.body["alerts"]]


async def test_a_message_tells_how_it_came_and_what_to_do(world: World):
    """The opening shows when it went down, the resolve how it was, and both where to look."""
    gateway, _ = Claude(world, "llm-gateway"), Claude(world, "api.anthropic.com")
    await world.start(settings(world))
    await asyncio.sleep(1300.3)

    gateway.status, gateway.page = 502, "<html>Bad gateway</html>"
    await asyncio.sleep(300)
    gateway.status, gateway.page = 200, ""
    await asyncio.sleep(60)

    opening, resolve = alerts(world)
    assert opening["labels"]["alertname"] == "ClaudeDown"
    strip, _, legend = opening["trend"]["text"].partition(" ")
    assert strip == "■" * (len(strip) - 1) + "□"
    assert len(strip) == 18, "one for each 75 s since the start, and not for the time before"
    assert legend == "(■ up, □ down)"
    assert opening["trend"]["values"][-1][1] == 0.0
    assert resolve["trend"]["text"].startswith("■" * 18 + "□" * 3 + "■ ")
    page = f"https://sidecar.example.com/alerts/{opening['fingerprint']}"
    assert (opening["generatorURL"], resolve["generatorURL"]) == (page, page)
    assert opening["ackCommand"] == f"sidecar ack {opening['fingerprint']}"
    assert opening["silenceCommand"].startswith("sidecar silence add alertname=ClaudeDown check=through ")
    assert (resolve["ackCommand"], resolve["silenceMatchers"]) == ("", [])


async def test_whose_fault_it_is(world: World):
    """A page of the gateway's own is the gateway's fault; what the API itself says is its own, for both checks."""
    gateway, api = Claude(world, "llm-gateway"), Claude(world, "api.anthropic.com")
    await world.start(settings(world))
    await asyncio.sleep(100.3)

    gateway.status, gateway.page = 502, "<html>Bad gateway</html>"
    await asyncio.sleep(120)
    gateway.status, gateway.page = 200, ""
    await asyncio.sleep(600)
    gateway.status = api.status = 529
    await asyncio.sleep(120)

    blamed = [
        (alert["labels"]["check"], alert["blame"]["who"], alert["blame"]["fault"])
        for alert in alerts(world)
        if alert["status"] == "firing" and alert["blame"]
    ]
    assert blamed[0] == ("through", "the gateway, or the way to it", "gateway")
    assert ("direct", "Anthropic", "provider") in blamed[1:]
    assert all(who == "Anthropic" for _, who, _ in blamed[1:])


async def test_a_gateway_that_is_gone_while_the_api_is_there(world: World):
    """The check that asks the API itself is the witness, with the time at which it reached it."""
    Claude(world, "llm-gateway"), Claude(world, "api.anthropic.com")
    (world.folder / "held.yml").write_text(HELD)
    await world.start(settings(world) | {"rules": [{"file": "held.yml"}]})
    await asyncio.sleep(100.3)

    world.wire.refuse("llm-gateway")
    await asyncio.sleep(120)

    opening = {alert["labels"]["alertname"]: alert for alert in alerts(world)}
    assert opening["AtOnce"]["blame"] is None, "nobody has asked the API itself since"
    assert opening["Held"]["blame"]["fault"] == "gateway"
    assert opening["Held"]["blame"]["ground"].startswith("connect; direct reached the API itself at ")
    assert "sk-ant" not in json.dumps(alerts(world))
