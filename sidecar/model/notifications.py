"""What a channel is told."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sidecar.model.alerts import Alert
from sidecar.model.labels import EMPTY, Labels

STORM: Final = "storm"
"""How the group key of a message begins that tells together what would have been too many messages."""


class NotifyKind(StrEnum):
    OPENING = "opening"
    REMINDER = "reminder"
    RESOLVE = "resolve"
    CLOSED = "closed"  # an opening and its end in one: fired and over before anybody could be told


@dataclass(frozen=True, slots=True)
class Trend:
    """What an alert's value was before it was told: one for each *step* seconds, the last at *end*.

    Times are seconds, *end* since the epoch. Values are finite, None where there was none; `up` says that each is for
    which share of its step it was up: 1 throughout, 0 never.
    """

    end: float
    step: float
    values: tuple[float | None, ...]
    up: bool = False

    @property
    def points(self) -> tuple[tuple[float, float | None], ...]:
        """Each value with its time, the oldest first."""
        start = self.end - self.step * (len(self.values) - 1)
        return tuple((start + i * self.step, value) for i, value in enumerate(self.values))


@dataclass(frozen=True, slots=True)
class Blame:
    """Whose it is to mend, where that is known and no guess."""

    fault: str  # our_request, our_key, our_account, gateway, network or provider
    who: str  # the same for a person: "Anthropic"
    ground: str  # why it is known: "overloaded; the check direct is refused as well"

    def __str__(self) -> str:
        return f"{self.who} ({self.ground})" if self.ground else self.who


@dataclass(frozen=True, slots=True)
class Told:
    """One alert inside a notification, as it was when the message was put."""

    alert: Alert
    opened_at: float
    n: int  # messages put since that opening, before this one
    flips: int = 0  # ends since the opening before
    reason: str = ""  # why now: "first", "repeat", "silence ended", "recovered", "no_data" …
    evidence: str = ""  # what the last failed probe said: one line of at most 300 characters, without secrets
    trend: Trend | None = None  # None where it would say nothing
    blame: Blame | None = None
    advice: str = ""  # what to do about the failed probe, where the rule itself does not say: one line


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one channel; `id` names the message, `group_key` the incident."""

    id: str
    channel: str
    kind: NotifyKind
    group_key: str
    alerts: tuple[Told, ...]
    created_at: float
    group_labels: Labels = EMPTY
    expires_at: float | None = None  # when it is not worth telling any more; None: when the outbox says so

    @property
    def firing(self) -> bool:
        return self.kind in (NotifyKind.OPENING, NotifyKind.REMINDER)


def notification_id(channel: str, kind: NotifyKind, alerts: Iterable[Told]) -> str:
    """The message's name: the same decision made twice has the same one, on any machine."""
    facts = sorted((t.alert.fingerprint, round(t.opened_at * 1000), t.n) for t in alerts)
    text = "\x00".join([channel, kind, *(f"{f}\x01{o}\x01{n}" for f, o, n in facts)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
