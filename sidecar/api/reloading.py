"""`POST /-/reload`, as Prometheus has it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web


class Status(Protocol):
    """How an attempt to take up the files went."""

    @property
    def problem(self) -> str: ...
    @property
    def needs_restart(self) -> Sequence[str]: ...


def routes(reload: Callable[[], Awaitable[Status]]) -> list[web.RouteDef]:
    """Take up the files as they are now: 200 when they are in use, 400 with every mistake when they cannot be."""

    async def handler(_: web.Request) -> web.Response:
        status = await reload()
        answer = {"ok": not status.problem, "problem": status.problem, "needs_restart": list(status.needs_restart)}
        return web.json_response(answer, status=400 if status.problem else 200)

    return [web.post("/-/reload", handler), web.put("/-/reload", handler)]
