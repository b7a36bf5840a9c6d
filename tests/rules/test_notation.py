"""Promtool's way to write series."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.labels import Labels
from sidecar.model.samples import is_stale
from sidecar.rules.notation import NotationError, series, values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1 2.5 -3", [1, 2.5, -3], id="numbers"),
        pytest.param("0+10x3", [0, 10, 20, 30], id="steps up"),
        pytest.param("5-2x2", [5, 3, 1], id="steps down"),
        pytest.param("-1-1x2", [-1, -2, -3], id="steps down below zero"),
        pytest.param("7x2", [7, 7, 7], id="repeated"),
        pytest.param("0x3", [0, 0, 0, 0], id="a zero is no hexadecimal number"),
        pytest.param("1 _ 2 _x2 3", [1, None, 2, None, None, 3], id="gaps"),
        pytest.param("1e3 .5 Inf -Inf", [1000, 0.5, math.inf, -math.inf], id="other numbers"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_values(text, expected):
    """Each word is one or several values, one per interval."""
    assert values(text) == expected


def test_an_end_is_written_stale():
    """`stale` ends a series, which is not the same as NaN."""
    stale, nan = values("stale NaN")

    assert stale is not None
    assert nan is not None
    assert (is_stale(stale), is_stale(nan), math.isnan(nan)) == (True, False, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("up", Labels(__name__="up"), id="a name"),
        pytest.param("up{a=\"b\", c='d',}", Labels(__name__="up", a="b", c="d"), id="labels"),
        pytest.param('{a="b"}', Labels(a="b"), id="no name"),
        pytest.param("{}", Labels(), id="nothing"),
        pytest.param(r'x{a="q\"\\\n{},="}', Labels(__name__="x", a='q"\\\n{},='), id="escapes"),
    ],
)
def test_series(text, expected):
    """A series is a name and labels in Prometheus' notation."""
    assert series(text) == expected


@pytest.mark.parametrize("text", ["1x", "a", "1+x3", "1x9999999", "{{schema:0}}", "--1", "-1--1x2"])
def test_values_that_are_none(text):
    """What is no value is refused with what was expected."""
    with pytest.raises(NotationError, match="expected"):
        values(text)


@pytest.mark.parametrize("text", ["", "a b", "up{", "up{a}", 'up{a="b" c="d"}', 'up{a="\\q"}', "1up"])
def test_series_that_are_none(text):
    """What is no series is refused with what was expected."""
    with pytest.raises(NotationError, match="expected"):
        series(text)


@given(st.text(alphabet='up{}="\\,x_+-1 9stale'))
def test_any_text_is_read_or_refused(text):
    """Whatever is written, the outcome is a value or a NotationError."""
    for read in (series, values):
        try:
            read(text)
        except NotationError:
            continue
