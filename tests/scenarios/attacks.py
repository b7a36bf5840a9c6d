"""A world with more ways to break it."""

import asyncio
import copy
from typing import Any

from aiohttp import web

from sidecar.testing import VirtualTimeLoop
from tests.scenarios.world import World

PACKS = [{"pack": name} for name in ("availability", "errors", "latency", "sidecar")]


class HardWorld(World):
    """Each path of the gateway may have a status of its own; 0 is one that never answers."""

    paths: dict[str, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.paths = {}

    async def _answer(self, request: web.Request) -> web.Response:
        self.probes += 1
        status = self.paths.get(request.path, self.status)
        if status == 0:
            await asyncio.sleep(3600)
        return web.Response(status=status)

    def shipped(self, **changes: Any) -> dict[str, Any]:
        """A configuration with the shipped packs."""
        return self.settings(**changes) | {"rules": copy.deepcopy(PACKS)}

    def names(self) -> list[tuple[str, str]]:
        """What was heard, in order, and about which alerts."""
        return [(heard.kind, alert) for heard in self.heard for alert in heard.alerts]


def check(name: str = "gateway", **changes: Any) -> dict[str, Any]:
    """The settings of an HTTP check on the gateway's path of that name."""
    return {"type": "http", "name": name, "url": f"http://gateway/{name}", "critical": True} | changes


def step_wall(seconds: float) -> None:
    """The wall clock jumps."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.step_wall(seconds)
