"""What an http check asserts of an answer, against bytes written by hand."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from pydantic import ValidationError

from sidecar.checks._answers import Answer
from sidecar.checks._assertions import Expectations, sentence
from sidecar.checks.http import HttpCheck
from sidecar.model.families import PROBE_VALUE
from tests.checks.script import Peer, answer, probe

DOCUMENT = {
    "status": "starting",
    "ready": True,
    "depth": 7,
    "version": "1.24.3",
    "load": "0.5",
    "nothing": None,
    "roles": ["a", "b"],
    "items": [{"id": 1, "state": "up"}, {"id": 2, "state": "down"}],
}
BODY = json.dumps(DOCUMENT).encode()


def check(**settings: Any) -> HttpCheck:
    return HttpCheck.model_validate({"name": "gateway", "url": "http://gateway:8080/health", **settings})


async def asked(wire: Any, body: bytes, *headers: str, **settings: Any) -> Any:
    """What comes of a check whose peer says *body*."""
    wire.raw("gateway:8080", Peer([answer(200, body, *headers)]))
    return await probe(check(**settings), wire)


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param({"path": "$.status", "equals": "starting"}, id="a text"),
        pytest.param({"path": "$.depth", "equals": 7.0}, id="a number, however it is written"),
        pytest.param({"path": "$.ready", "equals": True}, id="a boolean"),
        pytest.param({"path": "$.nothing", "equals": None}, id="null"),
        pytest.param({"path": "$.roles", "equals": ["a", "b"]}, id="a list"),
        pytest.param({"path": "$.items[0]", "equals": {"state": "up", "id": 1}}, id="an object in any order"),
        pytest.param({"path": "$.status", "matches": "^start"}, id="a match"),
        pytest.param({"path": "$.depth", "matches": "^7$"}, id="a match of a number"),
        pytest.param({"path": "$.depth", "min": 7, "max": 7}, id="bounds"),
        pytest.param({"path": "$.load", "max": 0.9}, id="the text of a number within bounds"),
        pytest.param({"path": "$.ready", "min": 1}, id="a boolean within bounds"),
        pytest.param({"path": "$.status"}, id="that it is there"),
        pytest.param({"path": "$.nothing", "exists": True}, id="null is there"),
        pytest.param({"path": "$.error", "exists": False}, id="that it is not there"),
        pytest.param({"path": "$.items[?@.state == 'lost']", "exists": False}, id="that a filter finds none"),
        pytest.param({"path": "$.items[*].id", "min": 1, "max": 2}, id="all that are selected"),
        pytest.param({"path": "$.items[*]", "count": {"min": 2}}, id="how many"),
        pytest.param({"path": "$.errors[*]", "count": {"max": 0}}, id="how many there are not"),
        pytest.param({"path": "$.items[?search(@.state, 'd.wn')].id", "equals": 2}, id="a filter that searches"),
        pytest.param({"path": "$.items[?match(@.state, 'u.')].id", "equals": 1}, id="a filter that matches"),
    ],
)
async def test_what_json_may_be_expected_to_hold(wire, expected):
    """A path is good when what it selects is as expected."""
    probed = await asked(wire, BODY, expect_json=[expected])

    assert probed.message == ""


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        pytest.param({"path": "$.status", "equals": "ok"}, '$.status is "starting", expected "ok"', id="another text"),
        pytest.param({"path": "$.depth", "equals": "7"}, '$.depth is 7, expected "7"', id="a number is no text"),
        pytest.param({"path": "$.ready", "equals": 1}, "$.ready is true, expected 1", id="true is not 1"),
        pytest.param({"path": "$.roles", "equals": ["a"]}, '$.roles is ["a", "b"], expected ["a"]', id="a list"),
        pytest.param(
            {"path": "$.status", "equals": "ok", "matches": "^o"},
            '$.status is "starting", expected "ok" and a match of \'^o\'',
            id="two at once",
        ),
        pytest.param({"path": "$.depth", "max": 5}, "$.depth is 7, expected at most 5", id="too much"),
        pytest.param({"path": "$.depth", "min": 8.5}, "$.depth is 7, expected at least 8.5", id="too little"),
        pytest.param({"path": "$.status", "min": 0}, '$.status is "starting", expected at least 0', id="no number"),
        pytest.param({"path": "$.nothing", "max": 5}, "$.nothing is null, expected at most 5", id="null is not 0"),
        pytest.param({"path": "$.items[*].id", "max": 1}, "$.items[*].id is 2, expected at most 1", id="one of many"),
        pytest.param({"path": "$.status", "exists": False}, '$.status is "starting", expected none', id="too many"),
        pytest.param({"path": "$.x.token", "exists": False}, "", id="a credential that is not there"),
    ],
)
async def test_what_json_holds_instead(wire, expected, message):
    """A failure shows what was found next to what was expected."""
    probed = await asked(wire, BODY, expect_json=[expected])

    assert probed.message == message
    assert probed.error_type == ("assertion" if message else "")


@pytest.mark.parametrize(
    ("body", "expected", "message"),
    [
        pytest.param(b"{}", {"path": "$.depth", "max": 5}, "$.depth is missing, expected at most 5; got: {}", id="max"),
        pytest.param(b"{}", {"path": "$.depth"}, "$.depth is missing, expected a value; got: {}", id="existence"),
        pytest.param(b"[]", {"path": "$[*]", "count": {"min": 1}}, "the number of $[*] is 0, expected at least 1; "
            "got: []", id="count"),
        pytest.param(b"[9]", {"path": "$[*]", "count": {"min": 1}, "max": 5}, "$[*] is 9, expected at "
            "most 5", id="count is not all"),
        pytest.param(b"<html>", {"path": "$.depth"}, "the body is no JSON: Expecting value at character 1; got: <html>",
            id="no JSON"),
        pytest.param(b" ", {"path": "$"}, "the body is no JSON: it is empty; got: an empty body", id="nothing"),
        pytest.param(b"\xff{}", {"path": "$"}, "the body is no JSON: it is no UTF-8; got: �{}", id="bytes"),
        pytest.param(b"[NaN]", {"path": "$"}, "the body is no JSON: it holds NaN, which is no number of JSON; "
            "got: [NaN]", id="NaN"),
        pytest.param(b"[1e999]", {"path": "$[0]", "min": 0}, "$[0] is Infinity, expected at least 0", id="infinity"),
        pytest.param(b'["\\ud800"]', {"path": "$[0]", "matches": "^x$"}, "$[0] is \"�\", expected a match of '^x$'",
            id="half of a pair"),
    ],
)  # fmt: skip
async def test_json_that_is_not_there(wire, body, expected, message):
    """What is missing is said to be missing, and never taken for 0."""
    probed = await asked(wire, body, expect_json=[expected])

    assert (probed.error_type, probed.message) == ("assertion", message)


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        pytest.param(b"[" * 100_000, "$[0]", "the body is no JSON: it is nested too deep; got: [[[", id="depth"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "$[0]", "the body is no JSON: ", id="a number of 5000 digits"),
        pytest.param(
            b"[" + b"1," * 20_000 + b"1]", "$[*]", "$[*]: selects more than 10000 values; expected a path to few",
            id="a path to everything",
        ),
        pytest.param(
            b"[" + b"[]," * 3_000 + b"1]", "$..[?count($..*) > 9]",
            "$..[?count($..*) > 9]: looks at more than 200000 values of this answer; expected a more exact path",
            id="a path that looks everywhere from everywhere",
        ),
        pytest.param(
            b"[" + b"[[[1]]]," * 20_000 + b"1]", "$..a..b..c", "$..a..b..c is missing, expected a value",
            id="a path to nothing",
        ),
        pytest.param(
            b"[" + b"1," * 300_000 + b"1]", "$[?@ > 1]",
            "$[?@ > 1]: looks at more than 200000 values of this answer; expected a more exact path",
            id="a long filter",
        ),
        pytest.param(
            b'[{"a": "' + b"x" * 10_000 + b'!", "b": "(x|x)*y"}]', "$[?search(@.a, @.b)]",
            "$[?search(@.a, @.b)] is missing, expected a value", id="an expression of the answer's own",
        ),
    ],
)  # fmt: skip
async def test_json_that_would_keep_us_busy(wire, body, path, message):
    """Whatever a peer sends costs a bounded amount of work, and then is a failure."""
    probed = await asked(wire, body, expect_json=[{"path": path}])

    assert probed.error_type == "assertion"
    assert probed.message.startswith(message)


async def test_a_deep_answer_can_be_followed(wire):
    """Depth that Python's reader bears is no reason not to look."""
    body = b'{"a":' * 500 + b'{"end": 1}' + b"}" * 500

    probed = await asked(wire, body, expect_json=[{"path": "$..end", "equals": 1}])

    assert probed.result.ok


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        pytest.param({"Content-Type": "application/json"}, "", id="equal"),
        pytest.param({"content-type": {"matches": "json$"}}, "", id="a match, whatever the case of the name"),
        pytest.param({"X-Many": {"equals": "two"}}, "", id="one of several"),
        pytest.param({"X-Many": {"exists": True}, "Server": {"absent": True}}, "", id="there and not there"),
        pytest.param({"X-Count": 3}, "", id="a number"),
        pytest.param(
            {"Content-Type": "text/plain"},
            'the header Content-Type is "application/json", expected "text/plain"',
            id="another",
        ),
        pytest.param(
            {"X-Many": {"matches": "^t.o$", "equals": "one"}},
            'the header X-Many is "one", "two", expected "one" and a match of \'^t.o$\'',
            id="neither of several",
        ),
        pytest.param({"Server": {"exists": True}}, "the header Server is missing, expected one", id="not there"),
        pytest.param({"Server": "x"}, 'the header Server is missing, expected "x"', id="not there to be equal"),
        pytest.param({"X-Count": {"absent": True}}, 'the header X-Count is "3", expected none', id="there"),
        pytest.param({"X-Count": {"exists": False}}, 'the header X-Count is "3", expected none', id="there after all"),
        pytest.param(
            {"Set-Cookie": {"absent": True}}, "the header Set-Cookie is ***, expected none", id="what may be a secret"
        ),
    ],
)
async def test_headers(wire, expected, message):
    """Headers are there or not, equal or matching; a failure shows them, unless they are credentials."""
    headers = ("Content-Type: application/json", "X-Many: one", "X-Many: two", "X-Count: 3", "Set-Cookie: s=a1b2")

    probed = await asked(wire, b"", *headers, expect_headers=expected)

    assert probed.message == message


