"""Functions of a range vector: one series' window in, one value or none out."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isnan
from operator import lt

from sidecar.promql import floats

Kernel = Callable[[Sequence[int], int, list[float], int, int], float | None]
"""Times, where in them the window begins, its values; the range, (start, end] in ms."""


def rate(times: Sequence[int], low: int, values: list[float], start: int, end: int) -> float | None:
    return _extrapolated(times, low, values, start, end, counter=True, per_second=True)


def increase(times: Sequence[int], low: int, values: list[float], start: int, end: int) -> float | None:
    return _extrapolated(times, low, values, start, end, counter=True, per_second=False)


def delta(times: Sequence[int], low: int, values: list[float], start: int, end: int) -> float | None:
    return _extrapolated(times, low, values, start, end, counter=False, per_second=False)


def _extrapolated(
    times: Sequence[int], low: int, values: list[float], start: int, end: int, *, counter: bool, per_second: bool
) -> float | None:
    """The growth between the first and last sample, stretched to the range as far as samples may be expected there."""
    gaps = len(values) - 1
    if gaps < 1:
        return None
    first = values[0]
    result = values[-1] - first
    if counter and any(map(lt, values[1:], values)):
        result += sum(before for before, after in pairwise(values) if after < before)

    first_at, last_at = times[low], times[low + gaps]
    sampled = (last_at - first_at) / 1000
    average = sampled / gaps
    to_start, to_end = (first_at - start) / 1000, (end - last_at) / 1000
    # A gap to the edge that is longer than samples are apart means that the series begins or ends there.
    threshold = average * 1.1
    if to_start >= threshold:
        to_start = average / 2
    if counter and result > 0 and first >= 0:
        # A counter is not negative: going back, it starts where it would reach zero.
        to_start = min(to_start, sampled * (first / result))
    if to_end >= threshold:
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= (end - start) / 1000
    return result * factor


def irate(times: Sequence[int], low: int, values: list[float], start: int, end: int) -> float | None:  # noqa: ARG001 -- a Kernel
    if len(values) < 2:
        return None
    last, before = values[-1], values[-2]
    at = low + len(values) - 1
    grown = last if last < before else last - before
    return grown / ((times[at] - times[at - 1]) / 1000)


def idelta(values: list[float]) -> float | None:
    return values[-1] - values[-2] if len(values) > 1 else None


def deriv(times: Sequence[int], low: int, values: list[float], start: int, end: int) -> float | None:  # noqa: ARG001 -- a Kernel
    return regression(times, low, values, times[low])[0] if len(values) > 1 else None


def regression(times: Sequence[int], low: int, values: list[float], at: int) -> tuple[float, float]:
    """Slope per second, and value at *at* ms, of the line through at least two samples."""
    if all(value == values[0] for value in values):
        return (floats.NAN, floats.NAN) if math.isinf(values[0]) else (0.0, values[0])
    n = len(values)
    xs = [(times[low + i] - at) / 1000 for i in range(n)]
    sum_x, sum_y = floats.total(xs), floats.total(values)
    covariance = floats.total([x * y for x, y in zip(xs, values, strict=True)]) - sum_x * sum_y / n
    slope = floats.divide(covariance, floats.total([x * x for x in xs]) - sum_x * sum_x / n)
    return slope, sum_y / n - slope * sum_x / n


def resets(values: list[float]) -> float:
    return float(sum(map(lt, values[1:], values)))


def changes(values: list[float]) -> float:
    return float(sum(a != b and not (isnan(a) and isnan(b)) for a, b in pairwise(values)))


def variance(values: list[float]) -> float:
    """The population variance, compensated at each step."""
    mean = mean_lost = sum_ = sum_lost = 0.0
    for count, value in enumerate(values, start=1):
        distance = value - (mean + mean_lost)
        mean, mean_lost = floats.add(distance / count, mean, mean_lost)
        sum_, sum_lost = floats.add(distance * (value - (mean + mean_lost)), sum_, sum_lost)
    return (sum_ + sum_lost) / len(values)


def of_values(function: Callable[[list[float]], float | None]) -> Kernel:
    """The kernel that looks at nothing but the values."""

    def kernel(times: Sequence[int], low: int, values: list[float], start: int, end: int) -> float | None:  # noqa: ARG001 -- a Kernel
        return function(values)

    return kernel


KERNELS: dict[str, Kernel] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": of_values(idelta),
    "deriv": deriv,
    "resets": of_values(resets),
    "changes": of_values(changes),
    "sum_over_time": of_values(floats.total),
    "avg_over_time": of_values(floats.mean),
    "min_over_time": of_values(floats.minimum),
    "max_over_time": of_values(floats.maximum),
    "count_over_time": of_values(lambda values: float(len(values))),
    "last_over_time": of_values(lambda values: values[-1]),
    "first_over_time": of_values(lambda values: values[0]),
    "present_over_time": of_values(lambda _: 1.0),
    "stdvar_over_time": of_values(variance),
    "stddev_over_time": of_values(lambda values: floats.root(variance(values))),
}
KEEP_NAME = frozenset({"last_over_time", "first_over_time"})
"""They act like an offset; all others compute a new metric."""
