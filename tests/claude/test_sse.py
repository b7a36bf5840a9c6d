"""Server-sent events out of bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.claude.sse import Decoder, Event, OversizedEventError

TABLE = [
    pytest.param(b"event: ping\ndata: {}\n\n", [("ping", "{}")], id="as the API writes it"),
    pytest.param(b"event: ping\r\ndata: {}\r\n\r\n", [("ping", "{}")], id="CRLF"),
    pytest.param(b"event: ping\rdata: {}\r\r", [("ping", "{}")], id="CR"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [("message", "a")], id="a byte order mark"),
    pytest.param(b"data: a\ndata: b\n\n", [("message", "a\nb")], id="data of two lines"),
    pytest.param(b"data\ndata\n\n", [("message", "\n")], id="data without a colon"),
    pytest.param(b"data:a\ndata:  b\n\n", [("message", "a\n b")], id="one space is not data"),
    pytest.param(b": hello\n\n:\n\ndata: a\n\n", [("message", "a")], id="comments"),
    pytest.param(b"event: lost\n\ndata: a\n\n", [("message", "a")], id="a name without data is no event"),
    pytest.param(b"id: 7\nretry: 9\nfoo: bar\ndata: a\n\n", [("message", "a")], id="other fields"),
    pytest.param(b"data: a\n", [], id="an event that has not ended"),
    pytest.param(b"\n\n\r\n\r", [], id="empty lines"),
    pytest.param("data: ü€\n\n".encode(), [("message", "ü€")], id="UTF-8"),
    pytest.param(b"data: \xff\n\n", [("message", "\ufffd")], id="no UTF-8"),
    pytest.param(b"data: a\x00b\n\n", [("message", "a\x00b")], id="a NUL"),
    pytest.param("data: a\u2028b\x0bc\n\n".encode(), [("message", "a\u2028b\x0bc")], id="only CR and LF end lines"),
]


def decode(*chunks: bytes) -> list[tuple[str, str]]:
    decoder = Decoder()
    return [(event.name, event.data) for chunk in chunks for event in decoder.feed(chunk)]


@pytest.mark.parametrize(("stream", "expected"), TABLE)
def test_events_however_they_are_cut(stream, expected):
    """The events are the same in one piece, byte by byte, and cut in two anywhere."""
    assert decode(stream) == expected
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == expected
    assert all(decode(stream[:i], stream[i:]) == expected for i in range(len(stream)))


def test_an_event_comes_with_its_last_byte():
    """An event that ends in CR is given at once, without waiting for a line feed that may never come."""
    decoder = Decoder()

    assert decoder.feed(b"data: a\r\r") == [Event("message", "a")]
    assert decoder.feed(b"\ndata: b\r\n\r\n") == [Event("message", "b")]


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"x" * 1200, id="a line that does not end"),
        pytest.param(b"data: x\n" * 200, id="an event that does not end"),
        pytest.param(b"data: " + b"x" * 1200 + b"\n\n", id="an event that is too long"),
    ],
)
def test_what_does_not_end_is_given_up(stream):
    """What a peer can make us keep is bounded, in one piece or in many."""
    for size in (1, 7, len(stream)):
        decoder = Decoder(limit=1000)
        with pytest.raises(OversizedEventError, match="longer than 1000 bytes"):
            for i in range(0, len(stream), size):
                decoder.feed(stream[i : i + size])


def test_a_long_stream_of_short_events_is_fine():
    """The bound is each event's, not the stream's."""
    decoder = Decoder(limit=100)

    assert sum(len(decoder.feed(b": comment\ndata: 12345\n\n" * 10)) for _ in range(100)) == 1000


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"data:", b"\r", b"\n", b"event: x\n", b":"]), max_size=30))
@settings(max_examples=100)
def test_arbitrary_bytes(chunks):
    """Any bytes are events or nothing, and how they are cut never matters."""
    assert decode(*chunks) == decode(b"".join(chunks))
