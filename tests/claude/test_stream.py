"""What is seen of a streamed message."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.claude.sse import Event
from sidecar.claude.stream import StreamResult, judge
from sidecar.claude.usage import Usage


def event(type_: str, **data: Any) -> Event:
    return Event(type_, json.dumps({"type": type_, **data}))


START = event(
    "message_start",
    message={"id": "msg_1", "model": "claude-haiku-5-5", "usage": {"input_tokens": 20, "output_tokens": 1}},
)
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"})
THINKING = event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "x"})
PING = event("ping")
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 41})
STOP = event("message_stop")
ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def fold(*timed: tuple[float, Event]) -> StreamResult:
    result = StreamResult()
    for at, one in timed:
        result = result.after(one, at)
    return result


def test_a_whole_stream():
    """A stream tells its beginning, its first content and text, its longest silence, its usage and its end."""
    result = fold((1, START), (1, PING), (2, THINKING), (3, BLOCK), (3.5, TEXT), (7, TEXT), (8, END), (8, STOP))

    assert judge(result) is None
    assert (result.first_event_at, result.first_content_at, result.first_text_at) == (1, 2, 3.5)
    assert (result.last_content_at, result.last_event_at, result.max_gap) == (7, 8, 3.5)
    assert (result.events, result.deltas, result.pings) == (8, 3, 1)
    assert (result.message_id, result.model, result.stop_reason) == ("msg_1", "claude-haiku-5-5", "end_turn")
    assert result.usage == Usage(input_tokens=20, output_tokens=41)
    assert result.tokens_per_second == 40 / 5


def test_the_last_usage_counts():
    """Usage is cumulative: of several the last holds, and what it leaves out stays."""
    more = event("message_delta", delta={}, usage={"output_tokens": 50, "cache_read_input_tokens": 7})

    result = fold((0, START), (1, END), (2, more), (2, STOP))

    assert result.usage == Usage(input_tokens=20, output_tokens=50, cache_read=7)
    assert result.stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("events", "word"),
    [
        pytest.param([START, END, STOP], None, id="no content: a refusal or hidden thinking"),
        pytest.param([START, event("novel_event", x=1), TEXT, END, STOP], None, id="unknown events are passed over"),
        pytest.param([START, ERROR], "overloaded", id="an error at once"),
        pytest.param([START, TEXT, ERROR], "overloaded", id="an error half-way"),
        pytest.param([START, TEXT, ERROR, STOP], "overloaded", id="an error, then an end"),
        pytest.param([event("error", error={"type": "novel"})], "stream_error", id="an unknown error"),
        pytest.param([START, BLOCK, TEXT], "truncated", id="no end"),
        pytest.param([START, TEXT, END], "truncated", id="a stop reason, but no end"),
        pytest.param([], "truncated", id="nothing"),
        pytest.param([PING, PING], "truncated", id="pings, then closed"),
        pytest.param([Event("message_stop", "no JSON")], "truncated", id="no JSON"),
        pytest.param([Event("message", "[DONE]")], "truncated", id="another API's end"),
        pytest.param([STOP], "stream_error", id="an end without a beginning"),
    ],
)
def test_how_a_stream_ended(events, word):
    """A stream is well when it began and ended; everything else has its word."""
    failure = judge(fold(*((float(i), one) for i, one in enumerate(events))))

    assert (failure.error_type if failure else None) == word


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([START, PING], True, id="begun, then pings"),
        pytest.param([PING], True, id="pings alone"),
        pytest.param([START], False, id="no ping"),
        pytest.param([PING, TEXT], False, id="content"),
        pytest.param([PING, END], False, id="an end without content"),
    ],
)
def test_pings_without_content(events, expected):
    """A stream that only keeps itself alive is told from one that is silent."""
    assert fold(*((0.0, one) for one in events)).ping_only is expected


@pytest.mark.parametrize(
    "timed",
    [
        pytest.param([(0, START), (1, TEXT), (1, TEXT), (1, END), (1, STOP)], id="all at once"),
        pytest.param([(0, START), (1, TEXT), (2, TEXT), (2, END)], id="not ended: the number of tokens is not known"),
        pytest.param([(0, START), (0, END), (1, STOP)], id="no content"),
    ],
)
def test_a_speed_that_cannot_be_told(timed):
    """Tokens per second need time between the first and the last of them; otherwise there is no number."""
    assert fold(*timed).tokens_per_second is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["type", "delta", "usage", "error", "stop_reason", "input_tokens"]), inner, max_size=3
    ),
    max_leaves=9,
)  # fmt: skip
TYPES = ["message_start", "content_block_delta", "message_delta", "message_stop", "ping", "error", "other"]


@given(
    st.lists(
        st.builds(
            lambda name, fields: Event(name, json.dumps({"type": name, **fields})),
            st.sampled_from(TYPES),
            st.dictionaries(st.sampled_from(["message", "delta", "usage", "error", "type"]), VALUES, max_size=3),
        )
        | st.builds(Event, st.sampled_from(TYPES), st.text(max_size=9)),
        max_size=9,
    )
)
@settings(max_examples=100)
def test_whatever_comes_is_judged(events):
    """Events of any content are folded, and the end is well or has its word."""
    result = fold(*((float(i), one) for i, one in enumerate(events)))

    assert result.events == len(events)
    whole = result.started and result.finished and bool(result.stop_reason)
    assert (judge(result) is None) == (whole and result.error is None)
