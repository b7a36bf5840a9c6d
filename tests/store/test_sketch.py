import math
import random
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.store.sketch import ANYTHING, SECONDS, WINDOWS, Sketch

RANKS = (0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0)
CHANCE = random.Random(7)


def exact(values: Sequence[float], rank: float) -> float:
    """The value at place floor(q · (n - 1)), as far as a sketch tells values apart."""
    ordered = sorted(min(max(value, SECONDS.low), SECONDS.high) for value in values)
    return ordered[math.floor(rank * (len(ordered) - 1))]


def observed(values: Sequence[float], at: int = 1_000_000) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.observe(value, at)
    sketch.flush()
    return sketch


def is_true_of(values: Sequence[float]) -> None:
    """Each quantile of each window is within 1 % of the value at its rank."""
    sketch = observed(values)
    for window in sketch.windows.values():
        assert window.count == len(values)
        for rank, found in zip(RANKS, window.quantiles(RANKS), strict=True):
            wanted = exact(values, rank)
            assert abs(found - wanted) <= 0.01 * wanted, (rank, found, wanted)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.2] * 500 + [30.0] * 500, id="two modes and nothing between"),
        pytest.param([0.2] * 950 + [30.0] * 50, id="the 95th at the edge of a gap"),
        pytest.param([1.0] * 3000, id="always the same"),
        pytest.param([7.0], id="one value"),
        pytest.param([2.0**n for n in range(-13, 14)], id="powers of two"),
        pytest.param([10.0**n for n in range(-4, 5)], id="powers of ten, both ends of the range"),
        pytest.param([SECONDS.low * 1.02**n for n in range(900)], id="one per bucket, all over the range"),
        pytest.param([n / 100 for n in range(1, 5000)], id="ascending"),
        pytest.param([n / 100 for n in range(5000, 1, -1)], id="descending"),
        pytest.param([sys.float_info.min * sys.float_info.epsilon] * 5 + [1.0], id="denormals"),
        pytest.param([0.0, 1e-300, 1e300, 5.0], id="a span beyond the range"),
        pytest.param([CHANCE.lognormvariate(0, 3) for _ in range(5000)], id="log-normal"),
        pytest.param([CHANCE.paretovariate(0.5) for _ in range(5000)], id="a heavy tail"),
    ],
)
def test_quantiles_are_within_one_percent(values):
    """Whatever the distribution, a quantile is within 1 % of the value at its rank."""
    is_true_of(values)


@settings(max_examples=100)
@given(st.lists(st.floats(min_value=0, allow_nan=False, allow_infinity=False), min_size=1, max_size=60))
def test_quantiles_of_anything_are_within_one_percent(values):
    """No list of values breaks the bound."""
    is_true_of(values)


@given(st.floats(min_value=1e-4, max_value=1e4))
def test_every_single_value_is_told_within_one_percent(value):
    """The bound holds for each value in the range, on the edges of buckets as well."""
    (found,) = observed([value]).windows["1m"].quantiles([0.5])

    assert abs(found - value) <= 0.01 * value


def test_values_outside_are_clamped_and_counted():
    """What lies outside of the range counts as its end, and that is told."""
    sketch = observed([1e-9, 1.0, 1e9])

    assert sketch.clamped == 2
    assert sketch.windows["1m"].quantiles([0.0, 1.0]) == pytest.approx([1e-4, 1e4], rel=0.01)


def test_another_range_holds_other_quantities():
    """Bytes and tokens are told apart far beyond ten thousand."""
    sketch = Sketch(ANYTHING)
    for value in (200_000.0, 5e9):
        sketch.observe(value, 0)
    sketch.flush()

    assert sketch.windows["1m"].quantiles([0.0, 1.0]) == pytest.approx([200_000.0, 5e9], rel=0.01)
    assert sketch.clamped == 0


@pytest.mark.parametrize(("name", "length", "step"), [(name, *sizes) for name, sizes in WINDOWS.items()])
def test_a_value_counts_for_its_window_and_up_to_one_step_more(name, length, step):
    """A window still holds what is as old as it is long, and nothing that is a step older than that."""
    for at in range(0, step, step // 5):
        sketch = Sketch()
        sketch.observe(1.0, at)
        sketch.advance(at + length)
        assert sketch.windows[name].count == 1
        sketch.advance(at + length + step)
        assert sketch.windows[name].count == 0


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.floats(1e-3, 1e3)),
        min_size=1,
        max_size=60,
    )
)
def test_windows_slide_as_a_naive_list_does(history):
    """However values are spread over time, each window holds what a plain list with the same steps holds."""
    sketch, at, seen = Sketch(), 0, []
    for passed, value in history:
        at += passed
        seen.append((at, value))
        sketch.observe(value, at)
    sketch.advance(at)
    for name, (length, step) in WINDOWS.items():
        held = [value for then, value in seen if then // step >= at // step - length // step]
        assert sketch.windows[name].count == len(held)
        for rank, found in zip(RANKS, sketch.windows[name].quantiles(RANKS), strict=True):
            assert found == pytest.approx(exact(held, rank), rel=0.01)


def test_a_sketch_that_heard_nothing_for_an_hour_is_empty():
    """After the longest window nothing is left."""
    sketch = observed([1.0, 2.0], at=0)

    assert not sketch.empty
    sketch.advance(3_600_000 + 300_000)

    assert sketch.empty


def test_a_step_may_count_more_than_two_bytes_hold():
    """Counts beyond 65,535 in one bucket and step are kept whole."""
    sketch = observed([1.0] * 70_000, at=0)
    sketch.advance(5_000)
    assert sketch.windows["1m"].count == 70_000

    sketch.advance(70_000)

    assert sketch.windows["1m"].count == 0
    assert sketch.windows["1h"].quantiles([0.5]) == pytest.approx([1.0], rel=0.01)
