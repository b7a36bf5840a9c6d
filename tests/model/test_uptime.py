"""Time in which a check was up or down."""

import math
from array import array
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model.uptime import KEPT, WINDOWS, Spans, Uptime

NOON = 1_777_636_800.0
HOUR = 3600.0
DAY = 24 * HOUR


def spans(*changes: tuple[float, float, bool]) -> Spans:
    """Stretches from and to so many seconds before noon."""
    found = Spans()
    for begin, end, up in changes:
        found.add(NOON - begin, NOON - end, up=up)
    return found


def ratio(found: Spans, window: str) -> float | None:
    return found.within(NOON - WINDOWS[window], NOON).ratio


@pytest.mark.parametrize(
    ("found", "hour", "day"),
    [
        pytest.param(spans(), None, None, id="nothing seen"),
        pytest.param(spans((600, 0, True)), 1.0, 1.0, id="up for ten minutes, the rest not seen"),
        pytest.param(spans((600, 0, False)), 0.0, 0.0, id="down for ten minutes, the rest not seen"),
        pytest.param(spans((3600, 900, True), (900, 0, False)), 0.75, 0.75, id="a quarter of an hour down"),
        pytest.param(spans((7200, 5400, False), (5400, 0, True)), 1.0, 0.75, id="down before the hour"),
        pytest.param(spans((4500, 2700, False), (2700, 0, True)), 0.75, 2700 / 4500, id="down across the edge"),
        pytest.param(spans((3600, 2700, True), (900, 0, False)), 0.5, 0.5, id="a gap between"),
        pytest.param(spans((2 * DAY, DAY, False)), None, None, id="seen only before"),
    ],
)
def test_uptime_of_windows(found, hour, day):
    """Uptime is the share of what was seen in which the check was up; a window's edge cuts exactly."""
    assert ratio(found, "1h") == (hour if hour is None else pytest.approx(hour))
    assert ratio(found, "24h") == (day if day is None else pytest.approx(day))


def test_what_is_seen_is_told():
    """Beside the ratio stands of how many seconds it is one."""
    found = spans((3 * DAY, 0, True)).within(NOON - 30 * DAY, NOON)

    assert found == Uptime(up=3 * DAY)
    assert (found.seen, found.ratio, Uptime().ratio) == (3 * DAY, 1.0, None)


def test_a_check_that_is_well_needs_one_span():
    """What follows without a gap in the same state prolongs; what overlaps counts once; nothing goes backwards."""
    found = spans((300, 200, True), (200, 100, True), (150, 50, True), (60, 70, True), (90, 90, False))

    assert len(found) == 1
    assert found.within(NOON - HOUR, NOON) == Uptime(up=250.0)


def test_old_spans_are_forgotten():
    """After 31 days nobody asks any more."""
    found = spans((40 * DAY, 39 * DAY, False), (KEPT + 60, KEPT - 60, False), (120, 60, True))

    assert [span.end - span.begin for span in found] == [120, 60]


def test_what_was_seen_moves_along():
    """A clock that was set back takes the spans along."""
    found = spans((300, 200, True), (200, 100, False))
    found.shift(-1000.0)

    assert found.until == NOON - 1100
    assert found.within(NOON - HOUR, NOON) == Uptime(100.0, 100.0)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.floats(150, 3000), st.floats(60, 3000)), min_size=1, max_size=5))
def test_a_flapping_check_is_known_well_enough(pattern):
    """However often a check changes, its spans are few, their sum is exact, and a window is wrong by less than a cell.

    The cells: 5 minutes up to 2 hours, 30 minutes up to 26 hours, 2 hours up to 8 days, 6 hours beyond.
    """
    joined, exact, at = Spans(), [], NOON - 10 * DAY
    turns = cycle((seconds, up) for pair in pattern for seconds, up in zip(pair, (True, False), strict=True))
    while at < NOON:
        seconds, is_up = next(turns)
        end = min(NOON, at + seconds)
        joined.add(at, end, up=is_up)
        exact.append((at, end, is_up))
        at = end

    assert len(joined) < 300
    assert sum(span.up + span.down for span in joined) == pytest.approx(10 * DAY)
    for window, cell in (("1h", 300.0), ("24h", 1800.0), ("7d", 7200.0), ("30d", 0.0)):
        since = NOON - WINDOWS[window]
        found = joined.within(since, NOON)
        up = math.fsum(max(0.0, end - max(begin, since)) for begin, end, was_up in exact if was_up)
        assert found.up == pytest.approx(up, abs=cell + 1e-3)
        assert found.seen == pytest.approx(min(WINDOWS[window], 10 * DAY))


@pytest.mark.parametrize(
    ("window", "cell"),
    [
        pytest.param("1h", 300.0, id="an hour, by 5 minutes"),
        pytest.param("24h", 1800.0, id="a day, by 30 minutes"),
        pytest.param("7d", 7200.0, id="a week, by 2 hours"),
    ],
)
def test_an_edge_is_as_sharp_as_its_cell(window, cell):
    """A check that flapped badly until just before the window, and less since, is known to a cell."""
    found, now = Spans(), NOON + 4321.0  # on no edge of any grid
    edge = now - WINDOWS[window]
    at = edge - 2 * DAY
    while at < now:
        down = 110.0 if at < edge else 10.0
        found.add(at, at + down, up=False)
        found.add(at + down, min(now, at + 120.0), up=True)
        at += 120.0

    assert len(found) < 300
    assert found.within(edge, now).down == pytest.approx(WINDOWS[window] / 12, abs=cell / 2)


def test_a_flapping_month_stays_small():
    """A month of changes, some each hour, is some hundred spans: a bounded memory."""
    found = Spans()
    for n in range(31 * 24 * 4):
        found.add(NOON + n * 900, NOON + n * 900 + 600, up=True)
        found.add(NOON + n * 900 + 600, NOON + n * 900 + 900, up=False)
    end = NOON + KEPT

    assert len(found.to_bytes()) < 10_000
    assert found.within(end - 30 * DAY, end).ratio == pytest.approx(2 / 3, abs=1e-3)


def test_spans_are_read_as_they_were_written():
    """What the file holds is what was seen."""
    found = spans((300, 200, True), (200, 100, False))

    assert list(Spans(found.to_bytes())) == list(found)


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([1.0, 2.0, 1.0], id="half a span"),
        pytest.param([2.0, 1.0, 0.0, 0.0], id="ends before it begins"),
        pytest.param([1.0, 2.0, 5.0, 0.0], id="longer than its ends tell"),
        pytest.param([1.0, 2.0, -1.0, 1.0], id="negative"),
        pytest.param([1.0, 2.0, math.nan, 0.0], id="not a number"),
        pytest.param([1.0, math.inf, 1.0, 0.0], id="without end"),
        pytest.param([1.0, 3.0, 2.0, 0.0, 2.0, 4.0, 2.0, 0.0], id="overlapping"),
    ],
)
def test_bytes_that_are_no_spans(numbers):
    """What was not written by us is a ValueError."""
    with pytest.raises(ValueError, match=r"got .* expected"):
        Spans(array("d", numbers).tobytes())


def test_bytes_that_are_no_numbers():
    """Half a number is a ValueError, too."""
    with pytest.raises(ValueError, match="bytes"):
        Spans(b"abc")
