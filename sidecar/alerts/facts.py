"""What a decision about an alert and a channel depends on."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from sidecar.model.alerts import Alert, EndReason, RuleKey


class Mute(StrEnum):
    """Why nothing may be opened or repeated; a resolve is never muted."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    INTERVAL = "interval"
    INHIBITION = "inhibition"
    DEPENDENCY = "dependency"
    FLAPPING = "flapping"
    STARTING = "starting"
    OFFLINE = "offline"
    STORM = "storm"


@dataclass(frozen=True, slots=True)
class Mutes:
    """Whatever mutes an alert on a channel now, and when that may change by itself."""

    kinds: frozenset[Mute] = frozenset()
    until: float | None = None  # the earliest time to ask again; None: whoever changes a mute says so

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def __or__(self, other: "Mutes") -> "Mutes":
        ends = [until for until in (self.until, other.until) if until is not None]
        return Mutes(self.kinds | other.kinds, min(ends, default=None))

    def with_(self, kind: Mute, until: float) -> "Mutes":
        """These, and another one that ends at *until*."""
        return self | Mutes(frozenset({kind}), until)

    def __str__(self) -> str:
        return ", ".join(mute.value for mute in Mute if mute in self.kinds)


NOT_MUTED: Final = Mutes()


class MutesOf(Protocol):
    """Asks every mute about one alert on one channel."""

    def __call__(self, alert: Alert, channel: str, now: float, /) -> Mutes: ...


def never_muted(_alert: Alert, _channel: str, _now: float, /) -> Mutes:
    """A MutesOf that knows no mutes."""
    return NOT_MUTED


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rule says about telling: whom (everybody when empty), and how often, in seconds."""

    channels: tuple[str, ...] = ()
    cooldown: float = 300.0  # from one opening to the next
    repeat: float = 4 * 3600.0  # from one reminder to the next; 0 for none


DEFAULT_POLICY: Final = Policy()
"""For an alert whose rule left the configuration."""


class Listener(Protocol):
    """What a channel takes."""

    @property
    def severities(self) -> tuple[str, ...]: ...
    @property
    def send_resolved(self) -> bool: ...
    @property
    def max_per_minute(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known now about an alert on a channel."""

    firing_since: float | None = None
    ended: EndReason | None = None  # if it is not firing
    unrouted: str = ""  # why this channel is not told about it; empty when it is
    mutes: Mutes = NOT_MUTED
    acked: bool = False
    cooldown: float = 300.0
    repeat: float = 4 * 3600.0
    send_resolved: bool = True


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Everything outside the alerts that decisions depend on, as configured now."""

    channels: Mapping[str, Listener]
    policies: Mapping[RuleKey, Policy]
    mutes_of: MutesOf = never_muted
    acked: Callable[[Alert], bool] = lambda _alert: False
    evidence_of: Callable[[Alert], str] = lambda _alert: ""
    """What speaks for an alert, for a person: one line, safe to show to anybody."""
    advice_of: Callable[[Alert], str] = lambda _alert: ""
    """What to do about an alert, for rules that do not say: one line, or nothing."""

    def listeners(self, alert: Alert) -> Collection[str]:
        """The channels that the rule of *alert* names."""
        return self._policy(alert).channels or self.channels.keys()

    def cap(self, channel: str) -> int:
        """How many messages *channel* gets in a minute; 0 for any number."""
        listener = self.channels.get(channel)
        return listener.max_per_minute if listener else 0

    def facts(self, alert: Alert | None, channel: str, now: float) -> Facts:
        """The facts about *alert* on *channel*; None is an alert that is no more."""
        if alert is None:
            return Facts(unrouted="no alert")
        policy = self._policy(alert)
        listener = self.channels.get(channel)
        return Facts(
            firing_since=(alert.active_at if alert.fired_at is None else alert.fired_at) if alert.firing else None,
            ended=None if alert.firing else alert.end_reason,
            unrouted=self._unrouted(alert, channel),
            mutes=self.mutes_of(alert, channel, now) if alert.firing else NOT_MUTED,
            acked=self.acked(alert),
            cooldown=policy.cooldown,
            repeat=policy.repeat,
            send_resolved=listener.send_resolved if listener else True,
        )

    def _policy(self, alert: Alert) -> Policy:
        return self.policies.get(alert.rule, DEFAULT_POLICY)

    def _unrouted(self, alert: Alert, channel: str) -> str:
        listener = self.channels.get(channel)
        if listener is None:
            return "the channel is not configured"
        if alert.rule not in self.policies:
            return "the rule is not configured"
        if channel not in self.listeners(alert):
            return "the rule does not name the channel"
        if listener.severities and alert.severity not in listener.severities:
            return "the channel does not take the severity"
        return ""
