"""What happened to one alert, line by line, and what comes next."""

from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web
from pydantic import Field

from sidecar.alerts.timeline import Entry, Event
from sidecar.api import wording
from sidecar.api.alerts import NextStep, ShownAlert, Telling, next_steps, shown
from sidecar.api.endpoint import Asked, Part, get
from sidecar.api.moments import Stamp, iso
from sidecar.api.problems import ApiError, Word
from sidecar.db.names import Named
from sidecar.model.labels import EMPTY


class History(Protocol):
    """What was written down about alerts."""

    async def entries(self, fingerprint: str, limit: int, /) -> Sequence[Entry]:
        """The last lines about an alert, the oldest first."""
        ...

    async def named(self, fingerprint: str, /) -> Named | None:
        """Who that alert was."""
        ...

    async def known(self, name: str | None, limit: int, /) -> Sequence[Named]:
        """The last alerts of that name, or of any, the latest first."""
        ...


class AskedTimeline(Asked):
    """Which alert."""

    fingerprint: str = Field(description="The alert's fingerprint: 16 hex digits.", pattern="^[0-9a-f]{16}$")
    limit: int = Field(500, description="How many lines at most; the latest are answered.", ge=1, le=5000)


class Line(Part):
    """One thing that happened."""

    at: Stamp = Field(description="When it happened.")
    event: Event = Field(description="What it was, in a word.")
    text: str = Field(description="What happened, in words.")
    detail: str = Field(description="The reason, the kind of message, or what the other end said.")
    channel: str = Field(description="Which channel it is about; empty for none.")
    message: str = Field(description="The message's id.")
    due: Stamp | None = Field(description="When the decision was to be looked at again.")


class AskedHistory(Asked):
    """Which alerts."""

    name: str = Field("", description="Those with this alertname; all when empty.")
    limit: int = Field(100, description="How many at most; the latest are answered.", ge=1, le=1000)


class KnownAlert(Part):
    """An alert of the last 30 days."""

    fingerprint: str = Field(description="Of its labels.")
    labels: dict[str, str] = Field(description="Its labels.")
    seen_at: Stamp = Field(description="When it changed last.")


class Timeline(Part):
    """One alert's story."""

    fingerprint: str = Field(description="Of the alert's labels.")
    labels: dict[str, str] = Field(description="Empty if nobody remembers them.")
    alert: ShownAlert | None = Field(description="The alert as it is; null when it ended some time ago.")
    timeline: list[Line] = Field(description="The oldest first.")
    next: list[NextStep] = Field(description="What comes next, the earliest first.")


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

    async def known(asked: AskedHistory) -> list[KnownAlert]:
        return [
            KnownAlert(fingerprint=one.fingerprint, labels=dict(one.labels), seen_at=iso(one.seen_at) or "")
            for one in await history.known(asked.name or None, asked.limit)
        ]

    async def timeline(asked: AskedTimeline) -> Timeline:
        alert = telling.book.alert(asked.fingerprint)
        entries, named = await history.entries(asked.fingerprint, asked.limit), await history.named(asked.fingerprint)
        if alert is None and not entries:
            raise ApiError(
                Word.NOT_FOUND,
                f"nothing is known of an alert with the fingerprint {asked.fingerprint}; expected one of "
                "/api/v1/alerts?ended=true or of /api/v1/history",
            )
        labels = alert.labels if alert else named.labels if named else EMPTY
        return Timeline(
            fingerprint=asked.fingerprint,
            labels=dict(labels),
            alert=shown(alert, telling, now()) if alert else None,
            timeline=[line(entry) for entry in entries],
            next=next_steps(alert, telling) if alert else [],
        )

    return [
        get("/api/v1/history", known, "The alerts of the last 30 days, the latest first.", {400: "Wrong parameters."}),
        get(
            "/api/v1/alerts/{fingerprint}/timeline",
            timeline,
            "What happened to an alert, why each channel was told or not, and what comes next.",
            {400: "Wrong parameters.", 404: "There is no such alert."},
        ),
    ]
