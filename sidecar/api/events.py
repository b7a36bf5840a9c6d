"""POST /api/v1/events: a gateway tells what happened."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Final, Literal, Protocol

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestPayloadError
from pydantic import BaseModel, ConfigDict, Field

from sidecar.api.endpoint import Asked, Body, Operation, Part, described
from sidecar.api.problems import STATUS, ApiError, Problem, Word
from sidecar.model.events import EventsRefused, Receipt, Why
from sidecar.secrets import redact

PATH: Final = "/api/v1/events"

_WORDS: Final = {
    Why.OFF: Word.FORBIDDEN,
    Why.UNREADABLE: Word.BAD_DATA,
    Why.UNSUPPORTED: Word.UNSUPPORTED,
    Why.TOO_LARGE: Word.TOO_LARGE,
    Why.TOO_FAST: Word.TOO_MANY,
}


class Ingest(Protocol):
    """Who counts events."""

    async def take(self, sender: str, content_type: str, body: Callable[[], Awaitable[bytes]], /) -> Receipt:
        """Take in one request; raises EventsRefused."""
        ...


class _From(Asked):
    sender: str = Field("", description="Who sends; each sender has gauges and a rate of its own.")


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    id: str | None = Field(None, description="Of this event: one that was seen in the last 10 minutes does not count.")
    timestamp: float | str | None = Field(
        None, description="Seconds since 1970 or RFC 3339; more than 5 minutes off is refused."
    )
    labels: dict[str, str] = Field(default_factory=dict, description="More labels.")


class RequestEvent(_Event):
    """One request to Claude, when it is over. Times are seconds."""

    type: Literal["request"] = Field(description="What the event is.")
    model: str = Field(description="The model that was asked.")
    target: str = Field("claude", description="Where it was asked: an address without user or query.")
    status: int | None = Field(None, description="HTTP status of the answer; none when there was no answer.")
    error_type: str | None = Field(None, description="`error.type` of the API, or a word of ours such as timeout.")
    error_code: str | None = Field(None, description="`error.details.error_code` of the API.")
    error: dict[str, Any] | str | None = Field(None, description="The API's `error`, instead of the two above.")
    retry_after: float | None = Field(
        None, description="Seconds; null when the API gave none with a 429, which is a spend cap; else left out."
    )
    duration: float | None = Field(None, description="From the request's first byte to the answer's last.")
    time_to_first_token: float | None = Field(None, description="From the request to the first content of a stream.")
    input_tokens: int | None = Field(None, description="Tokens neither read from the cache nor written to it.")
    output_tokens: int | None = Field(None, description="Tokens of the answer.")
    cache_read_tokens: int | None = Field(None, description="Tokens read from the cache.")
    cache_write_tokens: int | None = Field(None, description="Tokens written to the cache.")
    usage: dict[str, Any] | None = Field(None, description="The API's `usage`, instead of the four above.")
    cost: float | None = Field(None, description="US dollars; list price when it is left out.")
    stop_reason: str | None = Field(None, description="`stop_reason` of the API.")
    retries: int | None = Field(None, description="How often it was sent again.")
    stream: bool | None = Field(None, description="Whether the answer was a stream.")


class SampleEvent(_Event):
    """One change of a metric of the sender's own."""

    type: Literal["counter", "gauge", "histogram"] = Field(description="What the metric is.")
    name: str = Field(description="The metric: letters, digits and underscores.")
    value: float = Field(1.0, description="By how much a counter grows, what a gauge is, what a histogram observes.")
    help: str = Field("", description="What the metric means.")
    buckets: list[float] | None = Field(None, description="Upper bounds of a histogram, in its first event.")


class BreakerEvent(_Event):
    """The state of a circuit breaker."""

    type: Literal["circuit_breaker"] = Field(description="What the event is.")
    name: str = Field(description="Which one.")
    state: Literal["closed", "half_open", "open"] = Field(description="What it is now.")


Event = Annotated[RequestEvent | SampleEvent | BreakerEvent, Field(discriminator="type")]


class Rejected(Part):
    """An event that was not counted."""

    index: int = Field(description="Its place in the request; the first is 0.")
    reason: str = Field(description="The word under which `sidecar_samples_refused_total` counts it.")
    message: str = Field(description="What was found, and what was expected.")


class Accepted(Part):
    """What became of the events."""

    accepted: int = Field(description="Events that were counted.")
    duplicates: int = Field(description="Events that were counted before, by their ids.")
    rejected: list[Rejected] = Field(description="The first events that were not, 100 at most.")
    rejected_total: int = Field(description="How many events were not.")


_OPERATION: Final = Operation(
    "Count events of a gateway: requests to Claude, and samples of its own metrics.",
    Accepted,
    _From,
    enveloped=False,
    body=Body(
        "One event, an array of events, or one event a line; gzip is fine.",
        {"application/json": Event | list[Event], "application/x-ndjson": None},
    ),
    statuses={
        400: "None of the events was accepted, or there is none.",
        413: "Too large, or too many events.",
        415: "Neither JSON nor JSON lines.",
        429: "Too many events a second, or too many senders.",
    },
)


def routes(ingest: Ingest) -> list[web.RouteDef]:
    """The route under which *ingest* is told."""

    async def events(request: web.Request) -> web.Response:
        try:
            receipt = await ingest.take(request.query.get("sender", ""), request.content_type, partial(_read, request))
        except EventsRefused as exc:
            return ApiError(_WORDS[exc.why], str(exc), retry_after=exc.retry_after).response()
        answer = _answer(receipt)
        if not receipt.in_vain:
            return web.json_response(answer)
        return web.json_response(_problem(receipt) | answer, status=STATUS[Word.BAD_DATA])

    return [described(web.post(PATH, events), _OPERATION)]


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except RequestPayloadError:  # cut off, or not compressed as its header says
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "none")
        raise EventsRefused(
            Why.UNREADABLE, f"the body ends too early, or is not in its Content-Encoding, {encoding[:40]!r}"
        ) from None


def _answer(receipt: Receipt) -> dict[str, Any]:
    rejected = [Rejected(index=one.index, reason=one.reason, message=redact(one.message)) for one in receipt.examples]
    return Accepted(
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        rejected=rejected,
        rejected_total=receipt.rejected,
    ).model_dump(mode="json")


def _problem(receipt: Receipt) -> dict[str, Any]:
    """An error in the shape of all others, beside the list."""
    first = receipt.examples[0]
    said = f"none of {receipt.rejected} events was accepted; event {first.index}: {first.message}"
    problem = Problem(error_type=Word.BAD_DATA, error=redact(said))
    found: dict[str, Any] = json.loads(problem.model_dump_json(by_alias=True))
    return found
