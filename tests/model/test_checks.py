"""From probes to a check's state."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.checks import (
    CheckState,
    CheckStatus,
    Evidence,
    ProbeResult,
    Verdict,
    advance,
    document,
    lapse,
    max_age,
    noted,
    undecided,
    unknown,
)


@dataclass(frozen=True)
class Judged:
    failure_threshold: int = 2
    success_threshold: int = 1
    every: float = 15.0
    timeout: float = 10.0
    confirm: float = 2.0


def probed(story: str, thresholds: Judged) -> list[CheckState]:
    """The states after each probe of *story*: `.` is a success, `x` a failure, `o` no verdict."""
    states, state = [], CheckState()
    for at, sign in enumerate(story):
        word, reason = "connect" if sign == "x" else "", "offline" if sign == "o" else ""
        message = "" if sign == "." else f"probe {at}"
        state = advance(state, thresholds, ProbeResult(float(at), 0.1, word, message, reason=reason))
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
        pytest.param(".o", Judged(), "u?", id="no verdict makes it unknown at once"),
        pytest.param("xxo", Judged(), "?d?", id="also when it was down"),
        pytest.param(".xox", Judged(), "uu??", id="a row of failures begins anew"),
        pytest.param(".xoxx", Judged(), "uu??d", id="and is long enough later"),
        pytest.param("o.", Judged(), "?u", id="a verdict decides again"),
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
        pytest.param(".xo", Judged(), "nyn", id="no verdict is not confirmed"),
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


def test_no_verdict_is_neither_success_nor_failure():
    """A probe without a verdict has a reason, which becomes the state's; the failure before it stays the evidence."""
    state = probed("xo", Judged())[-1]

    assert state.last is not None
    assert (state.last.ok, state.last.verdict) == (False, Verdict.UNKNOWN)
    assert (state.reason, state.failures, state.successes, state.since) == ("offline", 0, 0, 0)
    assert state.last_failure is not None
    assert state.last_failure.message == "probe 0"
    assert advance(state, Judged(), ProbeResult(2.0, 0.1)).reason == ""


def test_unknown_has_a_reason_and_a_beginning():
    """The reason may change while a check stays unknown; since when it is, does not."""
    lapsed = lapse(probed(".", Judged())[-1], 50.0)

    assert (lapsed.reason, lapsed.since) == ("lapsed", 50.0)
    closed = unknown(lapsed, "off_hours", 60.0)
    assert (closed.reason, closed.since) == ("off_hours", 50.0)
    assert unknown(CheckState(), "off_hours", 60.0).since == 60.0


def test_a_result_without_a_say_is_noted():
    """What was asked for outside of the hours is remembered, and decides nothing."""
    closed = unknown(probed(".", Judged())[-1], "off_hours", 50.0)
    failure = ProbeResult(60.0, 0.1, "connect", "refused")

    after = noted(closed, failure)

    assert (after.status, after.reason, after.last, after.last_failure) == (
        CheckStatus.UNKNOWN,
        "off_hours",
        failure,
        failure,
    )
    assert noted(after, ProbeResult(70.0, 0.1)).last_failure == failure


def test_a_result_as_a_document():
    """What JSON has of a probe: its verdict, its words, and what it saw."""
    saw = Evidence({"server": "x"}, "<html>", False, {"connect": 0.1})

    found = document(ProbeResult(1.0, 0.5, "assertion", "got 500", {"status": 500.0}, evidence=saw))

    assert found == {
        "at": 1.0,
        "duration": 0.5,
        "verdict": "failure",
        "error_type": "assertion",
        "reason": "",
        "message": "got 500",
        "notes": {"status": 500.0},
        "phases": {"connect": 0.1},
        "headers": {"server": "x"},
        "body": "<html>",
        "body_whole": False,
    }
    assert "body" not in document(ProbeResult(1.0, 0.5))


@given(story=st.text("x.o", max_size=30), failures=st.integers(1, 4), successes=st.integers(1, 4))
def test_a_status_is_what_the_last_long_row_said(story, failures, successes):
    """Over any history the status is that of the latest row which was long enough."""
    expected = CheckStatus.UNKNOWN
    for end in range(1, len(story) + 1):
        if story[:end].endswith("o"):
            expected = CheckStatus.UNKNOWN
        elif story[:end].endswith("x" * failures):
            expected = CheckStatus.DOWN
        elif story[:end].endswith("." * successes):
            expected = CheckStatus.UP

    states = probed(story, Judged(failures, successes))

    assert (states[-1].status if states else CheckStatus.UNKNOWN) is expected
