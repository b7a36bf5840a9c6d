"""Where the demo's messages arrive: a Slack, a mailbox and a program."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from sidecar.cli.demo import reading
from sidecar.cli.demo.mailserver import Mail, serve_mail
from sidecar.cli.demo.reading import Seen
from sidecar.simulator import serve


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to send what."""

    slack: str
    webhook: str
    mail_port: int


@asynccontextmanager
async def receivers(hear: Callable[[Seen], None]) -> AsyncIterator[Addresses]:
    """Take messages in all three forms, on free ports, and hand them to *hear*."""

    async def take_slack(request: web.Request) -> web.Response:
        hear(reading.slack(await _json(request)))
        return web.Response(text="ok")

    async def take_webhook(request: web.Request) -> web.Response:
        hear(reading.webhook(await _json(request)))
        return web.Response(status=204)

    def take_mail(mail: Mail) -> None:
        hear(reading.mail(mail))

    app = web.Application()
    app.router.add_post("/services/T000/B000/demo", take_slack)
    app.router.add_post("/alerts", take_webhook)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(app))
        port = await stack.enter_async_context(serve_mail(take_mail))
        yield Addresses(f"{url}/services/T000/B000/demo", f"{url}/alerts", port)


async def _json(request: web.Request) -> dict[str, object]:
    try:
        body = json.loads(await request.read())
    except ValueError as exc:
        raise web.HTTPBadRequest(text="expected JSON") from exc
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="expected a JSON object")
    return body
