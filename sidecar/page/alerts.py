"""Alerts as the pages show them: what to do first, then what speaks for it, and who knows."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.alerts.book import AlertBook
from sidecar.alerts.quieting import Ack, Quieting, Silence, SilenceState
from sidecar.alerts.record import Key, Record
from sidecar.api import alerts as api
from sidecar.api import wording
from sidecar.api.paced import paced
from sidecar.db import undelivered
from sidecar.model.alerts import Alert, AlertState, RuleKey, severity_rank
from sidecar.model.checks import ProbeResult
from sidecar.model.notifications import Blame
from sidecar.page.daemon import Daemon
from sidecar.rules.compiled import Alerting

MOST: Final = 50
"""Alerts of each state that are shown with all their words."""
_TONES: Final = {0: "down", 1: "down", 2: "warn"}
_ELSEWHERE: Final = frozenset({"alertname", "severity", "critical", "type", "pod"})
"""Labels that say little about which alert it is, or stand on the page already."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert with what was told about it, and what comes next."""

    alert: Alert
    said: api.ShownAlert
    records: Sequence[Record]
    next: Sequence[wording.Due]
    ack: Ack | None
    silences: Sequence[Silence]  # those that hold now
    waiting: Sequence[str]  # channels for which a message about it is still on its way
    check: str  # the check that it names, if there is one of that name

    @property
    def tone(self) -> str:
        """How bad it is, as a class of the style; what ended is not bad any more."""
        if self.alert.state is AlertState.ENDED:
            return ""
        return _TONES.get(severity_rank(self.alert.severity), "")

    @property
    def figure(self) -> bool:
        """Whether the value says anything: under `== 0` it is 0, and nothing else."""
        return not self.alert.condition.startswith("==") or math.isnan(self.alert.value)

    @property
    def about(self) -> Mapping[str, str]:
        """The labels that say which one it is."""
        left_out = _ELSEWHERE | {"check"} if self.check else _ELSEWHERE
        return {name: text for name, text in self.alert.labels.items() if name not in left_out}

    @property
    def told(self) -> list[Record]:
        """The channels that know that it fires: they have a message about it already."""
        return [
            record for record in self.records if record.open and (record.n > 1 or record.channel not in self.waiting)
        ]

    @property
    def value(self) -> str:
        """As people read it; the API has all digits."""
        return f"{self.alert.value:.4g}"

    @property
    def steps(self) -> list[tuple[str, str, float | None]]:
        """What comes next: for whom, what and when; channels for which the same comes share a line."""
        found: dict[tuple[str, float | None], list[str]] = {}
        for due in self.next:
            found.setdefault((due.what, due.at if due.at is None else round(due.at)), []).append(due.channel)
        return [(", ".join(filter(None, channels)), what, at) for (what, at), channels in found.items()]


@dataclass(frozen=True, slots=True)
class Found:
    """The alerts of one state: so many with all their words, and how many more.

    The worst first; of these, those about critical checks; of these, the oldest.
    """

    shown: Sequence[Shown]
    more: int


class _Once:
    """*daemon*, asked once for what is made anew each time: for fifty alerts, that would be most of the work."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._rules = dict(daemon.rules)
        self.checks = frozenset(check.name for check in daemon.checks)

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

    def blame_of(self, alert: Alert, /) -> Blame | None:
        """Whose it is to mend, where that is known."""
        return self._daemon.blame_of(alert)


async def gather(daemon: Daemon, state: AlertState, now: float) -> Found:
    """The alerts in *state*."""
    every = [alert for alert in daemon.book.alerts() if alert.state is state]
    chosen = sorted(every, key=_rank)[:MOST]
    return Found(await shown(chosen, daemon, now), len(every) - len(chosen))


async def shown(alerts: Sequence[Alert], daemon: Daemon, now: float) -> list[Shown]:
    """*alerts* as they are, in that order."""
    if not alerts:
        return []
    waiting, telling = await daemon.database.run(undelivered.pairs), _Once(daemon)
    return [_shown(alert, telling, daemon.quieter.state, waiting, now) async for alert in paced(alerts)]


def _shown(alert: Alert, telling: _Once, quiet: Quieting, waiting: Collection[Key], now: float) -> Shown:
    rule = telling.rules.get(alert.rule)
    records = sorted(telling.book.records(alert.fingerprint), key=lambda record: record.channel)
    dues = wording.dues(alert, records, telling.book.dues(), rule.spec.for_ if rule else None)
    ack = quiet.ack(alert.fingerprint)
    return Shown(
        alert=alert,
        said=api.shown(alert, telling, now),
        records=records,
        next=list(dues),
        ack=ack if ack is not None and ack.covers(alert) else None,
        silences=[one for one in quiet.silences if one.state(now) is SilenceState.ACTIVE and one.matches(alert.labels)],
        waiting=[record.channel for record in records if record.key in waiting],
        check=name if (name := alert.labels.text("check")) in telling.checks else "",
    )


def _rank(alert: Alert) -> tuple[int, bool, float, str]:
    critical = alert.labels.text("critical") == "true"  # it is about a check that decides the headline
    return severity_rank(alert.severity), not critical, alert.active_at, alert.fingerprint