@pytest.mark.parametrize(
    ("body", "expected", "message"),
    [
        pytest.param(b"all good", {"body_contains": ["all", "good"], "body_lacks": "bad"}, "", id="texts"),
        pytest.param(b"v1.24.3", {"body_matches": r"^v1\.\d+"}, "", id="a match"),
        pytest.param(b"an Error", {"body_lacks": "Error"}, "the body holds 'Error'; got: an Error", id="what it lacks"),
        pytest.param(b"v2", {"body_matches": [r"^v1", "2"]}, "the body does not match '^v1'; got: v2", id="no match"),
        pytest.param(
            b"no", {"body_contains": ["a", "b"]}, "the body lacks 'a'; the body lacks 'b'; got: no", id="two texts"
        ),
        pytest.param("grün".encode("latin-1"), {"body_contains": "grün"}, "", id="another charset"),
    ],
)
async def test_texts(wire, body, expected, message):
    """Texts and expressions that the body holds, or does not."""
    probed = await asked(wire, body, "Content-Type: text/plain; charset=ISO-8859-1", **expected)

    assert probed.message == message


async def test_all_that_is_wrong_is_told_at_once(wire):
    """Whoever mends one thing is not surprised by the next; the body is shown once."""
    probed = await asked(
        wire,
        b'{"status": "starting"}',
        expect_headers={"X-Ready": "1"},
        expect_json=[{"path": "$.status", "equals": "ok"}, {"path": "$.depth", "max": 3}],
        body_contains="ready",
        values={"depth": {"json": "$.depth", "max": 3}},
    )

    assert probed.message == (
        'the header X-Ready is missing, expected "1"; $.status is "starting", expected "ok"; '
        "$.depth is missing, expected at most 3; the body lacks 'ready'; the value depth: $.depth is missing; "
        'got: {"status": "starting"}'
    )


