"""GET /metrics."""

from collections.abc import Callable, Mapping

from aiohttp import web

from sidecar.api.exposition import Exposition, Live, negotiate


def routes(live: Callable[[], Live], external: Mapping[str, str] | None = None) -> list[web.RouteDef]:
    """Current values, in the format that the scraper asks for; *external* labels are added to each series."""
    exposition = Exposition(external)

    async def metrics(request: web.Request) -> web.Response:
        form = negotiate(request.headers.get("Accept", ""))
        body = await exposition.text(live(), form)
        return web.Response(body=body, headers={"Content-Type": form.content_type})

    return [web.get("/metrics", metrics)]
