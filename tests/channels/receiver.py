"""The other end of an HTTP channel: a real server that takes down what it hears."""

from dataclasses import dataclass, field

from aiohttp import web

from sidecar.outbound import Outbound
from sidecar.testing import Wire
from tests.channels.stories import Ctx

HOST = "hooks.example.com"
PATH = "/services/T000/B000/canary-6f1d0c-canary"
URL = f"https://{HOST}{PATH}"


@dataclass
class Heard:
    headers: dict[str, str]
    body: bytes
    path: str


@dataclass
class Receiver:
    """Answers `status`, `headers` and `text`, and remembers what it was sent."""

    status: int = 200
    text: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    def app(self) -> web.Application:
        async def answer(request: web.Request) -> web.Response:
            self.heard.append(Heard(dict(request.headers), await request.read(), request.path))
            return web.Response(status=self.status, text=self.text, headers=self.headers)

        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{tail:.*}", answer)
        return app


def context(wire: Wire, receiver: Receiver | None = None, **more: object) -> Ctx:
    """A context whose requests meet *receiver* at HOST; nobody, when there is none."""
    if receiver is not None:
        wire.serve(HOST, receiver.app())
    return Ctx(outbound=Outbound(connector=wire.connector), **more)  # type: ignore[arg-type]  # fields by name
