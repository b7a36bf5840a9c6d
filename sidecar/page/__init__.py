"""What people see in a browser. Until somebody looks, nothing of it is loaded: memory is the gateway's."""

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:  # the types bring in what is loaded when somebody looks
    from sidecar.page.daemon import Daemon


def routes(daemon: "Daemon") -> list[web.RouteDef]:
    """The pages about *daemon*."""
    from sidecar.page.site import Site

    site = Site(daemon)
    return [
        web.get("/", site.view("index")),
        web.get("/alerts/{key}", site.view("alert")),
        web.get("/checks/{key}", site.view("check")),
        web.get("/configuration", site.view("configuration")),
        web.get("/live", site.live),
        web.get("/static/{file}", site.static),
    ]
