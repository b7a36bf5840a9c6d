"""The first minute after a start."""

import pytest

from sidecar.alerts.facts import Mute, Mutes
from sidecar.alerts.starting import is_cold, starting
from tests.alerts.examples import NOON

MUTED = Mutes(frozenset({Mute.STARTING}), until=NOON + 60)


@pytest.mark.parametrize(
    ("saved_at", "expected"),
    [
        pytest.param(None, True, id="never seen before"),
        pytest.param(NOON - 601, True, id="more than ten minutes ago"),
        pytest.param(NOON - 600, False, id="ten minutes ago"),
        pytest.param(NOON - 5, False, id="a moment ago"),
        pytest.param(NOON + 5, False, id="a clock that went back"),
    ],
)
def test_cold_starts(saved_at, expected):
    """A start is cold when nothing is known, or nothing recent."""
    assert is_cold(saved_at, NOON) is expected


@pytest.mark.parametrize(
    ("after", "facts", "expected"),
    [
        pytest.param(5, {"cold": True, "settled": False, "evaluated": True}, MUTED, id="cold: looking around"),
        pytest.param(5, {"cold": True, "settled": True, "evaluated": True}, Mutes(), id="cold: everything was seen"),
        pytest.param(60, {"cold": True, "settled": False, "evaluated": False}, Mutes(), id="cold: a minute at most"),
        pytest.param(5, {"cold": False, "settled": False, "evaluated": False}, MUTED, id="quick: not evaluated yet"),
        pytest.param(5, {"cold": False, "settled": False, "evaluated": True}, Mutes(), id="quick: evaluated"),
    ],
)
def test_openings_after_a_start(after, facts, expected):
    """A cold start holds openings until it has looked around; a quick one until the rule was evaluated."""
    assert starting(NOON, NOON + after, **facts) == expected
