"""`POST /-/reload`, as Prometheus has it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web
from pydantic import Field

from sidecar.api.endpoint import Operation, Part, described


class Status(Protocol):
    """How an attempt to take up the files went."""

    @property
    def problem(self) -> str: ...
    @property
    def needs_restart(self) -> Sequence[str]: ...


class Reloaded(Part):
    """What became of a reload."""

    ok: bool = Field(description="Whether the files are in use now.")
    problem: str = Field(description="Every mistake in the files.")
    needs_restart: list[str] = Field(description="Settings that are other in the files, and wait for a restart.")


def routes(reload: Callable[[], Awaitable[Status]]) -> list[web.RouteDef]:
    """Take up the files as they are now: 200 when they are in use, 400 with every mistake when they cannot be."""

    async def handler(_: web.Request) -> web.Response:
        status = await reload()
        answer = Reloaded(ok=not status.problem, problem=status.problem, needs_restart=list(status.needs_restart))
        return web.json_response(answer.model_dump(mode="json"), status=400 if status.problem else 200)

    operation = Operation(
        "Take up the configuration files as they are now.",
        Reloaded,
        enveloped=False,
        also={400: "They cannot be used."},
    )
    return [described(route, operation) for route in (web.post("/-/reload", handler), web.put("/-/reload", handler))]
