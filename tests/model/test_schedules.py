"""Cron expressions and hours of the week, also when the clocks change."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sidecar.model.schedules import Cron, Hours, Zone, is_open, next_change, next_run, previous_run

BERLIN = ZoneInfo("Europe/Berlin")
CRON: TypeAdapter[str] = TypeAdapter(Cron)
ZONE: TypeAdapter[str] = TypeAdapter(Zone)


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)
    hours: Hours = ()


def hours(*windows: object) -> Hours:
    return Settings.model_validate({"hours": list(windows)}).hours


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, BERLIN).isoformat(timespec="seconds")


OFFICE = {"days": ["mon-fri"], "from": "08:00", "to": "18:00"}
NIGHT = {"days": "fri", "from": "22:00", "to": "06:00"}


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        pytest.param("*/5 * * * *", "2026-01-05T12:00:00+01:00", "2026-01-05T12:05:00+01:00", id="strictly after"),
        pytest.param("*/5 * * * *", "2026-01-05T12:04:59.9+01:00", "2026-01-05T12:05:00+01:00", id="within a second"),
        pytest.param("*/20 * * * * *", "2026-01-05T12:00:01+01:00", "2026-01-05T12:00:20+01:00", id="with seconds"),
        pytest.param("0 3 * * mon-fri", "2026-01-09T12:00:00+01:00", "2026-01-12T03:00:00+01:00", id="a weekend"),
        pytest.param("@daily", "2026-01-05T12:00:00+01:00", "2026-01-06T00:00:00+01:00", id="a name"),
        pytest.param("30 2 * * *", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00", id="a skipped time"),
        pytest.param("30 2 * * *", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00", id="and after it"),
        pytest.param("30 2 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00", id="a time twice"),
        pytest.param("30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00", id="counts once"),
        pytest.param("45 2 * * *", "2026-10-25T02:30:00+01:00", "2026-10-26T02:45:00+01:00", id="asked late"),
        pytest.param("*/30 * * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", id="minutes go on"),
    ],
)  # fmt: skip
def test_a_cron_expression_in_a_zone(expression, after, expected):
    """The next run is strictly later; a change of the clocks skips none and repeats none of a day's runs."""
    assert text(next_run(expression, at(after), BERLIN)) == expected


def test_the_run_before():
    """The latest run before a time, which is not that time."""
    assert text(previous_run("0 3 * * *", at("2026-01-05T03:00:00+01:00"), BERLIN)) == "2026-01-04T03:00:00+01:00"
    assert text(previous_run("0 3 * * *", at("2026-01-05T03:00:00.5+01:00"), BERLIN)) == "2026-01-05T03:00:00+01:00"


@given(
    st.sampled_from(["*/7 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 0 29 2 *", "10 */2 * * 0"]),
    st.floats(1.7e9, 1.9e9),
    st.sampled_from([BERLIN, UTC, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
)
def test_runs_go_forward(expression, after, place):
    """Whatever the clocks do, each next run is later than what it was asked after."""
    for _ in range(4):
        run = next_run(expression, after, place)
        assert run > after
        after = run


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        pytest.param("61 * * * *", "wrong in its minute; expected minute, hour, day, month and weekday", id="a minute"),
        pytest.param("* * * *", "wrong in the number of its fields", id="four fields"),
        pytest.param("5m", "wrong in the number of its fields", id="a duration"),
        pytest.param("@reboot", "wrong in the number of its fields", id="a name that is no time"),
        pytest.param("0 0 30 2 *", "wrong in its day-of-month", id="the 30th of February"),
        pytest.param("0 0 * * fri-mon", "wrong in its day-of-week", id="a range backwards"),
    ],
)
def test_what_is_no_cron_expression(expression, message):
    """A mistake names the field and shows what is right."""
    with pytest.raises(ValidationError, match=message):
        CRON.validate_python(expression)


def test_a_cron_expression_has_one_form():
    """Spaces and capitals make no difference, so that a reload sees none."""
    assert CRON.validate_python(" 0  3 * * MON-FRI ") == "0 3 * * mon-fri"


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC"])
def test_a_zone(name):
    """A zone is a name of the time zone database."""
    assert ZONE.validate_python(name) == name


@pytest.mark.parametrize("name", ["Berlin", "", "../etc/passwd", "CEST+"])
def test_what_is_no_zone(name):
    """A mistake shows a zone."""
    with pytest.raises(ValidationError, match="expected a time zone such as 'Europe/Berlin'"):
        ZONE.validate_python(name)


