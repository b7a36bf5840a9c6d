"""What happened and what comes next, in sentences."""

import pytest

from sidecar.alerts.decide import COOLDOWN
from sidecar.alerts.record import Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.api.wording import Due, dues, sentence
from tests.alerts.examples import firing

LATER = 5000.0


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        pytest.param("muted: silence", "it is silenced", id="a silence"),
        pytest.param(
            "muted: starting", "the daemon has just started and cannot judge it yet", id="the daemon has just started"
        ),
        pytest.param("muted: offline", "the daemon is cut off itself", id="we are cut off"),
        pytest.param("muted: interval", "it is muted by interval", id="one without words of its own"),
        pytest.param(
            "muted: silence, offline", "it is silenced and the daemon is cut off itself", id="two at the same time"
        ),
    ],
)
def test_why_nothing_is_told(reason, words):
    """The story and what comes next give the reason as a sentence."""
    alert = firing()
    record = Record(alert.fingerprint, "hook", reason=reason)

    [ahead] = dues(alert, [record], {record.key: LATER}, None)

    assert sentence(Entry(1.0, alert.fingerprint, Event.NOTHING, reason, "hook")) == (
        f"hook: not told, because {words}"
    )
    assert ahead == Due(LATER, f"nothing, because {words}; decided again", "hook")


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        pytest.param(
            "the channel does not take the severity",
            "nothing: the channel does not take the severity",
            id="not for this channel",
        ),
        pytest.param("muted: silence", "nothing, because it is silenced", id="for as long as something lasts"),
        pytest.param("", "nothing", id="no reason"),
    ],
)
def test_what_has_no_time_is_not_decided_again(reason, what):
    """Where nothing is due, nothing is promised."""
    alert = firing()

    assert list(dues(alert, [Record(alert.fingerprint, "hook", reason=reason)], {}, None)) == [Due(None, what, "hook")]


@pytest.mark.parametrize(
    ("failed", "what"),
    [
        pytest.param(False, "told again, when the cooldown has passed", id="the channel was told before"),
        pytest.param(
            True,
            "tried again, because the last message did not arrive, when the cooldown has passed",
            id="it was given up",
        ),
    ],
)
def test_what_waits_for_a_cooldown(failed, what):
    """Nobody is said to have been told what never arrived."""
    alert = firing()
    record = Record(alert.fingerprint, "hook", reason=COOLDOWN, failed=failed)

    assert list(dues(alert, [record], {record.key: LATER}, None)) == [Due(LATER, what, "hook")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("opening: first", "a message for hook: it fires (for the first time)", id="an opening"),
        pytest.param(
            "reminder: repeat", "a message for hook: it still fires (it is time for a reminder)", id="reminder"
        ),
        pytest.param("resolve: recovered", "a message for hook: it ended (recovered)", id="an end"),
        pytest.param(
            "closed: recovered", "a message for hook: it fired and ended, told late and at once (recovered)", id="both"
        ),
    ],
)
def test_a_message_that_was_put_is_not_told_yet(text, words):
    """The story says what was put; what became of it is another line."""
    assert sentence(Entry(1.0, "f" * 16, Event.PUT, text, "hook")) == words
