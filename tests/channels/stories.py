"""Notifications to tell: one for each thing that a channel may be told, and one full of hostile words."""

from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any, Final

from sidecar.clock import Clock
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import STORM, Blame, Notification, NotifyKind, Told, Trend, notification_id
from sidecar.outbound import Outbound

NOON: Final = 1767614400.0
"""2026-01-05 12:00:00 UTC, where virtual time begins."""

RUNBOOK: Final = "https://runbooks.example.com/claude?page=down&from=alert"

DOWN: Final = Alert(
    rule=RuleKey("availability", "ClaudeDown"),
    labels=Labels(alertname="ClaudeDown", severity="critical", check="messages", model="claude-haiku-5-5"),
    state=AlertState.FIRING,
    active_at=NOON - 75,
    fired_at=NOON - 60,
    value=0.0,
    annotations=Labels(
        summary="Claude does not answer",
        description="The check messages failed 5 times in a row: overloaded.",
        next_step="Look at https://status.claude.com and switch the gateway to its fallback.",
        runbook_url=RUNBOOK,
        owner="team gateway",
    ),
    condition="== 0",
)

SLOW: Final = Alert(
    rule=RuleKey("latency", "ClaudeSlow"),
    labels=Labels(alertname="ClaudeSlow", severity="warning", quantile="0.95", model="claude-opus-5"),
    state=AlertState.FIRING,
    active_at=NOON - 400,
    fired_at=NOON - 100,
    value=4.21378,
    peak=6.5,
    annotations=Labels(summary="The first token takes long"),
    condition="> 3",
    samples=412.0,
)

EVIL: Final = (
    "\u202eevil\u2066 \x00\x1b[31m <!channel> <@U1> @here </a><script>alert(1)</script>"
    "\r\nBcc: x@y\u2028*b* `c` 😀 | & \u200b"
)
"""Words that mean something to a terminal, a chat, a browser or a mail server."""


SAID: Final = "overloaded: HTTP 529 overloaded_error: Overloaded (request id req_011CSHoEeqs5C35K2UUqR7Fy)"
"""What the last failed probe of ClaudeDown's check came to."""


ANTHROPIC: Final = Blame("provider", "Anthropic", "overloaded, says the API itself")

WENT_DOWN: Final = Trend(NOON, 75.0, (1.0,) * 20 + (0.0, 1.0, 1.0, 0.0), up=True)
"""What the check of ClaudeDown was."""

GREW: Final = Trend(NOON, 75.0, (0.812, 0.9, 0.85, None, None, *(1 + i / 5 for i in range(17)), 6.5, 4.21378))
"""How ClaudeSlow came to its value, with two ticks without one."""


def told(alert: Alert, *, reason: str = "first", **more: Any) -> Told:
    fields: dict[str, Any] = {"opened_at": NOON - 60, "n": 0, "reason": reason}
    return Told(alert, **fields | more)


def ended(alert: Alert, reason: EndReason, at: float, **more: Any) -> Alert:
    fields = {name: getattr(alert, name) for name in alert.__dataclass_fields__}
    return Alert(**fields | {"state": AlertState.ENDED, "ended_at": at, "end_reason": reason} | more)


def notification(kind: NotifyKind, *alerts: Told, at: float = NOON, channel: str = "team") -> Notification:
    group_key = alerts[0].alert.fingerprint if len(alerts) == 1 else '{}:{severity="critical"}'
    return Notification(notification_id(channel, kind, alerts), channel, kind, group_key, alerts, at)


def storm(alerts: int) -> Notification:
    """So many alerts at once, of three rules."""
    rules = (DOWN, SLOW, replace(SLOW, labels=SLOW.labels.with_(alertname="ClaudeOutputSlow", severity="info")))
    contents = [
        told(
            replace(rule, labels=rule.labels.with_(check=f"gateway-{i:03}")),
            trend=WENT_DOWN if rule is DOWN else GREW,
        )
        for i, rule in zip(range(alerts), cycle(rules), strict=False)
    ]
    return replace(notification(NotifyKind.OPENING, *contents), group_key=f"{STORM}-0123456789abcdef")


