"""Alerts and messages to test with."""

from dataclasses import replace
from typing import Any

from sidecar.alerts.facts import Circumstances, Mute, Mutes, Policy
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import Notification, NotifyKind, Told, notification_id

RULE = RuleKey("group", "Down")
NOON = 1767614400.0


class Listener:
    """A channel, as far as decisions know one."""

    def __init__(self, *severities: str, send_resolved: bool = True) -> None:
        self.severities = severities
        self.max_per_minute = 0
        self.send_resolved = send_resolved


def firing(check: str = "a", since: float = NOON, **changes: Any) -> Alert:
    """An alert that fires."""
    alert = Alert(
        rule=RULE,
        labels=Labels(alertname="Down", check=check, severity="critical"),
        state=AlertState.FIRING,
        active_at=since - 10,
        fired_at=since,
        value=1.0,
        peak=2.0,
        condition="> 0",
        annotations=Labels(summary=f"{check} is down"),
    )
    return replace(alert, **changes)


def pending(check: str = "a", since: float = NOON) -> Alert:
    """An alert whose `for` runs."""
    return firing(check, state=AlertState.PENDING, active_at=since, fired_at=None)


def ended(check: str = "a", at: float = NOON, reason: EndReason = EndReason.RECOVERED, since: float = NOON) -> Alert:
    """An alert that is over."""
    return firing(check, since, state=AlertState.ENDED, ended_at=at, end_reason=reason)


def around(
    policy: Policy | None = None,
    *,
    listeners: dict[str, Listener] | None = None,
    muted: tuple[Mute, ...] = (),
    until: float | None = None,
    acked: bool = False,
) -> Circumstances:
    """Circumstances with one rule and a channel `hook`, unless others are given."""
    return Circumstances(
        channels={"hook": Listener()} if listeners is None else listeners,
        policies={RULE: policy or Policy()},
        mutes_of=lambda alert, channel, now: Mutes(frozenset(muted), until),
        acked=lambda alert: acked,
    )


def message(
    kind: NotifyKind,
    *checks: str,
    at: float = NOON,
    opened_at: float = NOON,
    n: int = 0,
    flips: int = 0,
    channel: str = "hook",
    expires_at: float | None = None,
) -> Notification:
    """A message about the alerts of *checks*, of check `a` when none is named."""
    over = kind in (NotifyKind.RESOLVE, NotifyKind.CLOSED)
    told = tuple(
        Told(ended(check, at, since=opened_at) if over else firing(check, opened_at), opened_at, n, flips, kind.value)
        for check in checks or ("a",)
    )
    key = told[0].alert.fingerprint
    return Notification(notification_id(channel, kind, told), channel, kind, key, told, at, expires_at=expires_at)