async def test_a_body_that_is_no_json_is_said_once(wire):
    """However many look into it."""
    paths = [{"path": "$.a"}, {"path": "$.b"}]

    probed = await asked(wire, b"<", expect_json=paths, values={"c": "$.c"}, save={"d": "$.d"})

    assert probed.message == "the body is no JSON: Expecting value at character 1; got: <"


async def test_a_slow_answer(wire):
    """An answer that is right but late is a failure that names the seconds."""
    wire.raw("gateway:8080", Peer([1.5, answer(200)[:-2], 1.0, b"\r\n"]))

    assert (await probe(check(max_duration="2500ms"), wire)).message == ""
    assert (await probe(check(max_duration="2s"), wire)).message == "took 2.5s, expected at most 2s"


async def test_where_redirects_end(wire):
    """The URL that answered is judged whole and shown without its query."""
    wire.raw("gateway:8080", Peer([answer(302, b"", "Location: http://other/login?key=k")]))
    wire.raw("other", Peer([answer(200)]))

    assert (await probe(check(redirects=1, final_url="other/login\\?key=k$"), wire)).result.ok
    probed = await probe(check(redirects=1, final_url="/home$"), wire)

    assert probed.message == "the answer came from http://other/login, expected '/home$'"


async def test_values(wire):
    """Numbers of the answer are exported, by path, header or expression, and judged by bounds."""
    probed = await asked(
        wire,
        b'{"queue": {"length": 12}, "free": "0.25", "up": true, "items": [1, 2, 3], "note": "took 31 ms"}',
        "X-Left: 40",
        values={
            "depth": "$.queue.length",
            "free": {"json": "$.free", "min": 0.1},
            "up": "$.up",
            "left": {"header": "X-Left"},
            "took": {"matches": r"took (\d+) ms"},
            "items": {"json": "$.items[*]", "count": True, "max": 2},
        },
    )

    assert {labels["name"]: value for labels, value in probed.values(PROBE_VALUE)} == {
        "depth": 12, "free": 0.25, "up": 1, "left": 40, "took": 31, "items": 3,
    }  # fmt: skip
    assert probed.message == "items is 3, expected at most 2"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param("$.queue", "the value depth: $.queue is missing", id="missing"),
        pytest.param("$.none", "the value depth: $.none is null, expected a number", id="null"),
        pytest.param("$.text", 'the value depth: $.text is "many", expected a number', id="a text"),
        pytest.param("$.list", "the value depth: $.list is [1], expected a number", id="a list"),
        pytest.param({"header": "X-Left"}, "the value depth: the header X-Left is missing", id="no header"),
        pytest.param({"matches": "(z)"}, "the value depth: a match of '(z)' is missing", id="no match"),
        pytest.param({"matches": "(z)|n"}, "the value depth: a match of '(z)|n' is missing", id="no group"),
    ],
)
async def test_a_value_that_is_no_number(wire, source, message):
    """What is not there is a failure and no series, never 0."""
    body = b'{"none": null, "text": "many", "list": [1]}'

    probed = await asked(wire, body, values={"depth": source})

    assert probed.values(PROBE_VALUE) == []
    assert probed.message == f"{message}; got: {body.decode()}"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"expect_json": [{"path": "$.a["}]}, "no JSON path (RFC 9535): unbalanced brackets at character 5",
            id="a path with its position"),
        pytest.param({"expect_json": [{"path": "a"}]}, "expected '$', found 'a' at character 1", id="no root"),
        pytest.param({"expect_json": [{"path": "$" + "[" * 300}]}, "more than 200 brackets", id="a deep path"),
        pytest.param({"expect_json": [{"path": "$.a", "exists": False, "equals": 1}]}, "does not exist", id="both"),
        pytest.param({"expect_json": [{"path": "$.a", "min": 2, "max": 1}]}, "min 2 above max 1", id="no room"),
        pytest.param({"expect_json": [{"path": "$.a", "matches": "("}]}, "RE2", id="no expression"),
        pytest.param({"body_matches": "(?=a)"}, "RE2", id="an expression that RE2 has not"),
        pytest.param({"expect_headers": {"A": {"absent": True, "equals": "a"}}}, "has no value", id="both a value"),
        pytest.param({"expect_headers": {"A": {"absent": True, "exists": True}}}, "both `absent`", id="there or not"),
        pytest.param({"values": {"a": {"json": "$.a", "header": "A"}}}, "one of `json`, `header`", id="two sources"),
        pytest.param({"values": {"a": {"header": "A", "count": True}}}, "`json` with it", id="nothing to count"),
        pytest.param({"max_duration": 0}, "greater than 0", id="no time at all"),
    ],
)  # fmt: skip
def test_settings_that_are_none(settings, words):
    """A mistake is refused when it is read, and says where it is."""
    with pytest.raises(ValidationError) as caught:
        check(**settings)

    assert words in str(caught.value)


