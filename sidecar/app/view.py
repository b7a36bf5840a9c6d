"""The daemon as the API sees it."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from sidecar.alerts.book import AlertBook
from sidecar.api.evaluations import Evaluations
from sidecar.api.exposition import Live
from sidecar.api.health import Health
from sidecar.checks import Check
from sidecar.clock import SystemClock
from sidecar.config import Config
from sidecar.db import Database
from sidecar.model.alerts import Alert, RuleKey
from sidecar.model.checks import CheckState, ProbeResult
from sidecar.model.history import CheckHistory
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.model.notifications import Blame
from sidecar.model.samples import SeriesData
from sidecar.promql import Querier
from sidecar.rules.compiled import Alerting, RuleSet
from sidecar.services.prober import Prober
from sidecar.services.quieting import Quieter
from sidecar.services.uptime import Uptimes
from sidecar.store import Store


class Parts(Protocol):
    """What is asked of the daemon's parts; a reload may change each of them."""

    config: Config
    clock: SystemClock
    store: Store
    book: AlertBook
    database: Database
    prober: Prober
    evaluations: Evaluations
    quieter: Quieter
    uptimes: Uptimes

    def health(self) -> Health: ...
    def live(self) -> Live: ...
    def evidence_of(self, alert: Alert, /) -> str: ...
    def blame_of(self, alert: Alert, /) -> Blame | None: ...


class View:
    """Answers what the API asks about *daemon*; fits `sidecar.api.v1.Daemon`."""

    def __init__(self, daemon: Parts) -> None:
        self._daemon = daemon

    @property
    def checks(self) -> Sequence[Check]:
        return self._daemon.config.checks

    @property
    def rule_set(self) -> RuleSet:
        return self._daemon.config.rules

    @property
    def rules(self) -> Mapping[RuleKey, Alerting]:
        return self.rule_set.by_key

    @property
    def book(self) -> AlertBook:
        return self._daemon.book

    @property
    def database(self) -> Database:
        return self._daemon.database

    @property
    def querier(self) -> Querier:
        return self._daemon.store

    @property
    def evaluations(self) -> Evaluations:
        return self._daemon.evaluations

    @property
    def quieter(self) -> Quieter:
        return self._daemon.quieter

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._daemon.clock.time()

    def live(self) -> Live:
        """The current values."""
        return self._daemon.live()

    def health(self) -> Health:
        """Overall health now."""
        return self._daemon.health()

    def evidence_of(self, alert: Alert, /) -> str:
        """What speaks for *alert*."""
        return self._daemon.evidence_of(alert)

    def failure_of(self, alert: Alert, /) -> ProbeResult | None:
        """The failed probe that speaks for *alert*, if one does."""
        state = self.states().get(alert.labels.text("check"))
        return state.last_failure if state and self.evidence_of(alert) else None

    def blame_of(self, alert: Alert, /) -> Blame | None:
        """Whose fault *alert* is, where that is known."""
        return self._daemon.blame_of(alert)

    def states(self) -> Mapping[str, CheckState]:
        """Each check's state, by name."""
        return self._daemon.prober.states()

    def history(self, check: str, /) -> CheckHistory:
        """What the check's last probes came to, and how long it was up."""
        return self._daemon.uptimes.of(check)

    def next_run(self, check: str, /) -> float | None:
        """When the check is probed next, if that is known."""
        return self._daemon.prober.next_run(check)

    def series(self, check: str, /) -> Sequence[SeriesData]:
        """The check's series."""
        return self._daemon.store.select((Matcher("check", MatchOp.EQ, check),))

    def run_now(self, check: str, /) -> Awaitable[CheckState]:
        """Probe the check, or join the probe that is running."""
        return self._daemon.prober.run_now(check)
