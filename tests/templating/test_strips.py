"""A value's way in one line of characters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model.notifications import Trend
from sidecar.templating import strips
from sidecar.templating.facts import trend_text

NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("values", "up", "expected"),
    [
        pytest.param((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), False, "▁▂▃▄▅▆▇█ (min 0, max 7)", id="a rise"),
        pytest.param((5.0, None, 5.5), False, "▁·█ (min 5, max 5.5)", id="a gap"),
        pytest.param((-3.0, -1.0), False, "▁█ (min -3, max -1)", id="below zero"),
        pytest.param((1.0, 1.0, 0.0, None), True, "■■□· (■ up, □ down)", id="up and down"),
        pytest.param((1.0, 0.2, 0.0), True, "■◧□ (■ up, ◧ both, □ down)", id="up for a share of a step"),
        pytest.param((1.0, 0.2, 0.0), False, "█▂▁ (min 0, max 1)", id="shares of something else"),
        pytest.param((1.0, 0.0, 1.0), False, "■□■ (■ 1, □ 0)", id="a fact that is so or not"),
        pytest.param((2.0, 2.0), False, "▁▁ (min 2, max 2)", id="nothing happened"),
        pytest.param((1234567.0, 7654321.0), False, "▁█ (min 1,234,567, max 7,654,321)", id="large"),
        pytest.param((-1.7e308, 1.7e308), False, "▁█ (min -1.7e+308, max 1.7e+308)", id="as far apart as can be"),
        pytest.param((None,), False, "·", id="nothing known"),
        pytest.param((), False, "", id="nothing at all"),
    ],
)
def test_a_value_is_drawn(values, up, expected):
    """Bars from the least to the most, squares for yes and no, dots for what nobody knows, and what they mean."""
    assert trend_text(Trend(0.0, 75.0, values, up=up)) == expected


@given(st.lists(NUMBER, max_size=40), st.booleans())
@settings(max_examples=50)
def test_each_value_has_one_character(values, up):
    """Whatever the values are, there is one character for each, and a higher bar is never a lower value."""
    drawn = strips.drawn(Trend(0.0, 75.0, tuple(values), up=up))

    assert len(drawn) == len(values)
    known = [(value, char) for value, char in zip(values, drawn, strict=True) if value is not None]
    assert [char == strips.GAP for char in drawn] == [value is None for value in values]
    if not (all(0 <= value <= 1 for value, _ in known) if up else {value for value, _ in known} <= {0.0, 1.0}):
        assert all(char in strips.BARS for _, char in known)
        order = [strips.BARS.index(char) for _, char in sorted(known)]
        assert order == sorted(order)


@pytest.mark.parametrize(
    ("step", "many", "expected"),
    [
        pytest.param(75.0, 24, "Last 30m", id="half an hour"),
        pytest.param(150.0, 24, "Last 1h", id="an hour"),
        pytest.param(75.0, 4, "Last 5m", id="since the start"),
    ],
)
def test_how_far_back_it_goes(step, many, expected):
    """The name says how long all values took together."""
    assert strips.reach(Trend(0.0, step, (1.0,) * many)) == expected
