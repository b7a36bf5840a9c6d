"""Durations as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from sidecar.model.durations import Duration, DurationError, parse, show


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1w2d", 777600.0),
        ("1y", 31536000.0),
    ],
)
def test_parse(text, seconds):
    """Durations are written as Prometheus writes them."""
    assert parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "m5", "1.5h", "-5m", "5m1h", "5minutes", "٥m"])
def test_not_a_duration(text):
    """Anything else is refused with an example of what is expected."""
    with pytest.raises(DurationError, match="expected a duration such as"):
        parse(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_round_trip(milliseconds):
    """What is shown reads back as the same number of milliseconds."""
    assert round(parse(show(milliseconds / 1000)) * 1000) == milliseconds


def test_field():
    """A field reads text and zero, and refuses a number without a unit."""

    class Settings(BaseModel):
        wait: Duration

    assert Settings.model_validate({"wait": "5m"}).wait == 300.0
    assert Settings.model_validate({"wait": 0}).wait == 0.0
    assert Settings(wait=1.5).model_dump_json() == '{"wait":"1s500ms"}'
    with pytest.raises(ValidationError, match="with its unit"):
        Settings.model_validate({"wait": 5})


@pytest.mark.parametrize("value", ["101y", "999999999999y", float("inf"), 1e300])
def test_no_calendar_is_that_long(value):
    """A field takes a hundred years at most, since nothing can be planned for later."""
    with pytest.raises(ValidationError, match="expected at most 100y"):
        TypeAdapter(Duration).validate_python(value)


@pytest.mark.parametrize("text", ["9" * 400 + "s", "9" * 5000 + "s", "١s"])
def test_digits_without_end(text):
    """More digits than any duration has are none."""
    with pytest.raises(DurationError):
        parse(text)
