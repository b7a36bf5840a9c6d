"""The table of what a channel is told."""

from dataclasses import replace

import pytest

from sidecar.alerts.decide import decide, obsolete_at
from sidecar.alerts.facts import Facts, Mute, Mutes
from sidecar.alerts.record import Record
from sidecar.model.alerts import EndReason
from sidecar.model.notifications import NotifyKind

T = 1_000_000.0  # when it opened
OPEN = Record("f", "hook", open=True, opened_at=T, told_at=T, firing_since=T, reason="told")
CLOSED = replace(OPEN, open=False, firing_since=None, ended_at=T + 60, flips=1, reason="not firing")
NEVER = Record("f", "hook")
FIRING = Facts(firing_since=T, cooldown=300.0, repeat=3600.0)
AGAIN = replace(FIRING, firing_since=T + 100)
OVER = replace(FIRING, firing_since=None, ended=EndReason.RECOVERED)
SILENCED = Mutes(frozenset({Mute.SILENCE}), until=T + 5000)
ELSEWHERE = "the rule does not name the channel"

LINES = [
    pytest.param(OPEN, OVER, 60, "resolve", "recovered", id="1: an end is told"),
    pytest.param(OPEN, replace(OVER, mutes=SILENCED), 60, "resolve", "recovered", id="1: even under a silence"),
    pytest.param(OPEN, replace(OVER, acked=True), 60, "resolve", "recovered", id="1: even when acknowledged"),
    pytest.param(
        OPEN, replace(OVER, unrouted=ELSEWHERE), 60, "resolve", "recovered", id="1: even when routed elsewhere"
    ),
    pytest.param(
        OPEN, replace(OVER, ended=EndReason.NO_DATA), 60, "resolve", "no_data", id="1: no data is no recovery"
    ),
    pytest.param(OPEN, replace(OVER, ended=EndReason.REMOVED), 60, "resolve", "removed", id="1: no longer watched"),
    pytest.param(OPEN, replace(OVER, ended=EndReason.REPLACED), 60, "resolve", "replaced", id="1: replaced"),
    pytest.param(
        OPEN,
        replace(OVER, send_resolved=False),
        60,
        None,
        "recovered, not told: the channel does not take resolves",
        id="1: closes without a message",
    ),
    pytest.param(OPEN, replace(FIRING, unrouted=ELSEWHERE), 9999, None, ELSEWHERE, id="2: routed elsewhere"),
    pytest.param(OPEN, replace(FIRING, unrouted=ELSEWHERE, mutes=SILENCED), 9999, None, ELSEWHERE, id="2: before 3"),
    *(
        pytest.param(
            OPEN, replace(FIRING, mutes=Mutes(frozenset({mute}))), 9999, None, f"muted: {mute}", id=f"3: {mute}"
        )
        for mute in Mute
    ),
    pytest.param(OPEN, replace(FIRING, mutes=SILENCED, acked=True), 9999, None, "muted: silence", id="3: before 4"),
    pytest.param(OPEN, replace(FIRING, acked=True), 9999, None, "acknowledged", id="4: acknowledged"),
    pytest.param(replace(OPEN, hushed=True), replace(FIRING, acked=True), 9, None, "acknowledged", id="4: before 5"),
    pytest.param(replace(OPEN, hushed=True), FIRING, 9, "reminder", "silence ended", id="5: a silence ended"),
    pytest.param(OPEN, FIRING, 3600, "reminder", "repeat", id="6: at repeat"),
    pytest.param(OPEN, replace(FIRING, cooldown=7200.0), 7200, "reminder", "repeat", id="6: not before the cooldown"),
    pytest.param(OPEN, replace(FIRING, cooldown=7200.0), 7199, None, "told", id="7: not before the cooldown"),
    pytest.param(OPEN, FIRING, 3599, None, "told", id="7: before repeat"),
    pytest.param(OPEN, replace(FIRING, repeat=0.0), 99999, None, "told", id="7: never again"),
    pytest.param(NEVER, OVER, 0, None, "not firing", id="8: not firing"),
    pytest.param(NEVER, replace(FIRING, unrouted=ELSEWHERE), 0, None, ELSEWHERE, id="8: not routed"),
    *(
        pytest.param(NEVER, replace(FIRING, mutes=Mutes(frozenset({mute}))), 0, None, f"muted: {mute}", id=f"9: {mute}")
        for mute in Mute
    ),
    pytest.param(NEVER, replace(FIRING, acked=True), 0, None, "acknowledged", id="9: acknowledged"),
    pytest.param(CLOSED, AGAIN, 299, None, "cooldown", id="10: within the cooldown"),
    pytest.param(CLOSED, replace(AGAIN, mutes=SILENCED), 299, None, "muted: silence", id="9: before 10"),
    pytest.param(replace(CLOSED, failed=True), AGAIN, 899, None, "cooldown", id="10: after a dead opening, 15 min"),
    pytest.param(
        replace(CLOSED, failed=True), replace(AGAIN, cooldown=1800.0), 1799, None, "cooldown", id="10: or the cooldown"
    ),
    pytest.param(NEVER, FIRING, 0, "opening", "first", id="11: for the first time"),
    pytest.param(CLOSED, AGAIN, 300, "opening", "again", id="11: after the cooldown"),
    pytest.param(CLOSED, replace(AGAIN, cooldown=0.0), 61, "opening", "again", id="11: without cooldown"),
    pytest.param(replace(CLOSED, failed=True), AGAIN, 900, "opening", "again", id="11: 15 min after a dead opening"),
]


@pytest.mark.parametrize(("record", "facts", "after", "message", "reason"), LINES)
def test_the_table(record, facts, after, message, reason):
    """The first line that holds decides, and names its reason."""
    decision = decide(record, facts, T + after)

    assert (decision.message, decision.reason) == (message, reason)


