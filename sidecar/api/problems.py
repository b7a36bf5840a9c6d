"""What is wrong with a request, in the shape that Prometheus' clients read."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Final, Literal

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sidecar.model.errors import SidecarError
from sidecar.secrets import redact

PATHS: Final = ("/api/", "/-/", "/badges/")
"""Where errors are answered in JSON."""


class Word(StrEnum):
    """Prometheus' words for `errorType`, and some of ours."""

    BAD_DATA = "bad_data"
    EXECUTION = "execution"
    TIMEOUT = "timeout"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not_found"
    NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported_media_type"
    TOO_MANY = "too_many_requests"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"


STATUS: Final = {
    Word.BAD_DATA: 400,
    Word.EXECUTION: 422,
    Word.TIMEOUT: 503,
    Word.INTERNAL: 500,
    Word.UNAVAILABLE: 503,
    Word.NOT_FOUND: 404,
    Word.NOT_ALLOWED: 405,
    Word.TOO_LARGE: 413,
    Word.UNSUPPORTED: 415,
    Word.TOO_MANY: 429,
    Word.UNAUTHORIZED: 401,
    Word.FORBIDDEN: 403,
}
_WORDS: Final = {status: word for word, status in reversed(STATUS.items())} | {408: Word.TIMEOUT}


class Problem(BaseModel):
    """Why there is no answer."""

    model_config = ConfigDict(frozen=True, defer_build=True, populate_by_name=True)

    status: Literal["error"] = Field("error", description="Tells it from a good answer.")
    error_type: Word = Field(alias="errorType", description="What kind of mistake it is.")
    error: str = Field(description="What was found, what was expected, and what to do.")


class ApiError(SidecarError):
    """A request that is not answered. *retry_after* is in seconds."""

    def __init__(self, word: Word, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.word = word
        self.retry_after = retry_after

    def response(self) -> web.Response:
        """The answer in its stead."""
        headers: dict[str, str] = (
            {} if self.retry_after is None else {hdrs.RETRY_AFTER: str(max(1, round(self.retry_after)))}
        )
        return _response(STATUS[self.word], self.word, str(self), headers)


def bad_parameters(exc: ValidationError) -> ApiError:
    """The mistakes in a request's parameters, all at once."""
    return ApiError(Word.BAD_DATA, "; ".join(_sentence(mistake["loc"], mistake) for mistake in exc.errors()))


def _sentence(loc: Sequence[int | str], mistake: object) -> str:
    assert isinstance(mistake, dict)
    name = str(loc[0]) if loc else ""
    what: str = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "missing":
        what = "got none, expected one"
    elif mistake["type"] == "extra_forbidden":
        return f'unknown parameter "{name[:60]}"; the description at /api/v1/openapi.json names those that there are'
    elif not what.startswith("got"):
        what = f"got {str(mistake['input'])[:80]!r}: {what[:1].lower()}{what[1:]}"
    return f'invalid parameter "{name}": {what}'


def in_json() -> Middleware:
    """Whatever goes wrong below `/api/` and `/-/` is said in JSON, also what the router says."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(PATHS):
            return await handler(request)
        try:
            return await handler(request)
        except web.HTTPException as exc:
            if exc.status < 400:
                raise
            return _translated(request, exc)

    return middleware


def _translated(request: web.Request, exc: web.HTTPException) -> web.Response:
    word = _WORDS.get(exc.status, Word.INTERNAL if exc.status >= 500 else Word.BAD_DATA)
    said = (exc.text or "").strip()
    if isinstance(exc, web.HTTPMethodNotAllowed):
        said = f"got {request.method} of {request.path}, expected {' or '.join(sorted(exc.allowed_methods))}"
    elif exc.status == 404 and said == f"404: {HTTPStatus.NOT_FOUND.phrase}":
        said = f"found nothing at {request.path}; /api/v1/openapi.json describes what there is"
    elif isinstance(exc, web.HTTPRequestEntityTooLarge):
        said = f"the request's body is too large: {said}"
    kept = (hdrs.ALLOW, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE)
    return _response(exc.status, word, said, {name: exc.headers[name] for name in kept if name in exc.headers})


def _response(status: int, word: Word, message: str, headers: Mapping[str, str]) -> web.Response:
    problem = Problem(error_type=word, error=redact(message))
    return web.Response(
        body=problem.model_dump_json(by_alias=True).encode(),
        status=status,
        content_type="application/json",
        headers=headers,
    )
