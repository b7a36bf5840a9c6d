"""A whole daemon in virtual time, and somebody with a browser that shows nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from sidecar.api import problems, refusals
from sidecar.page import frame
from sidecar.services.web import Web
from tests.scenarios.world import World

AROUND = [refusals.in_html(frame.refusal), problems.in_json()]
"""What the daemon has around its routes."""


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: Any
    text: str


@dataclass
class Looking:
    """Whoever looks at the pages of the daemon of *world*, over its wire."""

    world: World
    session: aiohttp.ClientSession
    served: set[int] = field(default_factory=set)

    async def get(self, path: str, **headers: str) -> Reply:
        """The answer to a browser, or to whom *headers* say."""
        async with self.open(path, **headers) as answer:
            return Reply(answer.status, answer.headers, await answer.text())

    def open(self, path: str, **headers: str) -> Any:
        """The same as an answer that is still under way."""
        self._serve()
        return self.session.get(f"http://sidecar{path}", headers={"Accept": "text/html"} | headers)

    def _serve(self) -> None:
        daemon = self.world.app
        assert daemon is not None, "start the world first"
        if id(daemon) not in self.served:
            served = Web(daemon.routes(lambda: True), listen="127.0.0.1:0", hosts=["sidecar"], around=AROUND)
            self.world.wire.serve("sidecar", served._application())
            self.served.add(id(daemon))


@pytest.fixture
async def world(wire, tmp_path) -> AsyncIterator[World]:
    """Something to watch, people to tell; ended with the test."""
    world = World(tmp_path, wire)
    yield world
    await world.stop()


@pytest.fixture
async def looking(world) -> AsyncIterator[Looking]:
    """Whoever looks at the world's daemon."""
    async with aiohttp.ClientSession(connector=world.wire.connector(), raise_for_status=False) as session:
        yield Looking(world, session)
