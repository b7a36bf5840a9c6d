"""PromQL over the metrics of the catalogue, for whatever the dashboard's variables choose."""

from typing import Final

from sidecar.model.families import BUILD_INFO
from sidecar.model.samples import Family, Kind

SCOPE: Final = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job", $by=~"$pod"'
"""The pods that the variables choose. `$by` is the label that tells pods apart: pod, or instance outside Kubernetes."""

RATE: Final = "$__rate_interval"
RANGE: Final = "$__range"
STEP: Final = "$__interval"
"""From one point of a graph to the next: bars that count must neither overlap nor leave anything out."""


def of(family: Family | str, *matchers: str) -> str:
    """The series of *family* that satisfy *matchers*; a text is the name of a metric that is not in the catalogue."""
    name = family if isinstance(family, str) else family.name
    return f"{name}{{{', '.join((*matchers, SCOPE))}}}"


def bucket(family: Family, *matchers: str) -> str:
    """The buckets of a histogram."""
    _expect(family, Kind.HISTOGRAM)
    return of(f"{family.name}_bucket", *matchers)


def percentile(family: Family, *matchers: str) -> str:
    """The percentiles that a sidecar keeps itself, by quantile and window: exact, but of one pod each."""
    if not family.percentiles:
        raise ValueError(f"got {family.name}, expected a metric whose percentiles are kept")
    return of(f"{family.name}_quantile", *matchers)


def behind(family: Family, *matchers: str) -> str:
    """How many observations are behind each percentile."""
    if not family.percentiles:
        raise ValueError(f"got {family.name}, expected a metric whose percentiles are kept")
    return of(f"{family.name}_window_count", *matchers)


def rate(family: Family | str, *matchers: str, window: str = RATE) -> str:
    """What is added to a counter in each second."""
    return f"rate({_counter(family, *matchers)}[{window}])"


def increase(family: Family | str, *matchers: str, window: str = RANGE) -> str:
    """What is added to a counter within *window*."""
    return f"increase({_counter(family, *matchers)}[{window}])"


def events(family: Family | str, *matchers: str, window: str = STEP) -> str:
    """`increase` for a counter of rare things, whose series begins with the first of them.

    A series that begins with 1 never increases for Prometheus, so the first failure of a kind would not be seen. One
    that was not there a window ago counts whole, if its daemon was: else a gap of the scrapes would look like failures.
    """
    series = _counter(family, *matchers)
    return (
        f"({series} unless {series} offset {window} and on (job, instance) {of(BUILD_INFO)} offset {window}"
        f" or increase({series}[{window}]))"
    )


def quantile(share: float, family: Family, *matchers: str, by: str = "", window: str = RATE) -> str:
    """A percentile over all pods, as near as the histogram's buckets allow."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({bucket(family, *matchers)}[{window}])))"


def spread(family: Family, *matchers: str) -> str:
    """How many values of a histogram fell into each bucket, from one point to the next."""
    return f"sum by (le) (increase({bucket(family, *matchers)}[{STEP}]))"


def share(some: str, every: str) -> str:
    """How much of *every* is *some*: 0 where there is none of it, no data where there is nothing at all."""
    return f"({some} or 0 * {every}) / {every}"


def else_zero(expression: str) -> str:
    """*expression*, or 0 where sidecars report and there is nothing to count; no data where none reports."""
    return f"{expression} or 0 * max({of(BUILD_INFO)})"


def _counter(family: Family | str, *matchers: str) -> str:
    if isinstance(family, Family):
        _expect(family, Kind.COUNTER)
    return of(family, *matchers)


def _expect(family: Family, kind: Kind) -> None:
    if family.kind is not kind:
        raise ValueError(f"got {family.name}, a {family.kind}, expected a {kind}")
