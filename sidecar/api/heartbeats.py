"""Where jobs call in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final, Protocol, TypeVar

from aiohttp import web
from pydantic import Field, ValidationError

from sidecar.api.endpoint import Asked, Body, Nothing, Operation, Part, described, get, written
from sidecar.api.problems import ApiError, Word, bad_parameters
from sidecar.model.heartbeats import Call, Expected, Heard, TooManyCalls, UnknownHeartbeat

PATH: Final = "/api/v1/heartbeats"
LONGEST: Final = 2048
"""Bytes of a call's body that are read as its message; the rest is ignored."""

T = TypeVar("T", bound="OfName")

ExitCode = Annotated[int, Field(ge=0, le=255)]


class Heartbeats(Protocol):
    """Who takes the calls."""

    @property
    def names(self) -> Sequence[str]: ...

    def heard(self, name: str, /) -> Heard: ...
    def expected(self, name: str, /) -> Expected:
        """Raises UnknownHeartbeat."""
        ...

    def call(self, name: str, call: Call, message: str = "", exit_code: int | None = None, /) -> Heard:
        """Raises UnknownHeartbeat or TooManyCalls."""
        ...


class Heartbeat(Part):
    """What is known of one job; times in seconds since the epoch."""

    name: str = Field(description="The check's name.")
    running_since: float | None = Field(description="When the run began that has not ended yet.")
    last_success: float | None = Field(description="When it last called in with a success.")
    failed_at: float | None = Field(description="When it called in with a failure, unless it succeeded since.")
    exit_code: int | None = Field(description="The exit code of that failure, if it had one.")
    message: str = Field(description="What the last end said.")
    last_duration: float | None = Field(description="How long the last run took, in seconds.")
    waiting_since: float = Field(description="From when calls are waited for.")
    due: float = Field(description="When the next success should come.")
    late: float = Field(description="When the job is late without one.")


class OfName(Asked):
    """Which job."""

    name: str = Field(description="The check's name.")


class AnEnd(OfName):
    """How a run ended."""

    exit_code: ExitCode | None = Field(None, description="The job's exit code: 0 is a success, any other a failure.")


class WithCode(OfName):
    """How a run ended, by a number in the address."""

    exit_code: ExitCode = Field(description="The job's exit code: 0 is a success, any other a failure.")


def routes(jobs: Heartbeats) -> list[web.RouteDef]:
    """A job calls with POST; its body is its message. GET shows what was heard."""

    def view(name: str) -> Heartbeat:
        try:
            expected = jobs.expected(name)
        except UnknownHeartbeat as exc:
            raise ApiError(Word.NOT_FOUND, str(exc)) from exc
        return _view(name, jobs.heard(name), expected)

    async def every(_: Nothing) -> list[Heartbeat]:
        return [view(name) for name in jobs.names]

    async def one(asked: OfName) -> Heartbeat:
        return view(asked.name)

    def take(asked: OfName, call: Call, message: str, code: int | None) -> Heartbeat:
        try:
            jobs.call(asked.name, call, message, code)
        except UnknownHeartbeat as exc:
            raise ApiError(Word.NOT_FOUND, str(exc)) from exc
        except TooManyCalls as exc:
            raise ApiError(Word.TOO_MANY, str(exc), retry_after=exc.retry_after) from exc
        return view(asked.name)

    async def started(request: web.Request) -> Heartbeat:
        return take(_asked(request, OfName), Call.START, await _message(request), None)

    async def failed(request: web.Request) -> Heartbeat:
        asked = _asked(request, AnEnd)
        return take(asked, Call.FAIL, await _message(request), asked.exit_code or None)

    async def ended(request: web.Request) -> Heartbeat:
        asked = _asked(request, AnEnd)
        return take(asked, _end(asked.exit_code), await _message(request), asked.exit_code)

    async def exited(request: web.Request) -> Heartbeat:
        asked = _asked(request, WithCode)
        return take(asked, _end(asked.exit_code), await _message(request), asked.exit_code)

    return [
        get(PATH, every, "The jobs that call in, and what was heard of each."),
        get(PATH + "/{name}", one, "What was heard of one job.", statuses={404: "There is no such heartbeat."}),
        _call(PATH + "/{name}", ended, AnEnd, "A job ended: well, unless `exit_code` says otherwise."),
        _call(PATH + "/{name}/start", started, OfName, "A job begins."),
        _call(PATH + "/{name}/fail", failed, AnEnd, "A job failed."),
        _call(PATH + "/{name}/{exit_code:[0-9]+}", exited, WithCode, "A job ended with that exit code."),
    ]


def _call(
    path: str, take: Callable[[web.Request], Awaitable[Heartbeat]], asks: type[OfName], summary: str
) -> web.RouteDef:
    operation = Operation(
        summary,
        Heartbeat,
        asks,
        body=Body(f"A message for people, of which {LONGEST} bytes are kept.", {"text/plain": None}, required=False),
        statuses={404: "There is no such heartbeat.", 429: "Too many calls under that name."},
    )

    async def respond(request: web.Request) -> web.Response:
        try:
            found = await take(request)
        except ApiError as exc:
            return exc.response()
        body = b'{"status":"success","data":' + written(found, Heartbeat) + b"}"
        return web.Response(body=body, content_type="application/json")

    return described(web.post(path, respond), operation)


def _asked(request: web.Request, asks: type[T]) -> T:
    try:
        return asks.model_validate({**request.query, **request.match_info})
    except ValidationError as exc:
        raise bad_parameters(exc) from None


def _end(exit_code: int | None) -> Call:
    return Call.FAIL if exit_code else Call.SUCCESS


async def _message(request: web.Request) -> str:
    """The beginning of the body, whatever its type: `curl -d` calls every text a form."""
    said = b""
    while len(said) < LONGEST and (more := await request.content.read(LONGEST - len(said))):
        said += more
    return said.decode("utf-8", "replace").strip()


def _view(name: str, heard: Heard, expected: Expected) -> Heartbeat:
    return Heartbeat(
        name=name,
        running_since=heard.started,
        last_success=heard.succeeded,
        failed_at=heard.failed,
        exit_code=heard.exit_code,
        message=heard.message,
        last_duration=heard.duration,
        waiting_since=heard.since,
        due=expected.due(heard),
        late=expected.late(heard),
    )
