"""Alerts as the pages show them: what to do first, then what speaks for it, and who knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.alerts.book import AlertBook
from sidecar.alerts.quieting import Ack, Silence, SilenceState
from sidecar.alerts.record import Record
from sidecar.api import alerts as api
from sidecar.api import wording
from sidecar.model.alerts import Alert, AlertState, RuleKey, severity_rank
from sidecar.model.checks import ProbeResult
from sidecar.page.daemon import Daemon
from sidecar.page.paced import paced
from sidecar.rules.compiled import Alerting

MOST: Final = 50
"""Alerts of each state that are shown with all their words."""
_TONES: Final = {0: "down", 1: "down", 2: "warn"}
_OUR_OWN: Final = frozenset({"alertname", "severity"})


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert with what was told about it, and what comes next."""

    alert: Alert
    said: api.ShownAlert
    records: Sequence[Record]
    next: Sequence[wording.Due]
    ack: Ack | None
    silences: Sequence[Silence]  # those that hold now

    @property
    def tone(self) -> str:
        """How bad it is, as a class of the style."""
        return _TONES.get(severity_rank(self.alert.severity), "")

    @property
    def about(self) -> Mapping[str, str]:
        """The labels that say which one it is."""
        return {name: text for name, text in self.alert.labels.items() if name not in _OUR_OWN}

    @property
    def told(self) -> list[Record]:
        """The channels that know that it fires."""
        return [record for record in self.records if record.open]


@dataclass(frozen=True, slots=True)
class Found:
    """The alerts of one state: so many with all their words, the worst and then the oldest first; and how many more."""

    shown: Sequence[Shown]
    more: int


async def gather(daemon: Daemon, state: AlertState, now: float) -> Found:
    """The alerts in *state*."""
    every = [alert for alert in daemon.book.alerts() if alert.state is state]
    chosen = sorted(every, key=_rank)[:MOST]
    telling = _Once(daemon)
    return Found([shown(alert, daemon, telling, now) async for alert in paced(chosen)], len(every) - len(chosen))


def shown(alert: Alert, daemon: Daemon, telling: api.Telling, now: float) -> Shown:
    """*alert* as it is."""
    rule = telling.rules.get(alert.rule)
    records = sorted(telling.book.records(alert.fingerprint), key=lambda record: record.channel)
    dues = wording.dues(alert, records, telling.book.dues(), rule.spec.for_ if rule else None)
    quiet = daemon.quieter.state
    ack = quiet.ack(alert.fingerprint)
    return Shown(
        alert=alert,
        said=api.shown(alert, telling, now),
        records=records,
        next=list(dues),
        ack=ack if ack is not None and ack.covers(alert) else None,
        silences=[one for one in quiet.silences if one.state(now) is SilenceState.ACTIVE and one.matches(alert.labels)],
    )


def _rank(alert: Alert) -> tuple[int, float, str]:
    return severity_rank(alert.severity), alert.active_at, alert.fingerprint


class _Once:
    """*daemon*, asked once for what is made anew each time: for fifty alerts, that would be most of the work."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._rules = dict(daemon.rules)

    @property
    def book(self) -> AlertBook:
        return self._daemon.book

    @property
    def rules(self) -> Mapping[RuleKey, Alerting]:
        return self._rules

    def evidence_of(self, alert: Alert, /) -> str:
        """What speaks for the alert."""
        return self._daemon.evidence_of(alert)

    def failure_of(self, alert: Alert, /) -> ProbeResult | None:
        """The failed probe that speaks for it, if one does."""
        return self._daemon.failure_of(alert)