def test_what_is_shown_is_readable_again():
    """Settings that are printed mean the same when they are read, also where null is a value."""
    first = check(
        expect_json=[{"path": "$.a", "min": 1}, {"path": "$.b", "equals": None}],
        expect_headers={"A": {"absent": True}},
        values={"a": "$.a"},
        method="POST",
        json={"a": 1},
    )

    again = HttpCheck.model_validate(first.model_dump(mode="json"))

    assert again == first
    assert again.model_dump(mode="json") == first.model_dump(mode="json")


_PATHS = ("$", "$..*", "$..a", "$[?@.a > 1]", "$[?count(@..*) > 1]", "$.a[0]", "$[?search(@, @)]", "$[::2]", "$[-1]")
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(
    body=st.binary(max_size=80) | _JSON.map(lambda value: json.dumps(value).encode()),
    charset=st.sampled_from(["utf-8", "utf-16", "iso-8859-1", "big5", "rot13", ""]),
    path=st.sampled_from(_PATHS),
    expected=st.sampled_from([{}, {"equals": [1]}, {"min": 0, "max": 1}, {"matches": "a"}, {"count": {"max": 3}}]),
)
def test_no_answer_is_a_crash(body, charset, path, expected):
    """Whatever bytes come are judged, in words."""
    good = Expectations.model_validate(
        {"expect_json": [{"path": path, **expected}], "body_matches": "x", "body_contains": "y", "body_lacks": "z"}
    )
    said = Answer("http://a/", 200, CIMultiDict(), body, charset, 0.1)

    complaints = list(good.complaints(said))

    assert sentence(complaints, said)
    assert not any(char < " " for complaint in complaints for char in complaint.text)
