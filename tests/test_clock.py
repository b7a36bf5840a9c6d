"""One clock that does not jump."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.clock import SLEW_LIMIT, SLEW_RATE, SystemClock

BOOT = 1_767_614_400.0


class Machine:
    """A machine whose two clocks are moved by hand."""

    def __init__(self) -> None:
        self.wall = BOOT
        self.uptime = 1234.5
        self.clock = SystemClock(wall=lambda: self.wall, monotonic=lambda: self.uptime)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds


@pytest.mark.parametrize(
    ("set_by", "step"),
    [
        pytest.param(0.0, 0.0, id="a wall that agrees"),
        pytest.param(1.5, 0.0, id="a little ahead is slewed"),
        pytest.param(-1.5, 0.0, id="a little behind is slewed"),
        pytest.param(2.0, 0.0, id="two seconds are still drift"),
        pytest.param(2.5, 2.5, id="more is a step forward"),
        pytest.param(-2.5, -2.5, id="more is a step back"),
        pytest.param(3600.0, 3600.0, id="a machine that slept an hour"),
        pytest.param(-3600.0, -3600.0, id="an operator who sets it back an hour"),
    ],
)
def test_a_check_tells_drift_from_a_step(set_by, step):
    """Up to two seconds are walked off, more is taken at once and returned."""
    machine = Machine()
    machine.pass_(10)
    machine.wall += set_by

    assert machine.clock.check() == pytest.approx(step)

    assert machine.clock.time() == pytest.approx(BOOT + 10 + step)
    assert machine.clock.check() == 0.0


def test_nobody_who_sets_the_wall_disturbs_the_clock_between_two_checks():
    """Until it is checked the clock runs on as if nothing had happened."""
    machine = Machine()
    machine.wall += 3600
    machine.pass_(15)

    assert machine.clock.time() == BOOT + 15
    assert machine.clock.monotonic() == 1234.5 + 15


@pytest.mark.parametrize("ahead", [pytest.param(1.0, id="ahead"), pytest.param(-1.0, id="behind")])
def test_drift_is_walked_off_at_the_rate(ahead):
    """A second of drift is gone after a hundred seconds, evenly, whether or not anybody checks again."""
    machine = Machine()
    machine.wall += ahead
    machine.clock.check()

    machine.pass_(50)
    assert machine.clock.time() - BOOT == pytest.approx(50 + ahead * 50 * SLEW_RATE)
    machine.pass_(50)
    assert machine.clock.time() == pytest.approx(machine.wall)
    machine.pass_(1000)
    assert machine.clock.time() == pytest.approx(machine.wall)
    assert machine.clock.check() == 0.0


@given(
    turns=st.lists(
        st.tuples(st.floats(0, 60), st.floats(-SLEW_LIMIT / 10, SLEW_LIMIT / 10), st.booleans()), max_size=20
    )
)
def test_a_drifting_wall_never_turns_the_clock_back(turns):
    """Whatever the drift and the checks, time does not go back, and runs at most at the rate too fast or too slow."""
    machine = Machine()
    seen = [(machine.uptime, machine.clock.time())]
    for passed, drift, checked in turns:
        machine.pass_(passed)
        machine.wall += drift
        if checked and abs(machine.wall - machine.clock.time()) <= SLEW_LIMIT:
            assert machine.clock.check() == 0.0
        seen.append((machine.uptime, machine.clock.time()))

    for (up, then), (later_up, later) in itertools.pairwise(seen):
        passed = later_up - up
        assert passed * (1 - SLEW_RATE) - 1e-6 <= later - then <= passed * (1 + SLEW_RATE) + 1e-6
