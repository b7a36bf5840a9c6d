"""How Claude did, what it cost, what was delivered and what was refused: the last hour in numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.api import checks, summary
from sidecar.api.health import Health, Status
from sidecar.api.summary import Count, Percentiles, Summary
from sidecar.model import families
from sidecar.model.checks import WAITING
from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.model.samples import Family
from sidecar.page.daemon import Daemon

HOUR: Final = 3600.0
MINUTES: Final = 300.0
"""Seconds of which it tells beside the hour."""
_NOBODY: Final = Health(Status.UNKNOWN, (), (), 0.0)
"""The summary counts checks, too; here they are counted elsewhere, and with a thousand of them that is slow."""
_QUANTILES: Final = ("0.5", "0.95", "0.99")
_REFUSED: Final[Mapping[Family, str]] = {
    families.SAMPLES_REFUSED: "samples refused",
    families.EVENTS: "events rejected",
    families.HTTP_REFUSED: "connections refused, too many at once",
    families.PROBES_MISSED: "probes that could not start in time",
    families.CHECK_UNDECIDED: "probes that came to no verdict",
    families.RULE_FAILURES: "rules that could not be evaluated",
    families.RULE_MISSED: "turns of rule groups that were missed",
    families.TEMPLATE_FAILURES: "texts of rules that could not be made",
    families.PERCENTILES_FOLDED: "label sets folded into `other`",
    families.TELEMETRY_DROPPED: "telemetry that no collector took",
    families.NOTIFICATION_FAILURES: "failed attempts to deliver",
}
"""What is counted when something is lost, and what that is in words."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How one kind of duration of one model was distributed, in seconds, in the last 5 minutes and in the last hour."""

    labels: Mapping[str, str]
    metric: str
    now: Percentiles | None
    hour: Percentiles | None

    @property
    def what(self) -> str:
        """What was measured."""
        return "first token" if self.metric == families.CLAUDE_FIRST_TOKEN.name else "answer"

    def pairs(self) -> list[tuple[str, float | None, float | None]]:
        """Quantile, its value in the last 5 minutes, and in the last hour."""
        return [
            (f"p{float(name) * 100:g}", _quantile(self.now, name), _quantile(self.hour, name)) for name in _QUANTILES
        ]


@dataclass(frozen=True, slots=True)
class Lost:
    """Something that was refused or dropped."""

    what: str
    labels: Mapping[str, str]
    count: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """The last hour, or less if there was less: *since*, in seconds since the epoch."""

    since: float
    hour: Summary
    distributions: Sequence[Distribution]
    lost: Sequence[Lost]
    itself: Mapping[str, float | None]  # current values of the daemon's own gauges, by metric; None before the first

    @property
    def cost(self) -> Sequence[Count]:
        return self.hour.cost_dollars

    @property
    def requests(self) -> Sequence[Count]:
        return self.hour.requests


_ITSELF: Final = (
    families.PROCESS_START,
    families.PROCESS_RESIDENT,
    families.LOOP_LAG,
    families.SERIES,
    families.DATABASE_WRITABLE,
    families.CONNECTIVITY_UP,
    families.HTTP_CONNECTIONS,
)


def gather(daemon: Daemon, now: float) -> Numbers:
    """The numbers as they are."""
    itself: dict[str, float | None] = {family.name: None for family in _ITSELF}
    itself |= {family.name: value for family in _ITSELF for _, value in _current(daemon, family, now)}
    hour = summary.summarize(daemon.querier, _NOBODY, (), "1h", now)
    minutes = summary.summarize(daemon.querier, _NOBODY, (), "5m", now)
    started = itself[families.PROCESS_START.name] or 0.0
    return Numbers(
        since=max(now - HOUR, started),
        hour=hour,
        distributions=list(_distributions(minutes.percentiles, hour.percentiles)),
        lost=list(_lost(daemon, now)),
        itself=itself,
    )


def _distributions(now: Sequence[Percentiles], hour: Sequence[Percentiles]) -> Iterator[Distribution]:
    recent = {(one.metric, tuple(one.labels.items())): one for one in now if one.samples}
    for one in sorted(hour, key=lambda one: [one.labels.get(name, "") for name in ("model", "source", "target")]):
        if one.samples:
            yield Distribution(one.labels, one.metric, recent.get((one.metric, tuple(one.labels.items()))), one)


def _quantile(found: Percentiles | None, name: str) -> float | None:
    return found.quantiles.get(name) if found else None


def _lost(daemon: Daemon, now: float) -> Iterator[Lost]:
    for family, what in _REFUSED.items():
        sums: dict[Labels, float] = {}
        for series in daemon.querier.select((Matcher("__name__", MatchOp.EQ, family.name),)):
            labels = series.labels.without("__name__", "pod", "target", "type", "critical")
            if family is families.EVENTS and labels.text("result") != "rejected":
                continue
            if labels.text("reason") == WAITING:  # nothing is lost
                continue
            sums[labels] = sums.get(labels, 0.0) + summary.grown(series, (now - HOUR) * 1000)
        for labels, count in sorted(sums.items(), key=lambda item: -item[1])[:20]:
            if count:
                yield Lost(what, labels, count)


def _current(daemon: Daemon, family: Family, now: float) -> list[tuple[Labels, float]]:
    return checks.current(daemon.querier.select((Matcher("__name__", MatchOp.EQ, family.name),)), now)
