"""Who answers here, as Prometheus' clients ask."""

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final

from aiohttp import web
from pydantic import Field

from sidecar.api.endpoint import Nothing, Operation, Part, described, get

_TEXT: Final = "text/plain"


class BuildInfo(Part):
    """Prometheus' fields, and what we are."""

    version: str = Field(description="The release that runs.")
    revision: str = Field("", description="Prometheus' field; empty.")
    branch: str = Field("", description="Prometheus' field; empty.")
    build_user: str = Field("", alias="buildUser", description="Prometheus' field; empty.")
    build_date: str = Field("", alias="buildDate", description="Prometheus' field; empty.")
    go_version: str = Field("", alias="goVersion", description="Prometheus' field; empty.")
    application: str = Field("claude-sidecar", description="Who answers here.")
    python: str = Field(description="Python's version.")


def routes(ready: Callable[[], Sequence[str]], alive: Callable[[], Sequence[str]]) -> list[web.RouteDef]:
    """*ready* and *alive* say what is missing, in words, and nothing when all is well."""

    async def build_info(_: Nothing) -> BuildInfo:
        return BuildInfo(version=version("claude-sidecar"), python=platform.python_version())

    async def healthy(_: web.Request) -> web.Response:
        return _plain("healthy", alive())

    async def is_ready(_: web.Request) -> web.Response:
        return _plain("ready", ready())

    states = {503: "What is missing."}
    return [
        get("/api/v1/status/buildinfo", build_info, "Which version runs."),
        described(
            web.get("/-/healthy", healthy),
            Operation("Whether every service still turns.", str, enveloped=False, content_type=_TEXT, also=states),
        ),
        described(
            web.get("/-/ready", is_ready),
            Operation("Whether the daemon does its work.", str, enveloped=False, content_type=_TEXT, also=states),
        ),
    ]


def _plain(word: str, problems: Sequence[str]) -> web.Response:
    if problems:
        return web.Response(text=f"Not {word}: {'; '.join(problems)}.\n", status=503)
    return web.Response(text=f"The sidecar is {word}.\n")
