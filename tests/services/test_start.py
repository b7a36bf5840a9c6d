"""The first minute."""

import pytest

from sidecar.alerts.facts import Mute
from sidecar.checks.http import HttpCheck
from sidecar.model.alerts import Alert, AlertState, RuleKey
from sidecar.model.checks import CheckState, CheckStatus
from sidecar.model.labels import Labels
from sidecar.services.start import Start

RULE, OTHER = RuleKey("group", "Down"), RuleKey("other", "Slow")
ALERT = Alert(RULE, Labels(alertname="Down"), AlertState.FIRING, 0.0, 1.0)
CHECKS = [
    HttpCheck(type="http", name=name, url="http://gateway/", timeout=10.0, confirm=2.0) for name in ("one", "two")
]
UP, UNKNOWN = CheckState(CheckStatus.UP), CheckState()


def start(states, saved_at=None):
    """A start at 1,000 with two checks and two groups."""
    return Start(1000.0, saved_at, CHECKS, ["group", "other"], lambda: states)


def muted(started, now) -> bool:
    """Whether the alert is held."""
    return Mute.STARTING in started.mutes(ALERT, "hook", now).kinds


def test_a_cold_start_waits_for_every_check_and_then_for_every_group():
    """An opening is held until all checks have a state and all groups were evaluated once after that."""
    states = {"one": UP, "two": UNKNOWN}
    started = start(states)
    started.evaluated([RULE, OTHER], 1003.0)
    assert muted(started, 1003.0)

    states["two"] = UP
    assert started.decided(1004.0)
    assert not started.evaluated([RULE], 1004.0) or muted(started, 1004.0)
    assert muted(started, 1004.0)
    assert started.evaluated([OTHER], 1005.0)

    assert not muted(started, 1005.0)


@pytest.mark.parametrize(
    ("now", "decided"),
    [
        pytest.param(1021.9, False, id="it may still get one"),
        pytest.param(1022.0, True, id="spread, timeout and confirm are used up"),
    ],
)
def test_a_check_that_stays_unknown_is_not_waited_for_for_ever(now, decided):
    """A check has its time to get a state, and no more."""
    assert start({"one": UP, "two": UNKNOWN}).decided(now) is decided


def test_nobody_is_held_for_more_than_a_minute():
    """After sixty seconds openings go out, whatever is still unknown."""
    started = start({"one": UNKNOWN, "two": UNKNOWN})

    assert muted(started, 1059.9)
    assert not muted(started, 1060.0)


@pytest.mark.parametrize(
    ("saved_at", "held"),
    [
        pytest.param(990.0, False, id="a quick restart waits for the alert's own rule alone"),
        pytest.param(399.0, True, id="after ten minutes the start is a cold one"),
        pytest.param(None, True, id="the first start ever is a cold one"),
    ],
)
def test_a_quick_restart(saved_at, held):
    """What was alive a moment ago need not look around again."""
    started = start({"one": UNKNOWN, "two": UNKNOWN}, saved_at)
    assert muted(started, 1000.5)

    started.evaluated([RULE], 1001.0)

    assert muted(started, 1001.0) is held


def test_a_step_of_the_clock_keeps_the_minute():
    """When the clock jumps, the first minute jumps with it."""
    started = start({"one": UNKNOWN, "two": UNKNOWN})

    started.step(3600.0)

    assert muted(started, 4650.0)
    assert not muted(started, 4660.0)


@pytest.mark.parametrize(
    ("reason", "known"),
    [
        pytest.param("waiting", True, id="a job that may call tomorrow"),
        pytest.param("off_hours", True, id="a check that rests"),
        pytest.param("offline", False, id="we are cut off"),
        pytest.param("lapsed", False, id="no result came"),
        pytest.param("", False, id="no probe yet"),
    ],
)
def test_nobody_waits_for_what_time_alone_does_not_end(reason, known):
    """What fires and names no check is judged although a job has not called yet; a check that is due is waited for."""
    started = start({"one": UP, "two": CheckState(reason=reason)}, saved_at=990.0)

    assert started.known("", 1005.0) is known
