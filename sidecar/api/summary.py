"""The last minutes in numbers: health, alerts, how Claude did, what it cost, what was delivered."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal

from aiohttp import web
from pydantic import Field

from sidecar.api.checks import current
from sidecar.api.endpoint import Asked, Part, get
from sidecar.api.health import Health
from sidecar.api.moments import Stamp, iso
from sidecar.model.alerts import Alert, AlertState
from sidecar.model.families import (
    CLAUDE_COST,
    CLAUDE_DURATION,
    CLAUDE_FIRST_TOKEN,
    CLAUDE_REQUESTS,
    CLAUDE_TOKENS,
    NOTIFICATIONS,
    OUTBOX_AGE,
    OUTBOX_DEPTH,
)
from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.model.samples import SeriesData, is_stale
from sidecar.promql import Querier

WINDOWS: Final = {"1m": 60.0, "5m": 300.0, "1h": 3600.0}
"""The windows over which percentiles are kept, in seconds."""
Window = Literal["1m", "5m", "1h"]
_MEASURED: Final = (CLAUDE_DURATION.name, CLAUDE_FIRST_TOKEN.name)
_SHARED: Final = ("__name__", "quantile", "window")


class AskedSummary(Asked):
    """Over which time."""

    window: Window = Field("5m", description="One of the windows over which percentiles are kept.")


class Percentiles(Part):
    """How one kind of duration was distributed, in seconds."""

    metric: str = Field(description="The histogram's name.")
    labels: dict[str, str] = Field(description="Model, target, source.")
    samples: float = Field(description="How many observations stand behind them.")
    quantiles: dict[str, float] = Field(description="By quantile: 0.5, 0.9, 0.95, 0.99.")


class Count(Part):
    """How much of something there was."""

    labels: dict[str, str] = Field(description="What is counted.")
    count: float = Field(description="How many there were in the window.")


class Queue(Part):
    """What waits for one channel."""

    channel: str = Field(description="The channel's name.")
    waiting: float = Field(description="How many messages wait.")
    oldest_seconds: float = Field(description="Age of the oldest, in seconds.")


class AlertCounts(Part):
    """How many alerts there are."""

    firing: int = Field(description="How many fire.")
    pending: int = Field(description="How many are pending.")
    by_severity: dict[str, int] = Field(description="Those that fire.")


class Summary(Part):
    """The window in numbers."""

    window: Window = Field(description="Over what is counted.")
    at: Stamp = Field(description="When this was so.")
    health: Literal["healthy", "degraded", "unknown", "critical"] = Field(description="Overall health.")
    critical_failures: list[str] = Field(description="Critical checks that are down.")
    checks: dict[str, int] = Field(description="How many checks are up, down and unknown.")
    alerts: AlertCounts = Field(description="How many alerts fire, and how many are pending.")
    percentiles: list[Percentiles] = Field(description="Durations and first tokens of requests.")
    requests: list[Count] = Field(description="Requests to Claude, by model, outcome, error_type and source.")
    tokens: list[Count] = Field(description="Tokens, by model, token_type and source.")
    cost_dollars: list[Count] = Field(description="List price, by model and source.")
    deliveries: list[Count] = Field(description="What became of messages, by channel and result.")
    outbox: list[Queue] = Field(description="Messages that wait, by channel.")


def routes(
    querier: Callable[[], Querier],
    health: Callable[[], Health],
    alerts: Callable[[], Sequence[Alert]],
    now: Callable[[], float],
) -> list[web.RouteDef]:
    """The last minutes of what *querier* remembers."""

    async def summary(asked: AskedSummary) -> Summary:
        return summarize(querier(), health(), alerts(), asked.window, now())

    return [get("/api/v1/summary", summary, "The last minutes in numbers.", {400: "Wrong parameters."})]


def summarize(querier: Querier, health: Health, alerts: Sequence[Alert], window: Window, now: float) -> Summary:
    """Everything about *window* up to *now*."""
    states = Counter(check.status.value for check in health.checks)
    firing = [alert for alert in alerts if alert.firing]

    def counted(name: str, *by: str) -> list[Count]:
        return list(_counts(_named(querier, name), by, (now - WINDOWS[window]) * 1000))

    return Summary(
        window=window,
        at=iso(now) or "",
        health=health.status.value,
        critical_failures=list(health.critical_failures),
        checks={status: states[status] for status in ("up", "down", "unknown")},
        alerts=AlertCounts(
            firing=len(firing),
            pending=sum(alert.state is AlertState.PENDING for alert in alerts),
            by_severity=dict(Counter(alert.severity for alert in firing)),
        ),
        percentiles=[found for name in _MEASURED for found in _percentiles(querier, name, window, now)],
        requests=counted(CLAUDE_REQUESTS.name, "model", "outcome", "error_type", "source"),
        tokens=counted(CLAUDE_TOKENS.name, "model", "token_type", "source"),
        cost_dollars=counted(CLAUDE_COST.name, "model", "source"),
        deliveries=counted(NOTIFICATIONS.name, "channel", "result"),
        outbox=list(_outbox(querier, now)),
    )


def _percentiles(querier: Querier, name: str, window: str, now: float) -> Iterator[Percentiles]:
    counts = _latest(querier, f"{name}_window_count", window, now)
    found: dict[Labels, dict[str, float]] = {}
    for labels, value in _latest(querier, f"{name}_quantile", window, now).items():
        found.setdefault(labels.without(*_SHARED), {})[labels.text("quantile")] = value
    samples = {labels.without(*_SHARED): value for labels, value in counts.items()}
    for labels, quantiles in sorted(found.items(), key=lambda item: tuple(item[0].items())):
        yield Percentiles(
            metric=name,
            labels=dict(labels),
            samples=samples.get(labels, 0.0),
            quantiles=dict(sorted(quantiles.items())),
        )


def _latest(querier: Querier, name: str, window: str, now: float) -> Mapping[Labels, float]:
    return dict(current(_named(querier, name, Matcher("window", MatchOp.EQ, window)), now))


def _counts(series: Sequence[SeriesData], by: Sequence[str], since_ms: float) -> Iterator[Count]:
    sums: dict[Labels, float] = {}
    for one in series:
        labels = one.labels.only(*by)
        sums[labels] = sums.get(labels, 0.0) + grown(one, since_ms)
    for labels, count in sorted(sums.items(), key=lambda item: tuple(item[0].items())):
        if count:
            yield Count(labels=dict(labels), count=count)


def grown(series: SeriesData, since_ms: float) -> float:
    """By how much a counter grew since then, to the last sample; exact, where PromQL's `increase` extrapolates."""
    begin = max(0, bisect_right(series.times, since_ms) - 1)
    values = [value for value in series.values[begin:] if not is_stale(value)]
    return sum(after - before if after >= before else after for before, after in pairwise(values))


def _outbox(querier: Querier, now: float) -> Iterator[Queue]:
    ages = {labels.text("channel"): age for labels, age in current(_named(querier, OUTBOX_AGE.name), now)}
    for labels, depth in current(_named(querier, OUTBOX_DEPTH.name), now):
        channel = labels.text("channel")
        yield Queue(channel=channel, waiting=depth, oldest_seconds=ages.get(channel, 0.0))


def _named(querier: Querier, name: str, *more: Matcher) -> Sequence[SeriesData]:
    return querier.select((Matcher("__name__", MatchOp.EQ, name), *more))
