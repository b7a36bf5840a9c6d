"""How long to wait before trying again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar import backoff

NOON = 1_767_614_400.0  # 2026-01-05 12:00:00 UTC
CHANCE = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        pytest.param(0, 0.0, id="nothing failed"),
        pytest.param(1, 1.0, id="the first failure"),
        pytest.param(4, 8.0, id="doubling"),
        pytest.param(9, 256.0, id="before the cap"),
        pytest.param(10, 300.0, id="at the cap"),
        pytest.param(10**6, 300.0, id="for days"),
    ],
)
def test_exponential(failures, expected):
    """The wait doubles with each failure up to five minutes."""
    assert backoff.exponential(failures) == expected


@given(st.integers(1, 5000), CHANCE)
def test_full_jitter(failures, chance):
    """The jittered wait lies between the base and the exponential."""
    wait = backoff.full_jitter(failures, chance)

    assert backoff.BASE <= wait <= backoff.exponential(failures)


@pytest.mark.parametrize(
    ("retry_after", "chance", "expected"),
    [
        pytest.param(None, 0.5, 4.0, id="nothing was asked for"),
        pytest.param(7.0, 0.0, 7.0, id="never before it"),
        pytest.param(7.0, 0.5, 7.35, id="a little later, so that not all come at once"),
        pytest.param(600.0, 0.999, 609.99, id="but ten seconds at most"),
        pytest.param(0.0, 0.5, 0.0, id="at once is legal"),
        pytest.param(-5.0, 0.5, 0.0, id="a date in the past"),
        pytest.param(86400.0, 0.0, 3600.0, id="bounded to an hour"),
    ],
)
def test_what_the_other_end_asked_for(retry_after, chance, expected):
    """Retry-After replaces our own wait and is bounded."""
    assert backoff.asked(4.0, retry_after, chance) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(" 0 ", 0.0, id="at once"),
        pytest.param("999999999999999999999", 86400.0, id="for ever is a day"),
        pytest.param("Mon, 05 Jan 2026 12:00:30 GMT", 30.0, id="a date"),
        pytest.param("Mon, 05 Jan 2026 11:00:00 GMT", 0.0, id="a date that has passed"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 86400.0, id="a date far away"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="a fraction"),
        pytest.param("soon", None, id="words"),
        pytest.param("٣", None, id="digits of another script"),
        pytest.param("Mon, 99 Jan 2026 12:00:30 GMT", None, id="a date that is none"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, expected):
    """How long the other end asks us to wait, from now; what cannot be read is not asked."""
    assert backoff.retry_after(text, NOON) == expected
