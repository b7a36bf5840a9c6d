"""Errors in one shape, whoever finds them."""

import asyncio
import contextlib
import io
import json

import aiohttp
import pytest
from aiohttp import web

from sidecar.api import problems
from sidecar.api.endpoint import Answer, AskedAsPrometheus, Nothing, both, get
from sidecar.api.moments import Moment, Span, iso, read_duration, read_moment
from sidecar.api.problems import ApiError, Word
from sidecar.secrets import remember
from sidecar.services.web import Web

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Odd(AskedAsPrometheus):
    at: Moment = 0.0
    span: Span = 1.0
    many: tuple[str, ...] = ()
    number: int = 0


async def echo(asked: Odd) -> dict[str, object]:
    return {"at": asked.at, "span": asked.span, "many": list(asked.many), "number": asked.number}


async def secret(_: Nothing) -> Answer[list[object]]:
    return Answer(["a planted-secret here", float("nan"), 1.5], warnings=("beware",))


async def full(_: Nothing) -> str:
    raise ApiError(Word.TOO_MANY, "too soon, with a planted-secret", retry_after=2.4)


async def text(_: web.Request) -> web.Response:
    raise web.HTTPNotFound(text="plain")


@pytest.fixture
async def ask(tmp_path):
    """Ask a server behind a Unix socket that wants a token."""
    remember("planted-secret")
    routes = [
        *both("/api/echo", echo, "Echo."),
        get("/api/secret", secret, "Secret."),
        get("/api/full", full, "Full."),
        web.get("/elsewhere", text),
    ]
    path = str(tmp_path / "socket")
    served = Web(routes, listen=path, token=lambda: "the-token", around=[problems.in_json()])
    task = asyncio.create_task(served.run())
    await served.bound.wait()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:

        async def call(method, path, token="the-token", **more):
            headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
            async with session.request(method, f"http://localhost{path}", headers=headers, **more) as answer:
                return answer, await answer.text()

        yield call
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.realtime
async def test_a_wrong_token_is_told_in_json(ask):
    """Who may not ask hears so in the shape of all errors, below /api; elsewhere in text, as before."""
    answer, body = await ask("GET", "/api/echo", token="wrong")
    _, plain = await ask("GET", "/elsewhere")

    problem = json.loads(body)
    assert (answer.status, problem["status"], problem["errorType"]) == (401, "error", "unauthorized")
    assert "http.token" in problem["error"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert plain == "plain"


@pytest.mark.realtime
async def test_methods_and_sizes_are_told_in_json(ask):
    """A wrong method names the right ones; a body beyond the limit is too large."""
    method, said = await ask("PUT", "/api/echo")
    large, too = await ask("POST", "/api/echo", data=io.BytesIO(b"x" * (2 << 20)), headers=FORM)

    assert (method.status, json.loads(said)["errorType"]) == (405, "method_not_allowed")
    assert json.loads(said)["error"] == "got PUT of /api/echo, expected GET or HEAD or POST"
    assert set(method.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}
    assert (large.status, json.loads(too)["errorType"]) == (413, "too_large")


@pytest.mark.realtime
async def test_parameters_are_read_from_address_and_form(ask):
    """The form wins over the address; what may come more than once is gathered; others are ignored here."""
    _, body = await ask("POST", "/api/echo?number=1&many=a&strange=1", data={"number": "2", "many": "b", "at": "5"})

    assert json.loads(body)["data"] == {"at": 5.0, "span": 1.0, "many": ["b", "a"], "number": 2}


@pytest.mark.realtime
async def test_all_mistakes_at_once(ask):
    """Every wrong parameter is named with what was found."""
    _, body = await ask("GET", "/api/echo?number=many&at=soon&span=long")

    said = json.loads(body)["error"]
    assert "invalid parameter \"number\": got 'many'" in said
    assert "invalid parameter \"at\": got 'soon'" in said
    assert "invalid parameter \"span\": got 'long'" in said


@pytest.mark.realtime
async def test_nothing_secret_and_nothing_that_is_no_json(ask):
    """Secrets are taken out of answers and errors, and what is no number is null."""
    _, body = await ask("GET", "/api/secret")
    answer, refused = await ask("GET", "/api/full")

    found = json.loads(body)
    assert found["data"] == ["a *** here", None, 1.5]
    assert found["warnings"] == ["beware"]
    assert json.loads(refused)["error"] == "too soon, with a ***"
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1767614400.5", 1767614400.5),
        ("2026-01-05T12:00:00Z", 1767614400.0),
        ("2026-01-05T13:00:00.123456789+01:00", 1767614400.123456),
    ],
)
def test_times_are_read_as_prometheus_reads_them(text, seconds):
    """Seconds since the epoch, or RFC 3339 with a zone."""
    assert read_moment(text) == seconds


@pytest.mark.parametrize("text", ["soon", "2026-01-05", "2026-01-05T12:00:00", "inf", "nan", "1e300", ""])
def test_what_is_no_time(text):
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match="expected"):
        read_moment(text)


@pytest.mark.parametrize(("text", "seconds"), [("15", 15.0), ("0.5", 0.5), ("1h30m", 5400.0)])
def test_durations_are_seconds_or_text(text, seconds):
    """A duration is a number of seconds, or written with units."""
    assert read_duration(text) == seconds


def test_times_are_written_to_the_millisecond():
    """RFC 3339 in UTC; never is null."""
    assert iso(1767614400.1234) == "2026-01-05T12:00:00.123Z"
    assert iso(None) is None
