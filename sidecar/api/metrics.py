"""GET /metrics."""

from collections.abc import Callable, Mapping

from aiohttp import web

from sidecar.api.endpoint import Operation, described
from sidecar.api.exposition import Exposition, Live, negotiate


def routes(live: Callable[[], Live], external: Callable[[], Mapping[str, str]] = dict) -> list[web.RouteDef]:
    """Current values, in the format that the scraper asks for; *external* labels are added to each series."""
    labels = dict(external())
    exposition = Exposition(labels)

    async def metrics(request: web.Request) -> web.Response:
        nonlocal exposition, labels
        if labels != external():  # a reload changed them, and with them the start of every line
            labels = dict(external())
            exposition = Exposition(labels)
        form = negotiate(request.headers.get("Accept", ""))
        body = await exposition.text(live(), form)
        return web.Response(body=body, headers={"Content-Type": form.content_type})

    operation = Operation("Current values as text, for Prometheus.", str, enveloped=False, content_type="text/plain")
    return [described(web.get("/metrics", metrics), operation)]
