"""Routes that are loaded by the first request for them."""

import asyncio
import threading

import aiohttp
import pytest
from aiohttp import web

from sidecar.services.late import Late, all_of


async def early(_: web.Request) -> web.Response:
    return web.Response(text="early")


async def named(request: web.Request) -> web.Response:
    return web.Response(text=f"late {request.match_info.get('name', '')}")


class Loader:
    """Counts how often it is asked, and where."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.threads: list[threading.Thread] = []

    def __call__(self) -> list[web.RouteDef]:
        self.threads.append(threading.current_thread())
        if self.failures:
            raise self.failures.pop()
        return [web.get("/things", named), web.get("/things/{name}", named), web.get("/", named)]


@pytest.fixture
async def asking(wire):
    """A server with early and late routes, and who asks it."""

    def start(loader: Loader):
        app = web.Application()
        app.add_routes([web.get("/things/early", early), Late(["/things", "/"], loader)])
        wire.serve("late", app)
        return aiohttp.ClientSession("http://late", connector=wire.connector())

    return start


async def told(session, path: str, method: str = "GET") -> tuple[int, str]:
    async with session.request(method, path) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("path", "answer", "loads"),
    [
        pytest.param("/things/early", (200, "early"), 0, id="what is not late needs nothing loaded"),
        pytest.param("/things", (200, "late "), 1, id="the place itself"),
        pytest.param("/things/a%20b", (200, "late a b"), 1, id="below it, with what stands in the path"),
        pytest.param("/things/a/b", (404, "404: Not Found"), 1, id="below it, but nothing"),
        pytest.param("/", (200, "late "), 1, id="the root"),
        pytest.param("/other", (404, "404: Not Found"), 0, id="the root is not everything"),
    ],
)
async def test_a_request_loads_what_it_needs(asking, path, answer, loads):
    """Only what is asked for below the places is loaded."""
    loader = Loader()
    async with asking(loader) as session:
        assert await told(session, path) == answer
    assert len(loader.threads) == loads


async def test_routes_are_loaded_once_and_away_from_the_loop(asking):
    """Many first requests wait for one load, in a thread of its own."""
    loader = Loader()
    async with asking(loader) as session:
        answers = await asyncio.gather(*(told(session, f"/things/{i}") for i in range(5)))
    assert answers == [(200, f"late {i}") for i in range(5)]
    assert len(loader.threads) == 1
    assert loader.threads[0] is not threading.current_thread()


async def test_another_method_is_refused_with_those_that_there_are(asking):
    """A late route says its methods as any other."""
    async with asking(Loader()) as session, session.delete("/things/x") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")


async def test_what_could_not_be_loaded_is_loaded_again(asking):
    """One bad moment, such as no file descriptors, is not forever."""
    async with asking(Loader(OSError("too many open files"))) as session:
        assert (await told(session, "/things"))[0] == 500
        assert await told(session, "/things") == (200, "late ")


def test_everything_can_be_listed():
    """The description of the API knows the late routes, too."""
    routes = [web.get("/things/early", early), Late(["/things"], Loader())]
    assert [route.path for route in all_of(routes)] == ["/things/early", "/things", "/things/{name}", "/"]
