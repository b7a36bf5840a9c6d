"""The calendar."""

from calendar import monthrange
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.promql.dates import FUNCTIONS


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 -- bounds are naive
def test_agrees_with_the_standard_library(when):
    """Every date that Python knows has the same parts here."""
    seconds = (when.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()

    found = {name: function(seconds) for name, function in FUNCTIONS.items()}

    assert found == {
        "year": when.year,
        "month": when.month,
        "day_of_month": when.day,
        "day_of_week": (when.weekday() + 1) % 7,
        "day_of_year": when.timetuple().tm_yday,
        "days_in_month": monthrange(when.year, when.month)[1],
        "hour": when.hour,
        "minute": when.minute,
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 2.0**63])
def test_any_number_is_a_time(value):
    """What is no time is the earliest one of 64 bits, and nothing raises."""
    assert FUNCTIONS["year"](value) == -292277022657.0
    assert all(function(value) == function(float("nan")) for function in FUNCTIONS.values())
