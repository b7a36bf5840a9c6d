"""A whole daemon in virtual time, and somebody who asks it."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sidecar.api import problems
from tests.scenarios.world import World

Parameters = Mapping[str, str] | Sequence[tuple[str, str]] | None


@dataclass
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: Any  # parsed, if it is JSON

    @property
    def data(self) -> Any:
        """What a good answer holds."""
        assert self.status < 300, self.body
        assert self.body["status"] == "success"
        return self.body["data"]

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, word and sentence of a problem."""
        assert self.body["status"] == "error", self.body
        return self.status, self.body["errorType"], self.body["error"]


@dataclass
class Asking:
    """Whoever asks the daemon of *world*, over its wire."""

    world: World
    session: aiohttp.ClientSession
    served: set[int] = field(default_factory=set)

    async def get(self, path: str, parameters: Parameters = None, **more: Any) -> Reply:
        return await self.ask("GET", path, params=parameters, **more)

    async def post(self, path: str, form: Parameters = None, **more: Any) -> Reply:
        return await self.ask("POST", path, data=form, **more)

    async def ask(self, method: str, path: str, **more: Any) -> Reply:
        self._serve()
        async with self.session.request(method, f"http://sidecar{path}", **more) as answer:
            text = await answer.text()
            return Reply(answer.status, answer.headers, json.loads(text) if "json" in answer.content_type else text)

    def _serve(self) -> None:
        daemon = self.world.app
        assert daemon is not None, "start the world first"
        if id(daemon) not in self.served:
            app = web.Application(middlewares=[problems.in_json()])
            app.add_routes(daemon.routes(lambda: True))
            self.world.wire.serve("sidecar", app)
            self.served.add(id(daemon))


@pytest.fixture
async def world(wire, tmp_path) -> AsyncIterator[World]:
    """Something to watch, people to tell; ended with the test."""
    world = World(tmp_path, wire)
    yield world
    await world.stop()


@pytest.fixture
async def api(world) -> AsyncIterator[Asking]:
    """Whoever asks the daemon of the world."""
    async with aiohttp.ClientSession(connector=world.wire.connector(), raise_for_status=False) as session:
        yield Asking(world, session)
