"""`histogram_quantile` and `histogram_fraction` of classic histograms."""

import re
from bisect import bisect_left
from collections.abc import Callable
from math import isnan
from typing import Final

from sidecar.promql import ast, floats
from sidecar.promql.plan import Builder, Context, Element, Metric, VectorFn

Bucket = tuple[float, float]
"""Upper bound, and how many observations are not above it."""

_BOUND: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf(?:inity)?|INF)", re.ASCII)
_TOLERANCE: Final = 1e-12  # relative; what rates of equal counters may differ by
_SMALLEST_NORMAL: Final = 2.2250738585072014e-308


def quantile(builder: Builder, call: ast.Call) -> VectorFn:
    q_of, inner = builder.scalar(call.args[0]), builder.vector(call.args[1])
    group = _grouping(builder)
    q_place, place = call.places or ("", "")

    def run(context: Context, t: int) -> list[Element]:
        q = q_of(context, t)
        if not 0 <= q <= 1:
            context.warn(f"quantile value should be between 0 and 1, got {floats.show(q)}", q_place)
        found = []
        for metric, buckets in group(context, inner(context, t), place).items():
            value, forced = bucket_quantile(q, buckets)
            if forced:
                context.inform(
                    "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs"
                    f"/prometheus/latest/querying/functions/#histogram_quantile){_for_name(metric)}",
                    place,
                )
            found.append((metric, value))
        return found

    return run


def fraction(builder: Builder, call: ast.Call) -> VectorFn:
    low_of, high_of = builder.scalar(call.args[0]), builder.scalar(call.args[1])
    inner, group = builder.vector(call.args[2]), _grouping(builder)
    place = call.places[2] if call.places else ""

    def run(context: Context, t: int) -> list[Element]:
        low, high = low_of(context, t), high_of(context, t)
        histograms = group(context, inner(context, t), place)
        return [(metric, bucket_fraction(low, high, buckets)) for metric, buckets in histograms.items()]

    return run


def _grouping(builder: Builder) -> Callable[[Context, list[Element], str], dict[Metric, list[Bucket]]]:
    plan, known = builder.plan, builder.plan.cache()

    def read(metric: Metric) -> tuple[Metric, float] | None:
        bound = metric.labels.text("le")
        if _BOUND.fullmatch(bound) is None:
            return None
        return plan.metric(metric.labels.without("le")).dropped, float(bound)

    def group(context: Context, elements: list[Element], place: str) -> dict[Metric, list[Bucket]]:
        histograms: dict[Metric, list[Bucket]] = {}
        for metric, count in elements:
            if metric not in known:
                known[metric] = read(metric)
            key = known[metric]
            if key is None:
                bound = metric.labels.text("le").replace("\\", r"\\").replace('"', r"\"")
                context.warn(
                    f'bucket label "le" is missing or has a malformed value of "{bound}"{_for_name(metric)}', place
                )
                continue
            histograms.setdefault(key[0], []).append((key[1], count))
        return histograms

    return group


def _for_name(metric: Metric) -> str:
    return f' for metric name "{metric.labels.name}"' if metric.labels.name else ""


def bucket_quantile(q: float, buckets: list[Bucket]) -> tuple[float, bool]:
    """The value below which a share of *q* lies, interpolated; and whether the counts had to be made monotonic."""
    if isnan(q):
        return floats.NAN, False
    if not 0 <= q <= 1:
        return (-floats.INF if q < 0 else floats.INF), False
    bounds, counts = _merged(buckets)
    if bounds[-1] != floats.INF:
        return floats.NAN, False
    forced = _make_monotonic(counts)
    observed = counts[-1]
    if len(bounds) < 2 or observed == 0 or isnan(observed):
        return floats.NAN, forced
    rank = q * observed
    at = bisect_left(counts, rank, 0, len(counts) - 1)
    if at == len(counts) - 1:
        return bounds[-2], forced
    if at == 0:
        if bounds[0] <= 0:
            return bounds[0], forced
        return bounds[0] * floats.divide(rank, counts[0]), forced
    inside = floats.divide(rank - counts[at - 1], counts[at] - counts[at - 1])
    return bounds[at - 1] + (bounds[at] - bounds[at - 1]) * inside, forced


def bucket_fraction(low: float, high: float, buckets: list[Bucket]) -> float:
    """The share of observations between *low* and *high*, interpolated within buckets of finite width."""
    bounds, counts = _merged(buckets)
    observed = counts[-1]
    if bounds[-1] != floats.INF or observed == 0 or isnan(low) or isnan(high):
        return floats.NAN
    if low >= high:
        return 0.0
    below_high, below_low = _rank(high, bounds, counts), _rank(low, bounds, counts)
    return floats.divide(min(below_high, observed) - min(below_low, observed), observed)


def _rank(value: float, bounds: list[float], counts: list[float]) -> float:
    """How many observations are estimated to be not above *value*."""
    lower, before = (0.0 if bounds[0] > 0 else -floats.INF), 0.0
    for upper, count in zip(bounds, counts, strict=True):
        if lower >= value:
            return before
        if value < upper:
            if lower == -floats.INF:
                return count
            return before + (count - before) * (value - lower) / (upper - lower)
        lower, before = upper, count
    return counts[-1]


def _merged(buckets: list[Bucket]) -> tuple[list[float], list[float]]:
    """Bounds in order, each once, and their counts; equal bounds are the same bucket, written differently."""
    bounds: list[float] = []
    counts: list[float] = []
    for bound, count in sorted(buckets, key=lambda bucket: bucket[0]):
        if bounds and bounds[-1] == bound:
            counts[-1] += count
        else:
            bounds.append(bound)
            counts.append(count)
    return bounds, counts


def _make_monotonic(counts: list[float]) -> bool:
    """Let no count be less than the one before; whether one was, by more than rounding explains."""
    forced = False
    before = counts[0]
    for at, count in enumerate(counts):
        if count == before:
            continue
        if _almost_equal(before, count):
            counts[at] = before
        elif count < before:
            counts[at] = before
            forced = True
        else:
            before = count
    return forced


def _almost_equal(a: float, b: float) -> bool:
    if isnan(a) or isnan(b):
        return isnan(a) and isnan(b)
    difference, size = abs(a - b), abs(a) + abs(b)
    if a == 0 or b == 0 or size < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference / size < _TOLERANCE
