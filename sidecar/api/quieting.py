"""Silences and acknowledgements."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Final, Protocol, TypeVar

from aiohttp import web
from pydantic import Field, StringConstraints

from sidecar.alerts.quieting import Ack, Quieting, Silence, SilenceState
from sidecar.api.endpoint import Asked, Nothing, Part, delete, get, post
from sidecar.api.moments import Moment, Span, Stamp, iso
from sidecar.api.problems import ApiError, Word
from sidecar.model.errors import SidecarError
from sidecar.model.matchers import Matcher
from sidecar.promql import selector

T = TypeVar("T")

_LONGEST: Final = 365 * 86400.0
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]


class Quieter(Protocol):
    """Takes in what people say about alerts; raises a SidecarError, whose `found` says if there is such a thing."""

    @property
    def state(self) -> Quieting: ...

    async def silence(
        self, matchers: tuple[Matcher, ...], starts_at: float, ends_at: float, by: str, comment: str, /
    ) -> Silence: ...
    async def expire(self, id_: str, /) -> Silence: ...
    async def acknowledge(self, fingerprint: str, by: str, comment: str, /) -> Ack: ...
    async def withdraw(self, fingerprint: str, /) -> None: ...


class AskedSilence(Asked):
    """What is to be silent, for how long, and who says so."""

    match: str = Field(description='Which alerts: {alertname="ClaudeDown",check=~"gw-.*"}.', max_length=4000)
    duration: Span = Field(3600.0, description="How long, from its beginning.")
    start: Moment | None = Field(None, description="When it begins; now without it.")
    created_by: Name = Field(description="Who says so.")
    comment: Comment = Field("", description="Why.")


class AskedOne(Asked):
    """Which silence."""

    id: str = Field(description="The silence's id.")


class AskedAck(Asked):
    """Which alert, and who has seen it."""

    fingerprint: str = Field(description="The alert's fingerprint.")
    by: Name
    comment: Comment = ""


class AskedAlert(Asked):
    """Which alert."""

    fingerprint: str = Field(description="The alert's fingerprint.")


class ShownSilence(Part):
    """One silence."""

    id: str = Field(description="Its id.")
    state: SilenceState = Field(description="pending, active or expired.")
    matchers: list[str] = Field(description="Which alerts it silences: all of these have to match.")
    starts_at: Stamp = Field(description="When it begins.")
    ends_at: Stamp = Field(description="When it ends.")
    created_by: str = Field(description="Who made it.")
    comment: str = Field(description="Why.")


class Silences(Part):
    """Silences."""

    silences: list[ShownSilence] = Field(description="The silences; those that are over are shown for five days.")


class ShownAck(Part):
    """One acknowledgement."""

    fingerprint: str = Field(description="The alert's fingerprint.")
    at: Stamp = Field(description="When it was said.")
    by: str = Field(description="Who works on it.")
    comment: str = Field(description="What they said.")


class Acks(Part):
    """Acknowledgements."""

    acks: list[ShownAck] = Field(description="The acknowledgements that hold.")


def routes(quieter: Quieter, now: Callable[[], float]) -> list[web.RouteDef]:
    """What people say about alerts, and take back."""

    async def silences(_: Nothing) -> Silences:
        return Silences(silences=[_silence(one, now()) for one in quieter.state.silences])

    async def silence(asked: AskedSilence) -> ShownSilence:
        try:
            matchers = _matchers(asked.match)
        except SidecarError as exc:
            raise ApiError(Word.BAD_DATA, f'invalid parameter "match": {exc}') from exc
        if not 0 < asked.duration <= _LONGEST:
            raise ApiError(Word.BAD_DATA, 'invalid parameter "duration": expected more than 0s and at most 365d')
        begin = now() if asked.start is None else asked.start
        end = begin + asked.duration
        return _silence(await _made(quieter.silence(matchers, begin, end, asked.created_by, asked.comment)), now())

    async def expire(asked: AskedOne) -> ShownSilence:
        return _silence(await _made(quieter.expire(asked.id)), now())

    async def acks(_: Nothing) -> Acks:
        return Acks(acks=[_ack(one) for one in quieter.state.acks])

    async def acknowledge(asked: AskedAck) -> ShownAck:
        return _ack(await _made(quieter.acknowledge(asked.fingerprint, asked.by, asked.comment)))

    async def withdraw(asked: AskedAlert) -> Acks:
        await _made(quieter.withdraw(asked.fingerprint))
        return await acks(Nothing())

    wrong, lost = {400: "Wrong parameters."}, {404: "There is no such thing."}
    return [
        get("/api/v1/silences", silences, "Silences: those that hold, those to come, and for five days the expired."),
        post("/api/v1/silences", silence, "Silence alerts; what is owed is told all the same.", wrong),
        delete("/api/v1/silences/{id}", expire, "End a silence now.", lost),
        get("/api/v1/acks", acks, "Acknowledged alerts."),
        post("/api/v1/alerts/{fingerprint}/ack", acknowledge, "Say that somebody works on an alert.", wrong | lost),
        delete("/api/v1/alerts/{fingerprint}/ack", withdraw, "Take that back.", lost),
    ]


def _matchers(text: str) -> tuple[Matcher, ...]:
    """The conditions of a selector; what stands before its braces is an alert's name."""
    found = selector(text)
    return tuple(replace(one, name="alertname") if one.name == "__name__" else one for one in found)


async def _made(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except SidecarError as exc:
        found = getattr(exc, "found", True)
        raise ApiError(Word.BAD_DATA if found else Word.NOT_FOUND, str(exc)) from exc


def _silence(silence: Silence, now: float) -> ShownSilence:
    return ShownSilence(
        id=silence.id,
        state=silence.state(now),
        matchers=[str(matcher) for matcher in silence.matchers],
        starts_at=iso(silence.starts_at) or "",
        ends_at=iso(silence.ends_at) or "",
        created_by=silence.created_by,
        comment=silence.comment,
    )


def _ack(ack: Ack) -> ShownAck:
    return ShownAck(fingerprint=ack.fingerprint, at=iso(ack.at) or "", by=ack.by, comment=ack.comment)
