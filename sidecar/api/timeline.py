"""What happened to one alert, line by line, and what comes next."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from pydantic import Field

from sidecar.alerts.timeline import Entry, Event
from sidecar.api import wording
from sidecar.api.alerts import NextStep, ShownAlert, Telling, next_steps, shown
from sidecar.api.endpoint import Asked, Part, get
from sidecar.api.moments import Stamp, iso
from sidecar.api.problems import ApiError, Word

History = Callable[[str, int], Awaitable[Sequence[Entry]]]
"""The last lines about an alert, the oldest first."""


class AskedTimeline(Asked):
    """Which alert."""

    fingerprint: str = Field(description="The alert's fingerprint: 16 hex digits.", pattern="^[0-9a-f]{16}$")
    limit: int = Field(500, description="How many lines at most; the latest are answered.", ge=1, le=5000)


class Line(Part):
    """One thing that happened."""

    at: Stamp
    event: Event
    text: str = Field(description="What happened, in words.")
    detail: str = Field(description="The reason, the kind of message, or what the other end said.")
    channel: str
    message: str = Field(description="The message's id.")
    due: Stamp | None = Field(description="When the decision was to be looked at again.")


class Timeline(Part):
    """One alert's story."""

    fingerprint: str
    alert: ShownAlert | None = Field(description="The alert as it is; null when it ended some time ago.")
    timeline: list[Line] = Field(description="The oldest first.")
    next: list[NextStep]


def line(entry: Entry) -> Line:
    """One line of the story."""
    return Line(
        at=iso(entry.at) or "",
        event=entry.event,
        text=wording.sentence(entry),
        detail=entry.text,
        channel=entry.channel,
        message=entry.message,
        due=iso(entry.due),
    )


def routes(telling: Telling, history: History, now: Callable[[], float]) -> list[web.RouteDef]:
    """The stories of alerts that *telling* knows, and of those that only *history* does."""

    async def timeline(asked: AskedTimeline) -> Timeline:
        alert = telling.book.alert(asked.fingerprint)
        entries = await history(asked.fingerprint, asked.limit)
        if alert is None and not entries:
            raise ApiError(
                Word.NOT_FOUND,
                f"nothing is known of an alert with the fingerprint {asked.fingerprint}; expected one of "
                "/api/v1/alerts?ended=true, or one that ended in the last 30 days",
            )
        return Timeline(
            fingerprint=asked.fingerprint,
            alert=shown(alert, telling, now()) if alert else None,
            timeline=[line(entry) for entry in entries],
            next=next_steps(alert, telling) if alert else [],
        )

    return [
        get(
            "/api/v1/alerts/{fingerprint}/timeline",
            timeline,
            "What happened to an alert, why each channel was told or not, and what comes next.",
            {400: "Wrong parameters.", 404: "There is no such alert."},
        )
    ]
