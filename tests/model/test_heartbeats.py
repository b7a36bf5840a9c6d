"""What a job's calls come to, and when it is late."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.heartbeats import Call, Expected, Heard, called, moved

HOUR = 3600.0
HOURLY = Expected(HOUR, grace=300.0)
DAY = 1_750_000_000.0


def berlin(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_a_run_has_a_duration():
    """From the start to the end; an end without a start has none."""
    heard = called(called(Heard(), Call.START, 10.0), Call.SUCCESS, 25.0)
    assert (heard.duration, heard.started, heard.succeeded) == (15.0, None, 25.0)

    assert called(heard, Call.SUCCESS, 40.0).duration is None


def test_a_failure_lasts_until_a_success():
    """A start ends no failure, a success does, and takes the exit code with it."""
    failed = called(Heard(), Call.FAIL, 10.0, "no disk", 3)
    again = called(failed, Call.START, 20.0)
    well = called(again, Call.SUCCESS, 30.0)

    assert (again.failed, again.exit_code, again.message) == (10.0, 3, "no disk")
    assert (well.failed, well.exit_code, well.message) == (None, None, "")


@pytest.mark.parametrize(
    ("expected", "heard", "late"),
    [
        pytest.param(HOURLY, Heard(since=DAY), DAY + 3900, id="never heard: a period and its grace after we listen"),
        pytest.param(HOURLY, Heard(since=DAY, succeeded=DAY + 60), DAY + 3960, id="counted from the last success"),
        pytest.param(HOURLY, Heard(since=DAY + 90, succeeded=DAY), DAY + 3990, id="not from before we wait"),
        pytest.param(
            Expected(HOUR, grace=60.0, max_runtime=2 * HOUR),
            Heard(since=DAY, succeeded=DAY, started=DAY + 3500),
            DAY + 3500 + 2 * HOUR,
            id="a run that is under way may go on",
        ),
        pytest.param(
            Expected(HOUR, grace=60.0),
            Heard(since=DAY, succeeded=DAY, started=DAY + 3500),
            DAY + 3660,
            id="without max_runtime a start is no excuse",
        ),
        pytest.param(
            Expected(None, "0 3 * * *", "Europe/Berlin", 300.0),
            Heard(since=1.0, succeeded=berlin("2025-06-01T03:00:20")),
            berlin("2025-06-02T03:05"),
            id="the next time on the calendar of its zone",
        ),
        pytest.param(
            Expected(None, "0 3 * * *", "Europe/Berlin", 300.0),
            Heard(since=1.0, succeeded=berlin("2025-06-01T02:59:58")),
            berlin("2025-06-02T03:05"),
            id="a call two seconds early is that day's call",
        ),
        pytest.param(
            Expected(None, "30 2 * * *", "Europe/Berlin", 0.0),
            Heard(since=1.0, succeeded=berlin("2025-03-29T02:30")),
            berlin("2025-03-30T03:00"),
            id="a time that the clocks skip comes with the next that exists",
        ),
    ],
)
def test_when_a_job_is_late(expected, heard, late):
    """After what is due, and its grace."""
    assert expected.late(heard) == late


@pytest.mark.parametrize(
    ("begin", "end", "late"),
    [
        pytest.param(100.0, 200.0, 3900.0, id="before anything was due, nothing changes"),
        pytest.param(3500.0, 3650.0, 3650.0 + 3900.0, id="due meanwhile: the next one is waited for"),
        pytest.param(3700.0, 3705.0, 3705.0 + 3900.0, id="within its grace, it may have come, too"),
        pytest.param(4000.0, 5000.0, 3900.0, id="late before, late after"),
    ],
)
def test_nobody_is_late_for_a_time_in_which_we_were_away(begin, end, late):
    """What was due while we could hear nobody may have been said."""
    before = Heard(since=DAY - HOUR, succeeded=DAY)

    after = HOURLY.unheard(before, DAY + begin, DAY + end)

    assert HOURLY.late(after) == DAY + late
    assert after.waits is (late > 3900.0)


def test_an_end_may_have_come_unheard():
    """A run that began before we were away is not called endless, nor is the job late for that run."""
    expected = Expected(24 * HOUR, grace=60.0, max_runtime=HOUR)
    heard = Heard(since=1.0, succeeded=DAY - 24 * HOUR, started=DAY)
    assert expected.overrun(heard) == DAY + HOUR

    after = expected.unheard(heard, DAY + 1800, DAY + 1900)

    assert expected.overrun(after) is None
    assert expected.late(after) == DAY + 1900 + 24 * HOUR + 60
    assert expected.overrun(called(after, Call.START, DAY + 5000)) == DAY + 5000 + HOUR


def test_a_clock_that_was_set_back_takes_along_what_was_heard():
    """Nothing of it lies in the future."""
    heard = Heard(100.0, 110.0, 120.0, 130.0, "x", 1, 5.0, (90.0, 95.0))

    assert moved(heard, -50.0, 75.0) == Heard(50.0, 60.0, 70.0, 75.0, "x", 1, 5.0, (40.0, 45.0))


CALLS = st.lists(st.tuples(st.sampled_from(Call), st.floats(1.0, 5000.0)), max_size=8)


@given(CALLS, st.floats(1.0, 9000.0), st.floats(0.0, 9000.0))
def test_being_away_makes_nobody_late(calls, after, length):
    """Who was not late when we went is not late when we come back."""
    heard, at = Heard(since=DAY), DAY
    for call, pause in calls:
        at += pause
        heard = called(heard, call, at)
    begin = at + after
    late_before = begin > HOURLY.late(heard)

    back = HOURLY.unheard(heard, begin, begin + length)

    if heard.failed is None:
        assert (begin + length > HOURLY.late(back)) is late_before
