"""Who may look, and what those hear who may not."""

import base64

import aiohttp
import pytest
from aiohttp import web

from sidecar.services.web import Web
from tests.page.conftest import AROUND

TOKEN = "a-token-of-16-ch"
HTML = {"Accept": "text/html,application/xhtml+xml"}


async def page(_: web.Request) -> web.Response:
    return web.Response(text="the page")


@pytest.fixture
async def ask(wire):
    """Asks a server that wants a token."""
    served = Web(
        [web.get("/", page), web.get("/api/v1/x", page)], listen="127.0.0.1:0", token=lambda: TOKEN, around=AROUND
    )
    wire.serve("sidecar", served._application())
    async with aiohttp.ClientSession(connector=wire.connector()) as session:

        async def ask(path: str = "/", method: str = "GET", **headers: str):
            async with session.request(method, f"http://sidecar{path}", headers=headers) as answer:
                return answer.status, answer.headers.getall("WWW-Authenticate", []), await answer.text()

        yield ask


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param(f"Bearer {TOKEN}", 200, id="bearer"),
        pytest.param(basic(f"anybody:{TOKEN}"), 200, id="the token as a password"),
        pytest.param(basic(f":{TOKEN}"), 200, id="no name"),
        pytest.param(basic(f"{TOKEN}:"), 401, id="the token as a name"),
        pytest.param(basic(TOKEN), 401, id="no colon"),
        pytest.param(basic("anybody:wrong"), 401, id="a wrong password"),
        pytest.param(basic("anybody:"), 401, id="an empty password"),
        pytest.param("Basic %%%", 401, id="no base64"),
        pytest.param("Basic ÿ", 401, id="no ASCII"),
        pytest.param("Basic", 401, id="nothing behind the scheme"),
        pytest.param(f"Digest {TOKEN}", 401, id="another scheme"),
        pytest.param("", 401, id="nothing"),
    ],
)
async def test_who_may_look(ask, authorization, status):
    """The token opens as a bearer's and as a password, and nothing else does."""
    assert (await ask(Authorization=authorization))[0] == status


async def test_a_browser_is_asked_for_a_password_and_a_program_is_not(ask):
    """Who wants a page is offered both schemes and told what to type; a program is offered what it can do."""
    status, offered, text = await ask(**HTML)
    assert status == 401
    assert offered == ['Basic realm="sidecar", charset="UTF-8"', 'Bearer realm="sidecar"']
    assert "<h1>401 Unauthorized</h1>" in text
    assert "http.token as the password" in text

    status, offered, text = await ask()
    assert (status, offered) == (401, ['Bearer realm="sidecar"'])
    assert "Authorization: Bearer" in text


async def test_a_password_that_a_browser_keeps_is_no_use_to_other_pages(ask):
    """What a browser sends along for a page of another origin changes nothing, whatever it knows."""
    status, _, _ = await ask(method="POST", Authorization=basic(f"a:{TOKEN}"), Origin="https://evil.example")

    assert status == 403


@pytest.mark.parametrize(
    ("path", "headers", "kind"),
    [
        pytest.param("/nothing", HTML, "<h1>404 Not Found</h1>", id="a person sees a page"),
        pytest.param("/a/b/c", HTML, 'href="../../"', id="with a way home from any depth"),
        pytest.param("/nothing", {}, "404: Not Found", id="a program reads text"),
        pytest.param("/api/v1/nothing", HTML, '"errorType":"not_found"', id="the API answers everybody in JSON"),
        pytest.param("/<script>alert(1)</script>", HTML, "<h1>404 Not Found</h1>", id="a hostile path is not repeated"),
    ],
)
async def test_nothing_is_there(ask, path, headers, kind):
    """A missing page is said to each in their own way."""
    status, _, text = await ask(path, Authorization=f"Bearer {TOKEN}", **headers)

    assert status == 404
    assert kind in text
    assert "<script>" not in text
