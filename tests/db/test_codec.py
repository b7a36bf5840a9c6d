"""Messages as text, and back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.db.codec import dump_notification, load_notification
from sidecar.model.notifications import Blame, NotifyKind, Trend
from tests.alerts.examples import message

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TRENDS = st.builds(Trend, NUMBER, NUMBER, st.lists(st.none() | NUMBER, max_size=5).map(tuple), st.booleans())
BLAMES = st.builds(Blame, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))


@given(st.none() | TRENDS, st.none() | BLAMES, st.text(max_size=9))
@settings(max_examples=50)
def test_what_is_told_beside_the_alert_is_kept(trend, blame, advice):
    """A message is read with the trend and the blame that it was written with."""
    before = message(NotifyKind.OPENING)
    before = replace(before, alerts=(replace(before.alerts[0], trend=trend, blame=blame, advice=advice),))

    assert load_notification(dump_notification(before)) == before


def test_messages_of_versions_before_are_read():
    """A row without them is a message without them."""
    text = json.loads(dump_notification(message(NotifyKind.OPENING)))
    for name in ("evidence", "trend", "blame", "advice"):
        del text["alerts"][0][name]

    (told,) = load_notification(json.dumps(text)).alerts

    assert (told.evidence, told.trend, told.blame, told.advice) == ("", None, None, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("trend", 5, id="a number for a trend"),
        pytest.param("trend", {"end": "x", "step": 1, "values": [], "up": False}, id="a text for a time"),
        pytest.param("trend", {"end": 1, "step": 1, "values": ["x"], "up": False}, id="a text for a value"),
        pytest.param("trend", {"end": 1, "step": 1, "values": [1e999], "up": False}, id="an endless value"),
        pytest.param("blame", {"fault": "provider"}, id="too few words"),
        pytest.param("blame", {"fault": 1, "who": 2, "ground": 3}, id="numbers for words"),
    ],
)
def test_what_is_none_of_ours_is_refused(name, value):
    """A damaged row is a ValueError, and no message that crashes later on."""
    text = json.loads(dump_notification(message(NotifyKind.OPENING)))
    text["alerts"][0][name] = value

    with pytest.raises(ValueError, match="none of ours"):
        load_notification(json.dumps(text))
