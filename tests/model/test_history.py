"""What is remembered of a check: outcomes, and how its states add up."""

import struct
import sys
from dataclasses import replace

import pytest

from sidecar.model.checks import LAPSED, CheckState, CheckStatus, ProbeResult, Verdict, advance, unknown
from sidecar.model.history import CheckHistory, Latency
from sidecar.model.outcomes import MOST, Outcome, Outcomes
from sidecar.model.uptime import Uptime

NOON = 1_777_636_800.0
UP, DOWN, UNKNOWN = CheckStatus.UP, CheckStatus.DOWN, CheckStatus.UNKNOWN


def result(at: float, seconds: float = 0.25, error: str = "", reason: str = "") -> ProbeResult:
    return ProbeResult(NOON + at, seconds, error, reason=reason)


def told(*changes: tuple[CheckStatus, float]) -> CheckHistory:
    """A history of states that began so many seconds after noon."""
    history = CheckHistory()
    for status, at in changes:
        history.become(status, NOON + at)
    return history


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        pytest.param([], 600, Uptime(), id="never seen"),
        pytest.param([(UP, 0)], 600, Uptime(up=600), id="up until now"),
        pytest.param([(UP, 0), (DOWN, 500)], 600, Uptime(500, 100), id="down by now"),
        pytest.param([(UP, 0), (UNKNOWN, 100)], 600, Uptime(up=100), id="unknown counts as neither"),
        pytest.param([(UP, 0), (UNKNOWN, 100), (DOWN, 500)], 600, Uptime(100, 100), id="unknown between"),
        pytest.param([(UP, 0), (UP, 100), (UP, 200)], 600, Uptime(up=600), id="said again"),
        pytest.param([(UP, 100), (DOWN, 50)], 600, Uptime(down=500), id="told out of order"),
        pytest.param([(UP, 0)], 7200, Uptime(up=3600), id="up for longer than the window"),
        pytest.param([(DOWN, 700)], 600, Uptime(), id="ahead of now"),
    ],
)
def test_states_add_up(changes, now, expected):
    """Each second is up, down or neither, by the state that the check had."""
    assert told(*changes).uptime(3600.0, NOON + now) == expected


def test_probes_make_states():
    """A check is down from the probe that made it so, not from the first failure; a lapse ends what was known."""

    class Thresholds:
        every, timeout, confirm, failure_threshold, success_threshold = 15.0, 10.0, 2.0, 2, 1

    history, state = CheckHistory(), CheckState()
    for at, error in ((0, ""), (15, "timeout"), (17, "timeout"), (32, "")):
        state = advance(state, Thresholds(), result(at, error=error))
        history.learn(state, state.last, NOON + at + 1)
    history.learn(unknown(state, LAPSED, NOON + 60), None, NOON + 60)

    assert history.uptime(3600.0, NOON + 100) == Uptime(up=17 + 28, down=15)
    assert [outcome.verdict for outcome in history.recent(3)] == [Verdict.FAILURE, Verdict.FAILURE, Verdict.SUCCESS]


@pytest.mark.parametrize(
    ("seconds", "hour"),
    [
        pytest.param(1800.0, Uptime(up=700), id="forward: nobody looked"),
        pytest.param(-500.0, Uptime(up=700), id="back: what was seen moves along"),
        pytest.param(-90_000.0, Uptime(up=700), id="a day back"),
    ],
)
def test_the_clock_jumps(seconds, hour):
    """A jump of the clock is neither time that was up nor time that is taken away."""
    history = told((UP, 0))
    history.outcomes.add(result(590))

    history.step(seconds, NOON + 600 + seconds)
    now = NOON + 700 + seconds

    assert history.uptime(3600.0, now) == hour
    assert history.recent(1)[0].at == NOON + 590 + min(seconds, 0.0)


def test_a_probe_that_ended_before_the_jump():
    """A result that is told late, by the clock as it was, does not make the jump a time that was seen."""
    history = told((UP, 0))
    history.step(7200.0, NOON + 7800)
    history.learn(CheckState(DOWN), result(599, error="timeout"), NOON + 7801)

    assert history.uptime(1e6, NOON + 7810) == Uptime(600, 10)


def test_the_clock_jumps_while_nothing_is_known():
    """A check without a state has nothing that could jump."""
    history = CheckHistory()
    history.step(-50.0, NOON)

    assert history.uptimes(NOON) == dict.fromkeys(("1h", "24h", "7d", "30d"), Uptime())


def test_the_last_outcomes_are_kept():
    """There are never more than sixty, the newest last."""
    outcomes = Outcomes()
    for n in range(MOST + 5):
        outcomes.add(result(n, 0.5, "timeout" if n % 2 else ""))

    assert len(outcomes) == MOST
    assert [*outcomes][-1] == Outcome(NOON + MOST + 4, 0.5, Verdict.SUCCESS)
    assert [*Outcomes(outcomes.to_bytes())] == [*outcomes]


def test_a_probe_without_a_verdict_is_neither():
    """Being cut off is an outcome of its own."""
    history = CheckHistory()
    history.learn(CheckState(reason="offline"), result(0, reason="offline"), NOON)

    assert [outcome.verdict for outcome in history.recent(9)] == [Verdict.UNKNOWN]
    assert history.latency() is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param([0.5], Latency(0.5, 0.5, 0.5, 1), id="one"),
        pytest.param([0.5, 0.25], Latency(0.25, 0.375, 0.5, 2), id="two"),
        pytest.param([4.0, 0.5, 0.25], Latency(0.25, 0.5, 4.0, 3), id="three"),
    ],
)
def test_how_long_probes_took(seconds, expected):
    """Of the successful ones: a timeout says how patient we are, not how fast the peer is."""
    history = CheckHistory()
    for n, took in enumerate(seconds):
        history.outcomes.add(result(n, took))
    history.outcomes.add(result(9, 10.0, "timeout"))

    assert history.latency() == expected


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(b"abc", id="half a row"),
        pytest.param(struct.pack("<dfB", float("nan"), 1.0, 0), id="at no time"),
        pytest.param(struct.pack("<dfB", NOON, -1.0, 0), id="took less than nothing"),
        pytest.param(struct.pack("<dfB", NOON, 1.0, 9), id="no verdict"),
    ],
)
def test_bytes_that_are_no_outcomes(rows):
    """What was not written by us is a ValueError."""
    with pytest.raises(ValueError, match=r"got .* expected"):
        Outcomes(rows)


def test_a_thousand_checks_are_two_megabytes():
    """What a check's history costs is bounded: 2 KiB for one that goes down now and then."""
    history, state = CheckHistory(), CheckState()
    for n in range(200):
        failed = n % 20 == 0
        state = replace(state, status=DOWN if failed else UP)
        history.learn(state, result(n * 15.0, error="timeout" if failed else ""), NOON + n * 15.0)

    parts = (history, history.outcomes, history.outcomes._rows, history.spans, history.spans._data)

    assert sum(map(sys.getsizeof, parts)) < 2048
