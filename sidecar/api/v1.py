"""The whole of version 1, and its description."""

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import Any, Protocol

from aiohttp import web

from sidecar.alerts.timeline import Entry
from sidecar.api import alerts, checks, notifications, query, quieting, rules, series, status, summary, timeline
from sidecar.api.endpoint import Operation, described, written
from sidecar.api.exposition import Live
from sidecar.api.health import Health
from sidecar.db import Database, history, names, outbox
from sidecar.model.alerts import Alert
from sidecar.promql import Querier

PATH = "/api/v1/openapi.json"


class Daemon(rules.Ruling, checks.Watching, Protocol):
    """The daemon as the API sees it. What a reload changes is asked anew for each request."""

    @property
    def querier(self) -> Querier: ...
    @property
    def database(self) -> Database: ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def live(self) -> Live:
        """The current values, as `/metrics` shows them."""
        ...

    def health(self) -> Health: ...

    @property
    def quieter(self) -> quieting.Quieter: ...


def routes(
    daemon: Daemon, ready: Callable[[], Sequence[str]], alive: Callable[[], Sequence[str]]
) -> list[web.RouteDef]:
    """Everything that is asked about *daemon*."""

    async def contents(channel: str | None, limit: int) -> notifications.Contents:
        rows = await daemon.database.run(outbox.waiting, channel)
        letters = await daemon.database.run(outbox.dead, limit if channel is None else history.DEAD_LETTERS)
        of_channel = [one for one in letters if channel in (None, one.notification.channel)]
        return rows[:limit], of_channel[:limit]

    def active() -> Sequence[Alert]:
        return daemon.book.alerts()

    return [
        *checks.routes(daemon, daemon.now),
        *alerts.routes(daemon, daemon.now),
        *quieting.routes(daemon.quieter, daemon.now),
        *timeline.routes(daemon, _History(daemon), daemon.now),
        *rules.routes(daemon, daemon.now),
        *query.routes(lambda: daemon.querier, daemon.now),
        *series.routes(lambda: daemon.querier, daemon.live),
        *summary.routes(lambda: daemon.querier, daemon.health, active, daemon.now),
        *notifications.routes(contents),
        *status.routes(ready, alive),
    ]


class _History:
    """What the daemon's database tells of alerts."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def entries(self, fingerprint: str, limit: int, /) -> Sequence[Entry]:
        """The last lines about an alert."""
        return await self._daemon.database.run(history.of_alert, fingerprint, limit)

    async def named(self, fingerprint: str, /) -> names.Named | None:
        """Who that alert was."""
        return await self._daemon.database.run(names.of, fingerprint)

    async def known(self, name: str | None, limit: int, /) -> Sequence[names.Named]:
        """The last alerts of that name, or of any."""
        return await self._daemon.database.run(names.known, name, limit)


def description(routes: Callable[[], Iterable[web.RouteDef]]) -> web.RouteDef:
    """The route that describes everything that is served, which *routes* knows."""
    text: list[bytes] = []

    async def openapi(_: web.Request) -> web.Response:
        if not text:
            from sidecar.api.openapi import document

            text.append(written(document(list(routes()), version("claude-sidecar")), dict[str, Any]))
        return web.Response(body=text[0], content_type="application/json")

    return described(
        web.get(PATH, openapi), Operation("This description, OpenAPI 3.1.", dict[str, Any], enveloped=False)
    )
