"""Messages that wait for their delivery, and those that are given up."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from pydantic import Field

from sidecar.api.endpoint import Asked, Part, get
from sidecar.api.moments import Stamp, iso
from sidecar.db.outbox import DeadLetter, Row
from sidecar.model.notifications import Notification, NotifyKind

Contents = tuple[Sequence[Row], Sequence[DeadLetter]]


class AskedNotifications(Asked):
    """Which messages."""

    channel: str = Field("", description="Those to one channel; to all when empty.")
    limit: int = Field(100, description="How many of each kind at most.", ge=1, le=1000)


class ToldAlert(Part):
    """One alert in a message."""

    fingerprint: str = Field(description="Of the alert's labels.")
    labels: dict[str, str] = Field(description="The alert's labels.")
    reason: str = Field(description="Why it is told.")


class Waiting(Part):
    """A message that waits."""

    id: str = Field(description="The message's id.")
    channel: str = Field(description="For whom it waits.")
    kind: NotifyKind = Field(description="What the message is.")
    waiting_since: Stamp = Field(description="Since when it waits.")
    expires_at: Stamp = Field(description="When it is given up.")
    attempts: int = Field(description="How often it was tried.")
    maybe: bool = Field(description="Whether it may have arrived all the same.")
    partly: bool = Field(description="Whether some recipients have it.")
    error: str = Field(description="Why it cannot be read; such a message is never sent.")
    alerts: list[ToldAlert] = Field(description="The alerts in it.")


class Dead(Part):
    """A message that is given up."""

    id: str = Field(description="The message's id.")
    channel: str = Field(description="Whom it did not reach.")
    kind: NotifyKind = Field(description="What the message was.")
    died_at: Stamp = Field(description="When it was given up.")
    reason: str = Field(description="Why.")
    attempts: int = Field(description="How often it was tried.")
    maybe: bool = Field(description="Whether it may have arrived all the same.")
    alerts: list[ToldAlert] = Field(description="The alerts in it.")


class Notifications(Part):
    """What waits, in the order in which it was put, and what is given up, the latest first."""

    waiting: list[Waiting] = Field(description="Messages that wait, the oldest first.")
    dead: list[Dead] = Field(description="Messages that were given up, the latest first.")


def routes(contents: Callable[[str | None, int], Awaitable[Contents]]) -> list[web.RouteDef]:
    """What *contents* reads from the outbox, of one channel or of all, so many of each."""

    async def notifications(asked: AskedNotifications) -> Notifications:
        rows, letters = await contents(asked.channel or None, asked.limit)
        return Notifications(waiting=[_waiting(row) for row in rows], dead=[_dead(letter) for letter in letters])

    return [
        get(
            "/api/v1/notifications",
            notifications,
            "Messages that wait, and those that are given up.",
            {400: "Wrong parameters."},
        )
    ]


def _waiting(row: Row) -> Waiting:
    message = row.notification
    return Waiting(
        id=message.id,
        channel=message.channel,
        kind=message.kind,
        waiting_since=iso(row.waiting_since) or "",
        expires_at=iso(row.expires_at) or "",
        attempts=row.attempts,
        maybe=row.maybe,
        partly=row.partly,
        error=row.error,
        alerts=_alerts(message),
    )


def _dead(letter: DeadLetter) -> Dead:
    message = letter.notification
    return Dead(
        id=message.id,
        channel=message.channel,
        kind=message.kind,
        died_at=iso(letter.died_at) or "",
        reason=letter.reason,
        attempts=letter.attempts,
        maybe=letter.maybe,
        alerts=_alerts(message),
    )


def _alerts(message: Notification) -> list[ToldAlert]:
    return [
        ToldAlert(fingerprint=told.alert.fingerprint, labels=dict(told.alert.labels), reason=told.reason)
        for told in message.alerts
    ]
