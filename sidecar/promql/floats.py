"""Arithmetic as Go's floats do it, where Python raises or answers otherwise."""

import math
from collections.abc import Sequence
from math import isnan

NAN = math.nan
INF = math.inf


def divide(a: float, b: float) -> float:
    if b:
        return a / b
    if isnan(a) or not a:
        return NAN
    return math.copysign(INF, a) * math.copysign(1.0, b)


def modulo(a: float, b: float) -> float:
    """The remainder with the sign of the dividend."""
    try:
        return math.fmod(a, b)
    except ValueError:
        return NAN


def power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INF if a < 0 and math.fmod(b, 2) else INF
    except ValueError:
        if a:
            return NAN  # a negative base and a broken exponent
        return math.copysign(INF, a) if math.fmod(b, 2) in (1, -1) else INF


def root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else NAN


def least(a: float, b: float) -> float:
    """The lesser one; NaN if one is NaN, unless the other is -Inf."""
    if -INF in (a, b):
        return -INF
    return NAN if isnan(a) or isnan(b) else min(a, b)


def greatest(a: float, b: float) -> float:
    """The greater one; NaN if one is NaN, unless the other is +Inf."""
    if INF in (a, b):
        return INF
    return NAN if isnan(a) or isnan(b) else max(a, b)


def floor(x: float) -> float:
    return math.copysign(math.floor(x), x) if math.isfinite(x) else x


def ceil(x: float) -> float:
    return math.copysign(math.ceil(x), x) if math.isfinite(x) else x


def total(values: Sequence[float]) -> float:
    """The sum, with Neumaier's compensation."""
    sum_ = carry = 0.0
    for value in values:
        new = sum_ + value
        if new - new:  # infinite or NaN
            carry = 0.0 if not isnan(new) else NAN
        elif abs(sum_) >= abs(value):
            carry += (sum_ - new) + value
        else:
            carry += (value - new) + sum_
        sum_ = new
    return sum_ + carry


def add(value: float, sum_: float, carry: float) -> tuple[float, float]:
    """One step of Neumaier's summation: the new sum and what it has lost so far."""
    new = sum_ + value
    if math.isinf(new):
        return new, 0.0
    if abs(sum_) >= abs(value):
        return new, carry + ((sum_ - new) + value)
    return new, carry + ((value - new) + sum_)


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value: the sum divided, or an incremental mean from where the sum would overflow."""
    sum_, carry = values[0], 0.0
    for done, value in enumerate(values[1:], start=1):
        new = sum_ + value
        if math.isinf(new):
            return _incremental_mean(values, done, sum_, carry)
        if abs(sum_) >= abs(value):
            carry += (sum_ - new) + value
        else:
            carry += (value - new) + sum_
        sum_ = new
    return sum_ / len(values) + carry / len(values)


def _incremental_mean(values: Sequence[float], done: int, sum_: float, carry: float) -> float:
    average, carry = sum_ / done, carry / done
    for count, value in enumerate(values[done:], start=done + 1):
        share = (count - 1) / count
        average, carry = add(value / count, share * average, share * carry)
    return average + carry


def maximum(values: Sequence[float]) -> float:
    """The greatest of at least one value, NaN only if there is nothing else."""
    best = values[0]
    for value in values:
        if value > best or isnan(best):
            best = value
    return best


def minimum(values: Sequence[float]) -> float:
    """The least of at least one value, NaN only if there is nothing else."""
    best = values[0]
    for value in values:
        if value < best or isnan(best):
            best = value
    return best


def quantile(q: float, values: Sequence[float]) -> float:
    """The value at rank *q*, interpolated; NaN counts as the smallest."""
    if isnan(q) or not values:
        return NAN
    if q < 0:
        return -INF
    if q > 1:
        return INF
    ordered = sorted(values, key=lambda value: (not isnan(value), value))
    rank = q * (len(ordered) - 1)
    lower = math.floor(rank)
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - lower
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def show(value: float) -> str:
    """*value* as Go writes it with the least digits and no exponent: `6`, `0.5`, `+Inf`."""
    if isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    digits, _, exponent = text.partition("e")
    sign = "-" if digits.startswith("-") else ""
    whole, _, fraction = digits.lstrip("-").partition(".")
    fraction = fraction.removesuffix("0") if fraction == "0" else fraction
    point = len(whole) + int(exponent)
    figures = whole + fraction
    if point <= 0:
        return f"{sign}0.{'0' * -point}{figures}"
    return f"{sign}{figures.ljust(point, '0')}"
