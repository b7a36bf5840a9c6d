"""From probes to a check's state."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.checks import CheckState, CheckStatus, ProbeResult, advance, lapse, max_age, undecided


@dataclass(frozen=True)
class Judged:
    failure_threshold: int = 2
    success_threshold: int = 1
    every: float = 15.0
    timeout: float = 10.0
    confirm: float = 2.0


def probed(story: str, thresholds: Judged) -> list[CheckState]:
    """The states after each probe of *story*: `.` is a success, `x` a failure."""
    states, state = [], CheckState()
    for at, sign in enumerate(story):
        word = "" if sign == "." else "connect"
        state = advance(state, thresholds, ProbeResult(float(at), 0.1, word, f"probe {at}" if word else ""))
        states.append(state)
    return states


@pytest.mark.parametrize(
    ("story", "thresholds", "states"),
    [
        pytest.param(".", Judged(), "u", id="one success makes it up"),
        pytest.param("x", Judged(), "?", id="one failure decides nothing"),
        pytest.param("xx", Judged(), "?d", id="two failures in a row make it down"),
        pytest.param(".x.", Judged(), "uuu", id="a blip leaves it up"),
        pytest.param(".x.x.x", Judged(), "uuuuuu", id="failures that are not in a row never add up"),
        pytest.param(".xx", Judged(), "uud", id="up until the second failure"),
        pytest.param("xx.", Judged(), "?du", id="one success brings it back"),
        pytest.param("xx.x", Judged(), "?duu", id="after the recovery the count begins anew"),
        pytest.param("x.", Judged(), "?u", id="a failure, then a success"),
        pytest.param("x", Judged(failure_threshold=1), "d", id="a threshold of one takes the first word"),
        pytest.param("..", Judged(success_threshold=2), "?u", id="unknown until enough successes"),
        pytest.param("xx.x..", Judged(success_threshold=2), "?ddddu", id="down until enough successes in a row"),
        pytest.param(".x.x", Judged(2, 2), "????", id="contradictions decide nothing"),
    ],
)
def test_enough_probes_in_a_row_decide(story, thresholds, states):
    """A status changes when as many probes in a row agree as the check asks for."""
    names = {"u": CheckStatus.UP, "d": CheckStatus.DOWN, "?": CheckStatus.UNKNOWN}

    assert [state.status for state in probed(story, thresholds)] == [names[sign] for sign in states]


@pytest.mark.parametrize(
    ("story", "thresholds", "confirmed"),
    [
        pytest.param(".", Judged(), "n", id="a success that decides needs no confirmation"),
        pytest.param(".x", Judged(), "ny", id="a first failure is confirmed"),
        pytest.param(".xx", Judged(), "nyn", id="down is decided"),
        pytest.param(".xxx", Judged(), "nynn", id="down stays decided"),
        pytest.param("x", Judged(), "y", id="the first word is a failure"),
        pytest.param("xx.", Judged(success_threshold=2), "yny", id="a first success while down is confirmed"),
        pytest.param(".", Judged(success_threshold=3), "y", id="a first success while unknown is confirmed"),
    ],
)
def test_what_is_undecided_is_confirmed(story, thresholds, confirmed):
    """While a row of probes speaks against the status, the next probe comes sooner."""
    assert [undecided(state) for state in probed(story, thresholds)] == [sign == "y" for sign in confirmed]


def test_a_status_knows_since_when():
    """`since` is the end of the probe that decided, and stays while the status does."""
    states = probed(".x.xx", Judged())

    assert [state.since for state in states] == [0, 0, 0, 0, 4]


def test_the_evidence_outlives_the_failure():
    """The last failure stays known after the recovery, and the next one replaces it."""
    states = probed("x.x", Judged())

    assert [state.last_failure and state.last_failure.message for state in states] == ["probe 0", "probe 0", "probe 2"]
    assert [state.last and state.last.ok for state in states] == [False, True, False]


def test_a_lapsed_check_is_unknown_and_begins_anew():
    """Without results a check becomes unknown, and then needs a whole row again."""
    down = probed("xx", Judged())[-1]

    lapsed = lapse(down, 100.0)

    assert (lapsed.status, lapsed.since, lapsed.failures) == (CheckStatus.UNKNOWN, 100.0, 0)
    assert lapsed.last_failure == down.last_failure
    again = advance(lapsed, Judged(), ProbeResult(101.0, 0.1, "connect"))
    assert (again.status, again.since) == (CheckStatus.UNKNOWN, 100.0)
    assert max_age(Judged()) == 40.0


@given(story=st.text("x.", max_size=30), failures=st.integers(1, 4), successes=st.integers(1, 4))
def test_a_status_is_what_the_last_long_row_said(story, failures, successes):
    """Over any history the status is that of the latest row which was long enough."""
    expected = CheckStatus.UNKNOWN
    for end in range(1, len(story) + 1):
        if story[:end].endswith("x" * failures):
            expected = CheckStatus.DOWN
        elif story[:end].endswith("." * successes):
            expected = CheckStatus.UP

    states = probed(story, Judged(failures, successes))

    assert (states[-1].status if states else CheckStatus.UNKNOWN) is expected
