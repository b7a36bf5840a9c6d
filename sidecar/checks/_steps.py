"""One request of a check and what has to be answered, with what is read from the answer."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from yarl import URL

from sidecar.checks import CheckFailed, ProbeContext
from sidecar.checks._answers import Answer, JsonPath, Unreadable, as_text, number, shown
from sidecar.checks._assertions import Complaint, Expectations, sentence, unreadable
from sidecar.checks._http import Trip, answer, quoted, so_far
from sidecar.checks._patterns import Pattern, compiled
from sidecar.checks._requests import Request
from sidecar.checks._values import Bounds, ValueName
from sidecar.model.families import PROBE_VALUE
from sidecar.outbound import read_limited, safe_url
from sidecar.secrets import redact
from sidecar.telemetry import tracing

_LARGE: Final = 4096  # bytes of an answer that is judged away from the loop
_SHOWN: Final = 2048  # bytes of an answer that are kept as evidence
_QUOTED: Final = 800  # bytes of an answer that a message may repeat the beginning of
_LONGEST: Final = 4096  # characters of a saved value

_T = TypeVar("_T")

SavedName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=60)]


class Source(BaseModel):
    """Where in an answer something stands."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    json_path: JsonPath | None = Field(
        None, alias="json", description="The first value that this path selects.", examples=["$.access_token"]
    )
    header: str | None = Field(None, description="The value of this header.", min_length=1, examples=["X-Request-Id"])
    matches: Pattern | None = Field(
        None, description="What the body matches: RE2's first group, or all of it.", examples=["depth=([0-9]+)"]
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(one is not None for one in (self.json_path, self.header, self.matches)) != 1:
            raise ValueError("expected one of `json`, `header` and `matches`")
        return self

    def __str__(self) -> str:
        if self.json_path is not None:
            return self.json_path
        return f"the header {self.header}" if self.header is not None else f"a match of {self.matches!r}"

    def read(self, said: Answer) -> Any:
        """What stands there; raises Unreadable when nothing does."""
        if self.json_path is not None:
            found = said.first(self.json_path)
        elif self.header is not None:
            found = said.headers.getall(self.header, [])[:1]
        else:
            match = compiled(self.matches or "").search(said.text.encode("utf-8", "replace"))
            group = match[1 if match.re.groups else 0] if match else None
            found = [] if group is None else [group.decode("utf-8", "replace")]
        if not found:
            raise Unreadable(f"{self} is missing")
        return found[0]

    def text(self, said: Answer) -> str:
        """What stands there, as a text that a request can hold; raises Unreadable without repeating it."""
        value = self.read(said)
        if value is None or isinstance(value, dict | list) or value == "":
            kind = "null" if value is None else "empty" if value == "" else "a list or an object"
            raise Unreadable(f"{self} is {kind}, expected a text or a number")
        text = as_text(value)
        if not _is_unicode(text):
            raise Unreadable(f"{self} holds what is no character, expected text")
        if len(text) > _LONGEST:
            raise Unreadable(f"{self} has {len(text)} characters, expected at most {_LONGEST}")
        return text


class Value(Source, Bounds):
    """A number of the answer."""

    count: bool = Field(False, description="Whether it is the number of values that `json` selects.")

    @model_validator(mode="after")
    def _counts_a_path(self) -> Self:
        if self.count and self.json_path is None:
            raise ValueError("`count` counts what a path selects; expected `json` with it")
        return self

    def number(self, said: Answer) -> float:
        """The number that stands there; raises Unreadable when none does."""
        if self.count:
            return float(len(said.select(self.json_path or "")))
        value = self.read(said)
        if (found := number(value)) is None:
            raise Unreadable(f"{self} is {shown(value)}, expected a number")
        return found


def _paths(value: Any) -> Any:
    """`depth: $.queue.length` is `depth: {json: $.queue.length}`."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"json": one} if isinstance(one, str) else one for name, one in value.items()}


class Exchange(Expectations, Request):  # the fields of the last base come first
    """One request, and what has to be answered."""

    max_body: int = Field(1024 * 1024, description="The most bytes that a good answer's body has.", ge=0)
    values: Annotated[dict[ValueName, Value], BeforeValidator(_paths)] = Field(
        default_factory=dict,
        description="Numbers to export as `probe_value{name}`: `{depth: $.queue.length}`, or `{json: …}`, "
        "`{header: …}`, `{matches: …}` with `min` and `max`; `{json: '$.items[*]', count: true}` counts.",
        examples=[{"depth": "$.queue.length"}],
    )
    save: Annotated[dict[SavedName, Source], BeforeValidator(_paths)] = Field(
        default_factory=dict,
        description="What later steps need: `{token: {json: $.access_token}}`, `{header: …}` or `{matches: …}`; "
        "secret while the probe lasts, and forgotten after it.",
        examples=[{"token": {"json": "$.access_token"}}],
    )

    async def run(
        self, ctx: ProbeContext, trip: Trip, saved: Mapping[str, str], keep: Callable[[str], None]
    ) -> dict[str, str]:
        """Ask, judge the answer, and return what it gives to later steps; raises CheckFailed.

        *keep* hears what must not be shown as long as the probe lasts.
        """
        sent = self.ready(saved, keep)
        headers = tracing.traceparent() | dict(sent.headers)
        started = ctx.clock.monotonic()
        async with answer(
            ctx, sent.method, sent.url, headers=headers, body=sent.body, redirects=self.redirects, trip=trip
        ) as response:
            self._keep_headers(response, keep)
            if not self.is_good(response.status):
                await self._refuse(ctx, response)
            _seen(ctx, response, b"")
            arrived = ctx.clock.monotonic()
            try:
                body = await read_limited(response, self.max_body)
            finally:
                trip.took("transfer", ctx.clock.monotonic() - arrived)
            seconds = ctx.clock.monotonic() - started
        said = Answer(str(response.url), response.status, response.headers, body, response.charset or "utf-8", seconds)
        given, complaints = await _read(self._to_save, said)
        for text in given.values():
            _hide(text, keep)  # before anything of the answer is quoted
        _seen(ctx, response, body)
        values, more = await _read(self._judge, said)
        for name, value in values.items():
            ctx.record(PROBE_VALUE, value, name=name)
        if complaints := more + complaints:
            raise CheckFailed("assertion", redact(sentence(complaints, said)))
        return given

    def _to_save(self, said: Answer) -> tuple[dict[str, str], list[Complaint]]:
        """What later steps get of *said*, and what they do not get."""
        saved: dict[str, str] = {}
        complaints: list[Complaint] = []
        for name, source in self.save.items():
            try:
                saved[name] = source.text(said)
            except Unreadable as exc:
                complaints.append(unreadable(f"{name} cannot be saved", exc))
        return saved, complaints

    def _judge(self, said: Answer) -> tuple[dict[str, float], list[Complaint]]:
        """The numbers in an answer whose status is good, and whatever is wrong with it."""
        values: dict[str, float] = {}
        complaints = list(self.complaints(said))
        for name, source in self.values.items():
            try:
                value = values[name] = source.number(said)
            except Unreadable as exc:
                complaints.append(unreadable(f"the value {name}", exc))
                continue
            if complaint := source.complaint(name, value):
                complaints.append(Complaint(complaint))
        return values, complaints

    def _keep_headers(self, response: aiohttp.ClientResponse, keep: Callable[[str], None]) -> None:
        """Hide what will be saved, also of an answer that is not read to its end."""
        for source in self.save.values():
            if source.header and (text := response.headers.get(source.header)):
                _hide(text, keep)

    async def _refuse(self, ctx: ProbeContext, response: aiohttp.ClientResponse) -> None:
        body = await so_far(response, _SHOWN)
        _seen(ctx, response, body)
        found = f"got {response.status}, expected {' or '.join(self.status)}"
        if location := response.headers.get("Location"):
            raise CheckFailed("assertion", f"{found}; it redirects to {quoted(safe_url(location))}")
        said = quoted(body[:_QUOTED].decode("utf-8", "replace"))
        raise CheckFailed("assertion", f"{found}: {said}" if said else found)


async def _read(judge: Callable[[Answer], _T], said: Answer) -> _T:
    """What *judge* finds; a large answer is read away from the loop, which others wait for."""
    return await asyncio.to_thread(judge, said) if len(said.body) > _LARGE else judge(said)


def _is_unicode(text: str) -> bool:
    """Whether *text* can travel: JSON can write half of a pair, and a header may be any bytes."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _hide(value: str, keep: Callable[[str], None]) -> None:
    """Let *keep* know *value*, also as it stands in a URL that is shown, where less is encoded than need be."""
    if not _is_unicode(value):
        return  # and is saved nowhere
    keep(value)
    encoded = quote(value, safe="")
    there = URL(f"http://h/{encoded}?{encoded}")
    keep(there.raw_path[1:])
    keep(there.raw_query_string)


def _seen(ctx: ProbeContext, response: aiohttp.ClientResponse, body: bytes) -> None:
    """Keep the answer as evidence without what is secret now: once the probe has ended, nobody knows that it was."""
    cut = len(body) > _SHOWN
    begun = redact(body[: 2 * _SHOWN].decode("utf-8", "replace"), cut=cut)
    ctx.saw({name: redact(value) for name, value in response.headers.items()}, begun.encode("utf-8", "replace"))