@pytest.mark.parametrize(
    ("record", "facts", "after", "due"),
    [
        pytest.param(OPEN, FIRING, 10, 3600, id="told: the reminder"),
        pytest.param(OPEN, replace(FIRING, cooldown=9000.0), 10, 9000, id="told: the reminder after the cooldown"),
        pytest.param(OPEN, replace(FIRING, repeat=0.0), 10, None, id="told: never again"),
        pytest.param(OPEN, replace(FIRING, mutes=SILENCED), 10, 5000, id="muted: when the mute may end"),
        pytest.param(OPEN, replace(FIRING, acked=True), 10, None, id="acknowledged: when somebody says so"),
        pytest.param(OPEN, FIRING, 3600, 7200, id="reminded: the next reminder"),
        pytest.param(OPEN, OVER, 60, 60 + 900, id="resolved: when it can be forgotten"),
        pytest.param(CLOSED, OVER, 100, 60 + 900, id="closed: when it can be forgotten"),
        pytest.param(CLOSED, replace(OVER, cooldown=7200.0), 100, 7200, id="closed: not before the cooldown is over"),
        pytest.param(CLOSED, AGAIN, 100, 300, id="cooldown: its end"),
        pytest.param(replace(CLOSED, failed=True), AGAIN, 100, 900, id="a dead opening: 15 min"),
        pytest.param(NEVER, replace(FIRING, mutes=SILENCED), 0, 5000, id="muted before anything was told"),
        pytest.param(NEVER, FIRING, 0, 3600, id="opened: the reminder"),
    ],
)
def test_when_it_is_looked_at_again(record, facts, after, due):
    """Every decision says when time alone can change it, and a turn at that time does change it."""
    decision = decide(record, facts, T + after)

    assert decision.due == (None if due is None else T + due)


def test_an_opening_starts_a_record_anew():
    """The opening is remembered with its time, and counts start at zero; the ends before it are told with it."""
    decision = decide(replace(CLOSED, flips=3, n=7, failed=True), AGAIN, T + 1000)

    assert (decision.flips, decision.n) == (3, 0)
    assert decision.record == Record(
        "f", "hook", True, T + 1000, T + 1000, firing_since=T + 100, ended_at=T + 60, reason="told"
    )


def test_messages_are_counted_since_the_opening():
    """Each message knows how many went before it, so that no two have the same id."""
    first = decide(OPEN, FIRING, T + 3600)
    second = decide(first.record, FIRING, T + 7200)
    end = decide(second.record, OVER, T + 8000)

    assert [d.n for d in (first, second, end)] == [0, 1, 2]
    assert first.record.told_at == T + 3600
    assert first.record.opened_at == T


def test_two_openings_at_one_instant_differ():
    """Without a cooldown, two openings in one millisecond have times that their ids can tell apart."""
    facts = replace(AGAIN, cooldown=0.0)

    decision = decide(replace(CLOSED, ended_at=T), facts, T)

    assert decision.message is NotifyKind.OPENING
    assert decision.record.opened_at == T + 0.001


def test_a_silence_is_remembered_until_it_is_answered():
    """A silence sets hushed, and the reminder, an acknowledgement or the end takes it away."""
    hushed = decide(OPEN, replace(FIRING, mutes=SILENCED), T + 10).record
    assert hushed.hushed
    assert decide(hushed, replace(FIRING, mutes=Mutes(frozenset({Mute.INTERVAL}))), T + 11).record.hushed

    assert not decide(hushed, FIRING, T + 20).record.hushed
    assert not decide(hushed, replace(FIRING, acked=True), T + 20).record.hushed
    assert not decide(hushed, OVER, T + 20).record.hushed
    assert not decide(OPEN, replace(FIRING, mutes=Mutes(frozenset({Mute.INTERVAL}))), T + 10).record.hushed


def test_ends_are_counted_told_or_not():
    """An end counts as a flip also when nobody was told, and also when it fell between two decisions."""
    unseen = decide(OPEN, replace(FIRING, firing_since=T + 50), T + 60).record
    assert (unseen.flips, unseen.open) == (1, True)

    muted = replace(AGAIN, mutes=SILENCED)
    record = decide(CLOSED, muted, T + 100).record
    record = decide(record, replace(OVER, mutes=SILENCED), T + 110).record

    assert (record.flips, record.ended_at) == (2, T + 110)
    assert decide(NEVER, OVER, T).record.flips == 0


def test_a_clock_that_was_set_back_ends_nothing():
    """The same episode, with a beginning that moved back along with the clock, is no flip."""
    decision = decide(OPEN, replace(FIRING, firing_since=T - 3600), T + 10)

    assert (decision.message, decision.record.flips, decision.record.firing_since) == (None, 0, T - 3600)


@pytest.mark.parametrize(
    ("record", "facts", "expected"),
    [
        pytest.param(OPEN, FIRING, None, id="an open record never ages out"),
        pytest.param(CLOSED, AGAIN, None, id="nor does that of a firing alert"),
        pytest.param(CLOSED, OVER, T + 960, id="15 min after the end"),
        pytest.param(CLOSED, replace(OVER, cooldown=3600.0), T + 3600, id="after the cooldown"),
        pytest.param(replace(CLOSED, failed=True, ended_at=T - 900), OVER, T + 900, id="after a dead opening"),
        pytest.param(NEVER, OVER, 0.0, id="a record of nothing"),
    ],
)
def test_when_a_record_can_be_dropped(record, facts, expected):
    """A closed record is kept past its cooldown and for 15 min after the end."""
    assert obsolete_at(record, facts) == expected
