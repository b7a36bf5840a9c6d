"""A key is rotated under a running daemon."""

import asyncio
from pathlib import Path
from typing import Literal

from aiohttp import web

from tests.scenarios.world import World

IMPATIENT = """
groups:
  - name: at once
    interval: 1s
    rules:
      - alert: ProbeFailed
        expr: probe_success == 0
        severity: critical
"""


class Keys:
    """Has *host* of a world let in one key only; the next replaces it without a word."""

    def __init__(self, world: World, folder: Path, host: Literal["gateway", "hook"]) -> None:
        self.valid = "key-number-0"
        self.refused = 0
        self._follows = False  # whether the file gets the valid key at the next refusal
        self._file = folder / "key"
        self._file.write_text(self.valid)
        self._handle = world._answer if host == "gateway" else world._take
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._guard)
        world.wire.serve(host, app)

    @property
    def header(self) -> dict[str, dict[str, str]]:
        return {"X-Api-Key": {"file": str(self._file)}}

    async def _guard(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Api-Key") == self.valid:
            return await self._handle(request)
        self.refused += 1
        if self._follows:
            # As when a request crosses a rotation: it left with a key that was good, and now there is another.
            self._file.write_text(self.valid)
        return web.Response(status=401)

    def rotate(self, key: str, *, follows: bool = True) -> None:
        """*key* is the valid one; the file has it by the time the old one is refused, if it *follows*."""
        self.valid, self._follows = key, follows


async def test_a_key_that_is_rotated_alerts_nobody(world: World, tmp_path):
    """Rotations cost a refused request each and no failed probe; a key that is only revoked alerts, as it must."""
    keys = Keys(world, tmp_path, "gateway")
    check = {"type": "http", "name": "gateway", "url": "http://gateway/", "headers": keys.header, "every": "10s"}
    await world.start(world.settings(IMPATIENT, checks=[check]))
    await asyncio.sleep(30)

    for n in range(1, 6):
        keys.rotate(f"key-number-{n}")
        await asyncio.sleep(60)
    quiet = (world.story(), keys.refused)
    keys.rotate("key-number-6", follows=False)
    await asyncio.sleep(60)

    assert quiet == ([], 5)
    assert world.story() == ["opening"]


async def test_a_message_that_crosses_a_rotation_arrives_at_once(world: World, tmp_path):
    """The receiver's token is another one when the alert is told; the message is not lost, and comes once."""
    keys = Keys(world, tmp_path, "hook")
    hook = {"type": "webhook", "name": "hook", "url": "http://hook/", "headers": keys.header}
    await world.start(world.settings(IMPATIENT, channels=[hook]))
    await asyncio.sleep(30)

    keys.rotate("key-number-1")
    world.status = 500
    await asyncio.sleep(60)

    assert world.story() == ["opening"]
    assert keys.refused == 1