@pytest.mark.parametrize(
    ("windows", "when", "expected"),
    [
        pytest.param([], "2026-01-05T03:00:00+01:00", True, id="no hours are all hours"),
        pytest.param([OFFICE], "2026-01-05T08:00:00+01:00", True, id="its first second"),
        pytest.param([OFFICE], "2026-01-05T07:59:59+01:00", False, id="the second before"),
        pytest.param([OFFICE], "2026-01-05T18:00:00+01:00", False, id="its end"),
        pytest.param([OFFICE], "2026-01-10T12:00:00+01:00", False, id="another day"),
        pytest.param([OFFICE], "2026-01-05T07:30:00+00:00", True, id="on the clocks of the place"),
        pytest.param([NIGHT], "2026-01-09T23:00:00+01:00", True, id="before midnight"),
        pytest.param([NIGHT], "2026-01-10T05:59:00+01:00", True, id="after midnight, of the day before"),
        pytest.param([NIGHT], "2026-01-09T05:00:00+01:00", False, id="the night before is another day's"),
        pytest.param([OFFICE, NIGHT], "2026-01-10T01:00:00+01:00", True, id="any of them"),
        pytest.param([{"days": ["sat-sun"]}], "2026-01-11T23:59:59+01:00", True, id="whole days"),
        pytest.param([{"days": "fri-mon", "to": "12:00"}], "2026-01-12T11:00:00+01:00", True, id="days over a weekend"),
        pytest.param([{"from": "12:00"}], "2026-01-11T13:00:00+01:00", True, id="every day, until midnight"),
    ],
)
def test_hours_of_the_week(windows, when, expected):
    """A window begins with its first second and is over at its end; one over midnight is of the day it began."""
    assert is_open(hours(*windows), at(when), BERLIN) is expected


@pytest.mark.parametrize(
    ("windows", "after", "expected"),
    [
        pytest.param([OFFICE], "2026-01-09T12:00:00+01:00", "2026-01-09T18:00:00+01:00", id="it closes"),
        pytest.param([OFFICE], "2026-01-09T18:00:00+01:00", "2026-01-12T08:00:00+01:00", id="it opens on Monday"),
        pytest.param([NIGHT], "2026-01-09T23:00:00+01:00", "2026-01-10T06:00:00+01:00", id="it closes in the morning"),
        pytest.param([{"days": "sat"}], "2026-01-10T12:00:00+01:00", "2026-01-11T00:00:00+01:00", id="the day's end"),
        pytest.param([OFFICE, {"days": "fri", "from": "18:00", "to": "20:00"}], "2026-01-09T12:00:00+01:00",
                     "2026-01-09T20:00:00+01:00", id="one goes on where another ends"),
        pytest.param([{"from": "02:30", "to": "03:30"}], "2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00",
                     id="a beginning that is skipped"),
        pytest.param([{"from": "02:15", "to": "02:45"}], "2026-03-29T00:00:00+01:00", "2026-03-30T02:15:00+02:00",
                     id="a window that is skipped"),
        pytest.param([{"from": "02:15", "to": "02:45"}], "2026-10-25T02:45:00+02:00", "2026-10-25T02:15:00+01:00",
                     id="a window that comes twice"),
        pytest.param([{"days": "sun", "from": "02:15", "to": "02:45"}], "2026-03-28T23:30:00+01:00",
                     "2026-04-05T02:15:00+02:00", id="from the eve of a short day"),
    ],
)  # fmt: skip
def test_when_hours_change(windows, after, expected):
    """The next opening or closing, on the clocks of the place."""
    found = next_change(hours(*windows), at(after), BERLIN)

    assert found is not None
    assert text(found) == expected


def test_what_is_always_open_never_changes():
    """No hours, and hours that are the whole week."""
    assert next_change((), 0.0, UTC) is None
    assert next_change(hours({}), 0.0, UTC) is None


@given(
    st.lists(
        st.builds(
            lambda days, first, last: {"days": days, "from": f"{first:02}:30", "to": f"{last:02}:00"},
            st.lists(st.sampled_from(["mon", "wed", "sat", "sun"]), min_size=1),
            st.integers(0, 23),
            st.integers(0, 24),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(
        [at("2026-03-27T12:00:00+01:00"), at("2026-10-23T12:00:00+02:00"), at("2026-06-01T00:00:00+02:00")]
    ),
)
def test_between_two_changes_nothing_changes(windows, after):
    """What is open stays so until the next change, which changes it; looked at every quarter of an hour."""
    found = hours(*windows)
    changes = [after]
    while len(changes) < 5 and (change := next_change(found, changes[-1], BERLIN)) is not None:
        changes.append(change)

    for begin, end in pairwise(changes):
        states = {is_open(found, moment, BERLIN) for moment in (begin, *range(int(begin), int(end), 900), end - 0.001)}
        assert states == {not is_open(found, end, BERLIN)}


@pytest.mark.parametrize(
    ("window", "message"),
    [
        pytest.param({"days": "funday"}, "got 'funday', expected a day such as mon", id="a day"),
        pytest.param({"days": [3]}, "got '3', expected a day such as mon", id="a number"),
        pytest.param({"days": []}, "at least 1 item", id="no day"),
        pytest.param({"from": "8:00"}, "got '8:00', expected a time of day in quotes, such as '08:00'", id="short"),
        pytest.param({"to": "24:30"}, "got '24:30', expected a time of day", id="after the day's end"),
        pytest.param({"from": 480}, "got 480, expected a time of day in quotes", id="what YAML makes of a time"),
        pytest.param({"from": "08:00", "to": "08:00"}, "expected two times", id="no time at all"),
        pytest.param({"until": "08:00"}, "Extra inputs", id="an unknown key"),
    ],
)  # fmt: skip
def test_what_are_no_hours(window, message):
    """A mistake shows what is right."""
    with pytest.raises(ValidationError, match=message):
        hours(window)
