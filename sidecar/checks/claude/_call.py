"""What every check of the Claude API shares: where, as whom, and how an answer becomes a verdict."""

import asyncio
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

import aiohttp
from pydantic import AfterValidator, Field, model_validator
from yarl import URL

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._http import Headers, HttpUrl, answer, quoted, reveal, so_far
from sidecar.claude import ratelimits
from sidecar.claude.errors import ErrorType, Failure, classify
from sidecar.model.durations import show
from sidecar.model.families import CLAUDE_RATELIMIT_LIMIT, CLAUDE_RATELIMIT_REMAINING, CLAUDE_RATELIMIT_RESET
from sidecar.outbound import OutboundError, read_limited, safe_url
from sidecar.secrets import Secret, redact

API: Final = "https://api.anthropic.com"

_LARGEST: Final = 4 * 1024 * 1024  # bytes of an answer
_LARGEST_ERROR: Final = 64 * 1024
_PATIENCE: Final = 2.0  # seconds for the body of an error, whose status is known already
_MARGIN: Final = 0.05  # seconds by which we give up before the prober does, so that the reason is ours to tell
_LONGEST: Final = 400  # characters of a message


def _base(text: str) -> str:
    url = URL(text)
    if url.raw_query_string or url.raw_fragment:
        raise ValueError("the base URL has a query or a fragment, expected one such as https://api.anthropic.com")
    return text.rstrip("/").removesuffix("/v1")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of 2xx, its body not read yet; when its request had left, on the context's monotonic clock."""

    response: aiohttp.ClientResponse
    sent_at: float


class ClaudeCheck(Check):
    """Asks the Claude API, direct or through a gateway, and judges by form and error type, never by text."""

    base_url: Annotated[HttpUrl, AfterValidator(_base)] = Field(
        API,
        description="The API, or a gateway that speaks as it does; /v1/… is added.",
        examples=["http://gateway:4000"],
    )
    api_key: Secret | None = Field(
        None,
        description="The key: text, {env: NAME} or {file: /path}; none for a gateway that adds its own.",
        examples=[{"env": "ANTHROPIC_API_KEY"}],
    )
    auth: Literal["x-api-key", "bearer"] = Field(
        "x-api-key", description="The header with the key: x-api-key, or Authorization as newer SDKs send it."
    )
    api_version: str = Field(
        "2023-06-01", description="The header anthropic-version.", examples=["2026-10-21"], pattern=r"^[!-~]{1,40}$"
    )
    headers: Headers = Field(
        default_factory=dict, description="More headers; their values are never shown.", examples=[{"X-Team": "probe"}]
    )

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.base_url == API and self.api_key is None and not self.headers:
            raise ValueError("has no `api_key`, which the API itself needs; only a gateway may add its own")
        return self

    @property
    @abstractmethod
    def path(self) -> str:
        """What is asked, behind the base URL."""

    @property
    def target(self) -> str:
        return safe_url(self.base_url + self.path)

    @abstractmethod
    async def ask(self, ctx: ProbeContext) -> None:
        """The probe itself, within `timeout`."""

    async def probe(self, ctx: ProbeContext) -> None:
        try:
            async with asyncio.timeout(self.patience):
                await self.ask(ctx)
        except TimeoutError as exc:
            raise CheckFailed(ErrorType.TIMEOUT, f"got no whole answer within {show(self.timeout)}") from exc

    @property
    def patience(self) -> float:
        """How long we wait, in seconds: a little less than the prober does."""
        return max(0.9 * self.timeout, self.timeout - _MARGIN)

    @asynccontextmanager
    async def call(
        self, ctx: ProbeContext, method: str, payload: Mapping[str, Any] | None = None, *, stream: bool = False
    ) -> AsyncIterator[Answer]:
        """The answer of 2xx; its request id and the rate limits are recorded. Raises CheckFailed for all others."""
        waited = 0.0

        def phase(name: str, seconds: float) -> None:
            nonlocal waited
            waited = seconds if name == "first_byte" else waited
            ctx.phase(name, seconds)

        body = None if payload is None else json.dumps(payload).encode()
        headers = self._headers(stream=stream, body=body is not None)
        async with answer(ctx, method, self.base_url + self.path, headers=headers, body=body, phase=phase) as response:
            sent_at = ctx.clock.monotonic() - waited
            if request_id := response.headers.get("request-id"):
                ctx.note(request_id=quoted(request_id))
            ctx.saw(response.headers, b"")
            _record_limits(ctx, response.headers)
            if not 200 <= response.status < 300:
                raise not_expected(ctx, response, await so_far(response, _LARGEST_ERROR, _PATIENCE))
            yield Answer(response, sent_at)

    def _headers(self, *, stream: bool, body: bool) -> dict[str, str]:
        headers = {"anthropic-version": self.api_version}
        # A compressed stream comes in blocks, and then its times are those of the compression.
        headers |= {"accept": "text/event-stream", "accept-encoding": "identity"} if stream else {}
        headers |= {"content-type": "application/json"} if body else {}
        if self.api_key is not None:
            key = reveal(self.api_key, ErrorType.AUTH)
            headers |= {"x-api-key": key} if self.auth == "x-api-key" else {"authorization": f"Bearer {key}"}
        return headers | {name.lower(): reveal(value, ErrorType.AUTH) for name, value in self.headers.items()}


async def whole(answer: Answer) -> bytes:
    """The body of *answer*; one without end is no answer of the API."""
    try:
        return await read_limited(answer.response, _LARGEST)
    except OutboundError as exc:
        raise CheckFailed(ErrorType.NOT_JSON, exc.message) from exc


def failed(ctx: ProbeContext, failure: Failure) -> CheckFailed:
    """*failure* as a failed probe, with its evidence noted."""
    evidence = {"api_error": failure.error_code or failure.api_type, "request_id": failure.request_id}
    ctx.note(fault=failure.fault, **{name: quoted(text) for name, text in evidence.items() if text})
    if failure.retry_after is not None:
        ctx.note(retry_after=failure.retry_after)
    if failure.next_step:
        ctx.note(next_step=failure.next_step)
    return CheckFailed(failure.error_type, quoted(failure.message, _LONGEST))


def not_expected(ctx: ProbeContext, response: aiohttp.ClientResponse, body: bytes) -> CheckFailed:
    """An answer that does not hold what was asked for: an error, or something in between has answered."""
    ctx.saw(response.headers, body)
    # Before it is read, since a text that is cut in the midst of a secret shows the half of it.
    headers = {name: redact(text, cut=True) for name, text in response.headers.items()}
    said = redact(body.decode("utf-8", "replace"), cut=True)
    return failed(ctx, classify(response.status, headers, said.encode()))


def _record_limits(ctx: ProbeContext, headers: Mapping[str, str]) -> None:
    for limit in ratelimits.parse(headers):
        for family, value in (
            (CLAUDE_RATELIMIT_LIMIT, limit.limit),
            (CLAUDE_RATELIMIT_REMAINING, limit.remaining),
            (CLAUDE_RATELIMIT_RESET, limit.reset_at),
        ):
            if value is not None:
                ctx.record(family, value, family=limit.family)
