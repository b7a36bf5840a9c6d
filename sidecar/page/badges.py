"""Badges: what one check, or all of them, are like now, as a small picture for other people's pages."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from aiohttp import ETag, web
from pydantic import BaseModel, Field

from sidecar.api.checks import OneCheck
from sidecar.api.endpoint import Nothing, Operation, described
from sidecar.api.health import Health, Status
from sidecar.api.problems import ApiError, Word
from sidecar.checks import Check
from sidecar.model.checks import CheckState, CheckStatus
from sidecar.model.durations import show
from sidecar.model.history import CheckHistory
from sidecar.model.uptime import WINDOWS
from sidecar.page import writing
from sidecar.page.drawing import Colour, drawn

Q = TypeVar("Q", bound=BaseModel)

HEADERS: Final = {"Cache-Control": "no-cache", "Content-Security-Policy": "default-src 'none'"}
"""Asked for anew each time, which costs little while nothing has changed; a picture loads nothing."""

_STATES: Final = {
    CheckStatus.UP: Colour.GOOD,
    CheckStatus.DOWN: Colour.BAD,
    CheckStatus.UNKNOWN: Colour.UNKNOWN,
}
_HEALTH: Final = {
    Status.HEALTHY: Colour.GOOD,
    Status.DEGRADED: Colour.POOR,
    Status.CRITICAL: Colour.BAD,
    Status.UNKNOWN: Colour.UNKNOWN,
}
_ENOUGH: Final = 0.95
"""Of a window, what must have been seen for its share to be told without saying of how much it is one."""


class OneWindow(OneCheck):
    """Which check, and over what."""

    window: str = Field(description=f"The last {', '.join(WINDOWS)}.", json_schema_extra={"enum": list(WINDOWS)})


class Shown(Protocol):
    """Who knows what badges tell; asked anew for each."""

    @property
    def checks(self) -> Sequence[Check]: ...

    def states(self) -> Mapping[str, CheckState]:
        """Each check's state, by name."""
        ...

    def history(self, check: str, /) -> CheckHistory:
        """What the check's last probes came to, and how long it was up."""
        ...

    def health(self) -> Health:
        """Overall health now."""
        ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


def health(found: Health) -> str:
    """The badge of overall health."""
    down = f"; down: {', '.join(found.critical_failures)}" if found.critical_failures else ""
    return drawn("health", found.status.value, _HEALTH[found.status], f"health: {found.status.value}{down}")


def state(name: str, found: CheckState) -> str:
    """The badge of a check's state."""
    return drawn(name, found.status.value, _STATES[found.status])


def uptime(name: str, history: CheckHistory, window: str, now: float) -> str:
    """The badge of the share of a window in which a check was up; it says so when only a part was seen."""
    found, seconds = history.uptime(WINDOWS[window], now), WINDOWS[window]
    label = f"{name} uptime {window}"
    if found.ratio is None:
        return drawn(label, "not seen", Colour.UNKNOWN)
    share, seen = writing.percent(found.ratio), _about(found.seen)
    said = share if found.seen >= seconds * _ENOUGH else f"{share} of {seen}"
    return drawn(label, said, _grade(found.ratio), f"{name}: up {share} of the {seen} seen in the last {window}")


def latency(name: str, history: CheckHistory) -> str:
    """The badge of the median time that the recent successful probes of a check took."""
    found = history.latency()
    if found is None:
        return drawn(f"{name} latency", "not seen", Colour.UNKNOWN)
    said = f"{writing.seconds(found.median)} median"
    title = f"{name}: {said} of the last {writing.words(found.count, 'successful probe')}"
    return drawn(f"{name} latency", said, Colour.PLAIN, title)


def routes(shown: Shown) -> list[web.RouteDef]:
    """The badges of what *shown* knows."""

    def find(asked: OneCheck) -> str:
        names = [check.name for check in shown.checks]
        if asked.name in names:
            return asked.name
        raise ApiError(
            Word.NOT_FOUND, f"got the check {asked.name[:80]!r}, expected one of: {', '.join(sorted(names)) or 'none'}"
        )

    def of_window(asked: OneWindow) -> str:
        name = find(asked)
        if asked.window not in WINDOWS:
            raise ApiError(
                Word.NOT_FOUND, f"got the window {asked.window[:80]!r}, expected one of: {', '.join(WINDOWS)}"
            )
        return uptime(name, shown.history(name), asked.window, shown.now())

    def of_state(asked: OneCheck) -> str:
        return state(find(asked), shown.states()[asked.name])

    return [
        _badge("/badges/health.svg", Nothing, lambda _: health(shown.health()), "Overall health."),
        _badge("/badges/checks/{name}/state.svg", OneCheck, of_state, "Whether a check is up."),
        _badge(
            "/badges/checks/{name}/uptime/{window}.svg", OneWindow, of_window, "The share of a window that it was up."
        ),
        _badge(
            "/badges/checks/{name}/latency.svg",
            OneCheck,
            lambda asked: latency(find(asked), shown.history(asked.name)),
            "The median time of the recent successful probes of a check.",
        ),
    ]


def _badge(path: str, asks: type[Q], draw: Callable[[Q], str], summary: str) -> web.RouteDef:
    """The route that answers with what *draw* draws; a browser that has it already is told that it is the same."""

    async def respond(request: web.Request) -> web.Response:
        try:
            body = draw(asks.model_validate(dict(request.match_info))).encode("utf-8", "replace")
        except ApiError as exc:
            return exc.response()
        tag = ETag(hashlib.blake2s(body, digest_size=8).hexdigest())
        known = tag in (request.if_none_match or ())
        response = (
            web.Response(status=304, headers=HEADERS)
            if known
            else web.Response(body=body, content_type="image/svg+xml", charset="utf-8", headers=HEADERS)
        )
        response.etag = tag
        return response

    operation = Operation(
        summary,
        str,
        asks,
        enveloped=False,
        content_type="image/svg+xml",
        statuses={404: "There is no such badge."} if asks is not Nothing else {},
    )
    return described(web.get(path, respond), operation)


def _about(seconds: float) -> str:
    """How long, to the hour from a day on, else to the minute."""
    unit = 3600.0 if seconds >= 86400.0 else 60.0 if seconds >= 60.0 else 1.0
    return show(seconds // unit * unit)


def _grade(ratio: float) -> Colour:
    if ratio >= 0.999:
        return Colour.GOOD
    return Colour.POOR if ratio >= 0.95 else Colour.BAD
