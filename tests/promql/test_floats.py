"""Arithmetic as Go's floats do it."""

import math
import random

import pytest

from sidecar.promql import floats

INF, NAN = math.inf, math.nan


def _same(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))


@pytest.mark.parametrize(
    ("function", "a", "b", "result"),
    [
        pytest.param(floats.divide, 1.0, 0.0, INF, id="division by zero"),
        pytest.param(floats.divide, 1.0, -0.0, -INF, id="division by minus zero"),
        pytest.param(floats.divide, -1.0, 0.0, -INF, id="of a negative number"),
        pytest.param(floats.divide, 0.0, 0.0, NAN, id="zero by zero"),
        pytest.param(floats.divide, NAN, 0.0, NAN, id="no number by zero"),
        pytest.param(floats.divide, 1.0, NAN, NAN, id="by no number"),
        pytest.param(floats.modulo, -5.0, 3.0, -2.0, id="a remainder has the dividend's sign"),
        pytest.param(floats.modulo, 5.0, 0.0, NAN, id="a remainder of zero"),
        pytest.param(floats.modulo, INF, 3.0, NAN, id="a remainder of infinity"),
        pytest.param(floats.power, -2.0, 1025.0, -INF, id="a power overflows to its sign"),
        pytest.param(floats.power, -2.0, 1024.0, INF, id="an even power overflows upward"),
        pytest.param(floats.power, -8.0, 1 / 3, NAN, id="a root of a negative number"),
        pytest.param(floats.power, 0.0, -1.0, INF, id="zero to a negative power"),
        pytest.param(floats.power, -0.0, -1.0, -INF, id="minus zero to an odd power"),
        pytest.param(floats.power, -0.0, -2.0, INF, id="minus zero to an even power"),
        pytest.param(floats.power, NAN, 0.0, 1.0, id="anything to the power of zero"),
        pytest.param(floats.least, NAN, -INF, -INF, id="nothing is less than minus infinity"),
        pytest.param(floats.least, NAN, 1.0, NAN, id="no number is contagious"),
        pytest.param(floats.greatest, INF, NAN, INF, id="nothing is greater than infinity"),
        pytest.param(floats.greatest, 1.0, NAN, NAN, id="no number is contagious, too"),
    ],
)
def test_two_numbers(function, a, b, result):
    """Where Python raises or differs, the answer is Go's."""
    assert _same(function(a, b), result)


@pytest.mark.parametrize(
    ("values", "total", "mean"),
    [
        pytest.param([1.0, 1e100, 1.0, -1e100], 2.0, 0.5, id="small beside large"),
        pytest.param([0.1] * 10, 1.0, 0.1, id="tenths"),
        pytest.param([1e308, 1e308], INF, 1e308, id="a sum that overflows has a mean"),
        pytest.param([-1e308, -1e308, 1e308], -INF, -1e308 / 3, id="a sum that overflows at first"),
        pytest.param([INF, 1.0], INF, INF, id="infinity"),
        pytest.param([1.0, INF, -INF], NAN, NAN, id="both infinities"),
        pytest.param([INF, NAN], NAN, NAN, id="infinity and no number"),
        pytest.param([NAN], NAN, NAN, id="no number"),
        pytest.param([-5.0], -5.0, -5.0, id="one"),
    ],
)
def test_sums(values, total, mean):
    """Sums are compensated; a mean does not overflow with its sum."""
    assert floats.total(values) == pytest.approx(total, rel=1e-12, nan_ok=True)
    assert floats.mean(values) == pytest.approx(mean, rel=1e-12, nan_ok=True)


def test_sums_are_exact_enough():
    """A compensated sum of numbers of like size is as good as an exact one."""
    chance = random.Random(7)
    values = [chance.uniform(-1e6, 1e6) for _ in range(1000)]

    assert floats.total(values) == pytest.approx(math.fsum(values), rel=1e-14)


@pytest.mark.parametrize(
    ("q", "values", "result"),
    [
        pytest.param(0.5, [3.0, 1.0, 2.0], 2.0, id="the middle"),
        pytest.param(0.25, [1.0, 2.0], 1.25, id="between"),
        pytest.param(1.0, [1.0, 2.0], 2.0, id="the last"),
        pytest.param(0.0, [1.0, NAN], NAN, id="no number is the smallest"),
        pytest.param(1.0, [1.0, NAN], 1.0, id="and not the greatest"),
        pytest.param(-0.1, [1.0], -INF, id="too low"),
        pytest.param(1.1, [1.0], INF, id="too high"),
        pytest.param(NAN, [1.0], NAN, id="no quantile"),
        pytest.param(0.5, [], NAN, id="no values"),
    ],
)
def test_quantile(q, values, result):
    """A quantile is interpolated between ranks."""
    assert _same(floats.quantile(q, values), result)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6.0, "6"), (0.5, "0.5"), (-0.0, "-0"), (1e21, "1" + "0" * 21), (1.5e-7, "0.00000015"), (1e-7, "0.0000001"),
        (-1.25e20, "-125000000000000000000"), (INF, "+Inf"), (-INF, "-Inf"), (NAN, "NaN"), (1.7e308, "17" + "0" * 307),
        (123456.789, "123456.789"),
    ],
)  # fmt: skip
def test_show(value, text):
    """A number is written with the least digits and no exponent, and reads back."""
    assert floats.show(value) == text
    assert _same(float(text), value)
