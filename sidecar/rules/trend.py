"""What the values of alerts were before they are told."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from sidecar.model.alerts import Alert
from sidecar.model.labels import Labels
from sidecar.model.notifications import Trend
from sidecar.promql import Limits, Querier, Query, QueryError, Series, compile_
from sidecar.rules.compiled import Alerting
from sidecar.rules.evaluation import origin_of

STEPS: Final = 24
_SHORT, _LONG = 1800.0, 3600.0
_RECENT: Final = 1200.0  # seconds; what began earlier is shown over the longer time, so that its beginning is seen
_FEWEST: Final = 3
_SLIGHT: Final = 0.01  # of a value: a certificate's days go by within half an hour, too
_UP: Final = ("_up", ":up", "probe_success")
_LIMITS: Final = Limits(samples=200_000, elements=5_000, points=50_000)
"""Of one rule: some tens of milliseconds, in slices; a picture is not worth more of the gateway's time."""


def trends(
    rule: Alerting, querier: Querier, alerts: Collection[Alert], at: float, since: float
) -> Iterator[Mapping[str, Trend] | None]:
    """What was judged of each of *alerts*, all of *rule*, up to *at*; by fingerprint, without those that have none.

    Yields None whenever it has worked for a few ms, and the answer at last. The samples begin at *since*. Raises
    SidecarError.
    """
    began = min((alert.active_at for alert in alerts), default=at)
    step = (_SHORT if at - began <= _RECENT else _LONG) / STEPS
    found: dict[str, Trend] = {}
    for query in {query.text: query for query in rule.subject}.values():
        # A window that is only partly full would show a rise, or a fall, that never was.
        times = _times(at, step, since + rule.looks_back)
        if len(times) < _FEWEST:
            continue
        series: tuple[Series, ...] = ()
        up = _is_up(query)
        shown = _shares(query, times.step) if up else query
        for matrix in shown.range_in_slices(querier, times[0], times[-1], times[1] - times[0], _LIMITS):
            if matrix is None:
                yield None
            else:
                series = matrix.series
        yield None
        points = {one.labels.without("__name__"): dict(one.points) for one in series}
        if shown is not query:  # the last is of the moment itself
            for labels, value in query.vector(querier, times[-1], _LIMITS):
                points.setdefault(labels.without("__name__"), {})[times[-1]] = value
        yield None
        for alert in alerts:
            trend = _of(alert, rule, points, times, up=up)
            if trend is not None and alert.fingerprint in found:
                trend = _likelier(alert, found[alert.fingerprint], trend)
            if trend is not None:
                found[alert.fingerprint] = trend
    yield {fingerprint: trend for fingerprint, trend in found.items() if _telling(trend.values)}


def _times(at: float, step: float, since: float) -> range:
    """Milliseconds, *step* seconds apart, of which the last is *at* and none is before *since*."""
    end, step_ms = round(at * 1000), round(step * 1000)
    many = min(STEPS, int((end - since * 1000) // step_ms) + 1)
    return range(end - (many - 1) * step_ms, end + 1, step_ms) if many > 0 else range(0)


def _of(
    alert: Alert, rule: Alerting, points: Mapping[Labels, Mapping[int, float]], times: range, *, up: bool
) -> Trend | None:
    """The one of *points* that *alert* is about; None when there is none, or when it is about several together."""
    own = alert.labels.without("alertname", *(name for name, _ in rule.labels))
    behind = origin_of(own, points.keys())
    if len(behind) != 1:
        return None
    values = {at: float(f"{value:.6g}") for at, value in points[next(iter(behind))].items() if math.isfinite(value)}
    first = next((i for i, at in enumerate(times) if at in values), len(times))
    known = tuple(values.get(at) for at in times[first:])
    return Trend(times[-1] / 1000, times.step / 1000, known, up=up)


def _likelier(alert: Alert, one: Trend, other: Trend) -> Trend:
    """Which of two subjects of its rule *alert* is about: the one that ends with its value."""
    last = other.values[-1] if other.values else None
    return other if last is not None and math.isclose(last, alert.value, rel_tol=1e-5) else one


def _telling(values: Collection[float | None]) -> bool:
    """Whether *values* say anything: of what hardly changed the value says as much, and bars would exaggerate it."""
    known = [value for value in values if value is not None]
    if len(known) < _FEWEST:
        return False
    least, most = min(known), max(known)
    return most - least > _SLIGHT * max(abs(least), abs(most))


def _shares(query: Query, step: int) -> Query:
    """For which share of each *step*, in ms, *query* was 1: an outage that ends within one would else never have been.

    Of a series alone; what a rule has made of it already is looked at as it is.
    """
    try:
        return compile_(f"avg_over_time({query.text}[{step}ms])")
    except QueryError:
        return query


def _is_up(query: Query) -> bool:
    """Whether 1 means up in what is judged."""
    names = query.reads or ()
    return len(names) == 1 and next(iter(names)).endswith(_UP)
