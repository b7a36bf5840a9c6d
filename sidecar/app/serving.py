"""What the daemon serves, and what of it is loaded only when somebody asks."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from aiohttp import web

from sidecar.api import health, metrics
from sidecar.app.reloading import Reloader
from sidecar.app.view import Parts, View
from sidecar.services.delivery import Delivery
from sidecar.services.events import Events
from sidecar.services.heartbeats import Heartbeats
from sidecar.services.late import Late, all_of


class Served(Parts, Protocol):
    """The daemon, as far as it is served."""

    reloader: Reloader
    delivery: Delivery
    heartbeats: Heartbeats
    events: Events


def routes(
    daemon: Served, ready: Callable[[], Sequence[str]], alive: Callable[[], Sequence[str]]
) -> list[web.AbstractRouteDef]:
    """Everything that is served.

    Scrapes and probes of Kubernetes come to every daemon, the rest to some: its memory is the gateway's memory.
    """

    def reloading() -> Iterable[web.RouteDef]:
        from sidecar.api import reloading

        return reloading.routes(daemon.reloader.reload)

    def heartbeats() -> Iterable[web.RouteDef]:
        from sidecar.api import heartbeats

        return heartbeats.routes(daemon.heartbeats)

    def events() -> Iterable[web.RouteDef]:
        from sidecar.api import events

        return events.routes(daemon.events)

    def v1() -> Iterable[web.RouteDef]:
        from sidecar.api import v1

        return [*v1.routes(View(daemon), ready, alive), v1.description(lambda: all_of(served))]

    def page() -> Iterable[web.RouteDef]:
        from sidecar import page
        from sidecar.app.overview import Overview

        return page.routes(Overview(daemon))

    def badges() -> Iterable[web.RouteDef]:
        from sidecar.page import badges

        return badges.routes(View(daemon))

    served: list[web.AbstractRouteDef] = [
        *metrics.routes(daemon.live, lambda: daemon.config.settings.external_labels),
        *health.routes(daemon.health, ready, alive, lambda: daemon.reloader.status),
        Late(["/-/reload"], reloading),
        Late(["/api/v1/heartbeats"], heartbeats),
        Late(["/api/v1/events"], events),
        Late(["/api/v1", "/-"], v1),
        Late(["/", "/alerts", "/checks", "/configuration", "/live", "/static"], page),
        Late(["/badges"], badges),
    ]
    return served