def hostile(words: str = EVIL) -> Notification:
    name = words[:1000]
    alert = Alert(
        rule=RuleKey("hostile", "Hostile"),
        labels=Labels(alertname="Hostile" + name, severity="critical" + name, path=name, **{"a" + name: "b"}),
        state=AlertState.FIRING,
        active_at=NOON - 75,
        fired_at=NOON - 60,
        value=float("nan"),
        annotations=Labels(
            summary=words,
            description=words,
            next_step=words,
            runbook_url="javascript:alert(1)//" + words,
            dashboard_url='https://dash.example.com/"><script>alert(1)</script>|x',
            other=words,
        ),
        condition="> 3",
        note=words,
    )
    blame = Blame(words, words, words)
    return notification(NotifyKind.OPENING, told(alert, reason=words, evidence=words, blame=blame))


STORIES: Final = {
    "opening": notification(NotifyKind.OPENING, told(DOWN, flips=2, evidence=SAID, trend=WENT_DOWN, blame=ANTHROPIC)),
    "opening_group": notification(NotifyKind.OPENING, told(SLOW, trend=GREW), told(DOWN, trend=WENT_DOWN)),
    "opening_no_data": notification(
        NotifyKind.OPENING,
        told(Alert(RuleKey("a", "Quiet"), Labels(alertname="Quiet"), AlertState.FIRING, NOON - 9, float("nan"))),
    ),
    "reminder": notification(NotifyKind.REMINDER, told(SLOW, n=1, reason="repeat", trend=GREW), at=NOON + 4 * 3600),
    "reminder_silence_ended": notification(
        NotifyKind.REMINDER, told(DOWN, n=1, reason="silence ended", evidence=SAID), at=NOON + 900
    ),
    "resolve": notification(
        NotifyKind.RESOLVE,
        told(
            ended(SLOW, EndReason.RECOVERED, NOON + 500, annotations=SLOW.annotations.with_(runbook_url=RUNBOOK)),
            n=1,
            reason="recovered",
            trend=Trend(NOON + 500, 75.0, (*GREW.values[6:], 3.5, 2.1, 1.0, 0.9, 0.8, 0.85)),
        ),
        at=NOON + 500,
    ),
    "resolve_no_data": notification(
        NotifyKind.RESOLVE, told(ended(SLOW, EndReason.NO_DATA, NOON + 500), n=1, reason="no_data"), at=NOON + 500
    ),
    "resolve_replaced": notification(
        NotifyKind.RESOLVE,
        told(
            ended(DOWN, EndReason.REPLACED, NOON + 9, replaced_by="0123456789abcdef"),
            n=1,
            reason="replaced",
            evidence=SAID,
        ),
        at=NOON + 9,
    ),
    "resolve_mixed": notification(
        NotifyKind.RESOLVE,
        told(ended(DOWN, EndReason.RECOVERED, NOON + 300), n=1, reason="recovered"),
        told(ended(SLOW, EndReason.REMOVED, NOON + 500), n=1, reason="removed"),
        at=NOON + 500,
    ),
    "closed": notification(
        NotifyKind.CLOSED,
        told(
            ended(DOWN, EndReason.RECOVERED, NOON + 600),
            reason="recovered",
            evidence=SAID,
            blame=ANTHROPIC,
            trend=replace(WENT_DOWN, values=(*WENT_DOWN.values[8:], *(0.0,) * 7, 1.0)),
        ),
        at=NOON + 600,
    ),
    "late": notification(NotifyKind.OPENING, told(DOWN, evidence=SAID, trend=WENT_DOWN)),
    "storm": storm(24),
    "hostile": hostile(),
}
"""By name: what is told. The messages are sent five seconds after they were put; those told late, ten minutes."""


def sent_at(name: str) -> float:
    return STORIES[name].created_at + (600 if name in ("closed", "late") else 5)


@dataclass(frozen=True)
class Fixed:
    """A clock that stands."""

    now: float

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@dataclass(frozen=True)
class Ctx:
    """The other end of a delivery, as delivery would hand it in."""

    outbound: Outbound = field(default_factory=Outbound)
    clock: Clock = field(default_factory=lambda: Fixed(NOON + 5))
    external_url: str = "https://sidecar.example.com"
    external_labels: dict[str, str] = field(default_factory=lambda: {"cluster": "prod", "region": "eu"})
    timezone: str = "Europe/Berlin"
