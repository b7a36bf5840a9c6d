import pytest

from sidecar.ingest.reading import TooMany, Unreadable, read
from sidecar.ingest.rejecting import Rejected


@pytest.mark.parametrize(
    ("body", "lines", "expected"),
    [
        pytest.param(b'{"a": 1}', False, [{"a": 1}], id="one object"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}\n', False, [{"a": 1}], id="one object behind a byte order mark"),
        pytest.param(b'{\n "a": 1\n}', False, [{"a": 1}], id="one object on several lines"),
        pytest.param(b'[{"a": 1}, {"a": 2}]', False, [{"a": 1}, {"a": 2}], id="an array"),
        pytest.param(b"[]", False, [], id="an empty array"),
        pytest.param(b'{"a": 1}\n\n{"a": 2}\r\n', True, [{"a": 1}, {"a": 2}], id="lines"),
        pytest.param(b'{"a": 1}\n{"a": 2}', False, [{"a": 1}, {"a": 2}], id="lines that nobody announced"),
        pytest.param(b"3", False, [3], id="no object, which is for others to say"),
    ],
)
def test_bodies_are_read(body, lines, expected):
    """One object, an array and lines are told apart without being told."""
    assert list(read(body, lines=lines)) == expected


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "got an empty body", id="nothing"),
        pytest.param(b" \n ", "got an empty body", id="blanks"),
        pytest.param(b"\xff\xfe", "byte 0 is no UTF-8", id="no UTF-8"),
        pytest.param(b'{"a": ', "no JSON: ", id="half an object"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="too deep"),
        pytest.param(b"9" * 5000, "no JSON: ", id="a number too long to read"),
    ],
)
def test_what_holds_no_event_is_refused(body, said):
    """A body that cannot be read says where it stops making sense."""
    with pytest.raises(Unreadable, match=said):
        read(body, lines=False)


@pytest.mark.parametrize("body", [b"[" + b"0," * 20_000 + b"0]", b"0\n" * 20_001], ids=["array", "lines"])
def test_too_many_events_are_refused_before_the_first(body):
    """A request has a limit of events, whichever form they have."""
    with pytest.raises(TooMany, match="got 20001 events in one request, expected at most 20000"):
        read(body, lines=not body.startswith(b"["))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(b'{"a": ', "expected a line that is a JSON object", id="half an object"),
        pytest.param(b'{"a": 1},{"a": 2}', "more than one value in the line", id="two objects"),
        pytest.param(b"[" * 100_000, "expected a line that is a JSON object", id="too deep"),
    ],
)
def test_a_bad_line_leaves_the_others_alone(line, said):
    """A line that is no JSON is one rejected event; those around it are read."""
    first, bad, last = read(b'{"a": 1}\n' + line + b'\n{"a": 3}', lines=True)

    assert (first, last) == ({"a": 1}, {"a": 3})
    assert isinstance(bad, Rejected)
    assert said in str(bad)
