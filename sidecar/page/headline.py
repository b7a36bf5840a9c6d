"""How it goes, in one sentence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from sidecar.api import health
from sidecar.api.health import CheckView, Health, Status
from sidecar.checks import Check
from sidecar.model.alerts import Alert, severity_rank
from sidecar.model.checks import CheckState, CheckStatus
from sidecar.page.daemon import Daemon
from sidecar.page.writing import words

_NAMED: Final = 3
"""Checks that are named in a sentence; of more, the number is told."""
_SERIOUS: Final = 1
"""Of a severity's rank: what wakes people."""


class Since(NamedTuple):
    """A sentence with a time behind it, and why."""

    text: str
    at: float | None = None  # since when, seconds since the epoch
    check: str = ""  # the check whose reason says more
    several: bool = False  # whether that is of the first of several


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence, and the tone of the whole: the worst of what checks and alerts say."""

    tone: Status
    text: str
    at: float | None  # since when, seconds since the epoch
    check: str  # the check whose reason says more
    beside: str  # what fires, and what else is down; empty when nothing is, or the sentence says it
    several: bool = False  # whether *at* is when the first of several began


def headline(found: Health, alerts: Sequence[Alert]) -> Headline:
    """What is to be said of *found*, the health, and of the *alerts* that fire."""
    firing = [alert for alert in alerts if alert.firing]
    tone = found.status
    if any(severity_rank(alert.severity) <= _SERIOUS for alert in firing):
        tone = Status.CRITICAL
    elif firing and tone is Status.HEALTHY:
        tone = Status.DEGRADED
    told = words(len(firing), "alert") + (" fires" if len(firing) == 1 else " fire") if firing else ""
    said = _said(found, firing)
    others = sum(check.status is CheckStatus.DOWN for check in found.checks) - len(found.critical_failures)
    if found.critical_failures and others:
        verb = "is" if others == 1 else "are"
        told = "; ".join(filter(None, (told, f"{words(others, 'other check')} {verb} down, too")))
    if found.status is Status.HEALTHY and firing:
        return Headline(tone, f"{told}, although {said.text}", None, "", "")
    return Headline(tone, f"{found.status.value.capitalize()}: {said.text}", said.at, said.check, told, said.several)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a headline is made of, read on the event loop; to make it of a thousand checks is work for a thread."""

    checks: Sequence[Check]
    states: Mapping[str, CheckState]
    alerts: Sequence[Alert]

    @classmethod
    def of(cls, daemon: Daemon) -> Self:
        """As *daemon* knows it now."""
        return cls(daemon.checks, daemon.states(), daemon.book.alerts())

    def headline(self, now: float) -> Headline:
        """What is to be said of all this."""
        views = [
            CheckView(check.name, check.type, check.target, check.critical, self.states.get(check.name, CheckState()))
            for check in self.checks
        ]
        return headline(health.health(views, now), self.alerts)


def _said(found: Health, firing: Sequence[Alert]) -> Since:
    match found.status:
        case Status.CRITICAL:
            failed = [check for check in found.checks if check.name in found.critical_failures]
            return _down(failed, firing, "critical check")
        case Status.DEGRADED:
            return _down([check for check in found.checks if check.status is CheckStatus.DOWN], firing)
        case Status.UNKNOWN:
            return _unknown(found)
    total, up = len(found.checks), sum(check.status is CheckStatus.UP for check in found.checks)
    if up == total:
        return Since("the only check is up" if up == 1 else f"all {up} checks are up")
    return Since(f"{up} of {words(total, 'check')} are up, and none is down")


def _down(checks: Sequence[CheckView], firing: Sequence[Alert], noun: str = "check") -> Since:
    names = {check.name for check in checks}
    begun = [check.state.since for check in checks if check.state.since is not None]
    # A daemon that was restarted meanwhile saw them go down when it began; what fires remembers when it was.
    begun += [alert.active_at for alert in firing if alert.labels.text("check") in names]
    began = min(begun, default=None)
    if len(checks) == 1:
        return Since(f"{checks[0].name} is down", began, checks[0].name)
    return Since(f"{words(len(checks), noun)} are down ({_names(checks)})", began, checks[0].name, several=True)


def _unknown(found: Health) -> Since:
    if not found.checks:
        return Since("nothing is watched: the configuration has no checks")
    open_ = [check for check in found.checks if check.status is CheckStatus.UNKNOWN]
    told = [check for check in open_ if check.critical] or open_
    if all(check.state.last is None for check in told):
        return Since("no result yet of " + _names(told))
    begun = [check.state.since for check in told if check.state.since is not None]
    verb = "has" if len(told) == 1 else "have"
    return Since(f"{_names(told)} {verb} no verdict", min(begun, default=None), told[0].name)


def _names(checks: Sequence[CheckView]) -> str:
    return ", ".join(_some([check.name for check in checks]))


def _some(names: Sequence[str]) -> Iterator[str]:
    yield from names[:_NAMED]
    if len(names) > _NAMED:
        yield f"and {len(names) - _NAMED} more"
