"""The prometheus check, against answers written by hand."""

import contextlib
import json
import math
import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.checks import CheckFailed
from sidecar.checks._promapi import read, refusal
from sidecar.checks.prometheus import PrometheusCheck
from sidecar.model.families import PROBE_VALUE
from tests.checks.script import RESET, Peer, Probed, answer, probe


def check(**settings: Any) -> PrometheusCheck:
    return PrometheusCheck.model_validate({"name": "errors", "url": "http://prom:9090/p/", "query": "up", **settings})


def vector(*values: Any, **more: Any) -> bytes:
    """An answer with one series for each value: job a, b, c and so on."""
    result = [
        {"metric": {"__name__": "up", "job": chr(97 + i), "instance": "h"}, "value": [1.5, str(value)]}
        for i, value in enumerate(values)
    ]
    return success("vector", result, **more)


def success(kind: Any, result: Any, **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def error(kind: str, message: str) -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": message}).encode()


async def probed(wire: Any, body: bytes, status: int = 200, *headers: str, **settings: Any) -> Probed:
    wire.raw("prom:9090", Peer([answer(status, body, *headers)]))
    return await probe(check(**settings), wire)


def exported(probed: Probed) -> dict[str, float]:
    """What was exported but for the count: by name, and by the other labels' values."""
    values = [(dict(labels), value) for labels, value in probed.values(PROBE_VALUE)]
    return {
        "/".join([labels.pop("name"), *labels.values()]): value
        for labels, value in values
        if len(labels) != 1 or labels["name"] != "series"
    }


async def test_the_query_is_posted_as_a_form(wire):
    """The query goes to the API below the prefix, as a form, with the time we wait and the headers' values."""
    peer = Peer([answer(200, vector(1))])
    wire.raw("prom:9090", peer)

    url = "http://prom:9090/p/?extra_label=a%3Db"
    await probe(check(url=url, query='rate(a{b="ü&c"}[5m])', headers={"X-Scope-OrgID": "tenant"}, timeout="7s"), wire)

    head, _, body = peer.request.partition("\r\n\r\n")
    assert head.startswith("POST /p/api/v1/query?extra_label=a%3Db HTTP/1.1\r\n")
    assert "X-Scope-OrgID: tenant" in head
    assert "Content-Type: application/x-www-form-urlencoded" in head
    assert parse_qs(body) == {"query": ['rate(a{b="ü&c"}[5m])'], "timeout": ["7"]}


@pytest.mark.parametrize(
    ("values", "settings", "complaint"),
    [
        pytest.param([1, 2], {}, "", id="any numbers are well"),
        pytest.param([1, 2], {"expect": {"min": 1, "max": 2}}, "", id="at the bounds"),
        pytest.param(
            [1, 5, 9],
            {"expect": {"max": 4}},
            r'2 of 3 series are not well: up\{instance="h", job="b"} is 5, expected at most 4; '
            r'up\{instance="h", job="c"} is 9, expected at most 4',
            id="all have to be well",
        ),
        pytest.param([0], {"expect": {"min": 1}}, r'up\{instance="h", job="a"} is 0, expected at least 1', id="one"),
        pytest.param(
            [9] * 5, {"expect": {"max": 1}}, "5 of 5 series are not well: (.*; ){3}and 2 more", id="three are named"
        ),
        pytest.param([1, 9], {"expect": {"max": 4}, "reduce": "any"}, "", id="any is enough"),
        pytest.param(
            [8, 9], {"expect": {"max": 4}, "reduce": "any"}, "2 of 2 series are not well", id="none of any is well"
        ),
        pytest.param([2, 3], {"expect": {"max": 4}, "reduce": "sum"}, "the sum of 2 series is 5", id="the sum"),
        pytest.param([2, 5], {"expect": {"max": 4}, "reduce": "max"}, "the max of 2 series is 5", id="the max"),
        pytest.param([2, 5], {"expect": {"max": 4}, "reduce": "min"}, "", id="the min"),
        pytest.param([2], {"expect": {"equals": 2}}, "", id="equal"),
        pytest.param([2], {"expect": {"equals": 3}}, "is 2, expected 3", id="not equal"),
        pytest.param(["+Inf"], {"expect": {"max": 4}}, "is inf, expected at most 4", id="infinite"),
        pytest.param(["-Inf"], {"expect": {"max": 4}}, "", id="infinitely little"),
        pytest.param([1, "NaN"], {}, "1 of 2 series are not well: .* is NaN, expected a number", id="NaN"),
        pytest.param([1, "NaN"], {"reduce": "max"}, "the max of 2 series is NaN", id="NaN is the max"),
        pytest.param(["NaN", 1], {"reduce": "any"}, "", id="another than the NaN is enough"),
        pytest.param(["+Inf", "-Inf"], {"reduce": "sum"}, "the sum of 2 series is NaN", id="a sum that is none"),
        pytest.param([], {}, "the query yields no series, expected at least one", id="none"),
        pytest.param([], {"empty": "ok", "expect": {"max": 1}}, "", id="none is well"),
        pytest.param([], {"empty": "ok", "reduce": "sum"}, "", id="a sum of none"),
        pytest.param([], {"expect": {"series": {"max": 0}}}, "", id="none is expected"),
        pytest.param([], {"expect": {"series": {"max": 3}}}, "yields no series", id="few are not none"),
        pytest.param(
            [1],
            {"expect": {"series": {"max": 0}}},
            r'the number of series is 1, expected at most 0: up\{instance="h", job="a"}',
            id="one where none is expected",
        ),
        pytest.param([1], {"expect": {"series": {"min": 2}}}, "series is 1, expected at least 2", id="too few"),
        pytest.param(
            [], {"empty": "ok", "expect": {"series": {"min": 2}}}, "series is 0, expected at least 2", id="none of two"
        ),
    ],
)
async def test_values_are_judged(wire, values, settings, complaint):
    """Each value, or one that is made of all, has to be within its bounds, and the failure names what is not."""
    found = await probed(wire, vector(*values), **settings)

    if complaint:
        assert found.error_type == "assertion"
        assert re.search(complaint, found.message), found.message
    else:
        assert found.result.ok, found.message
    assert found.notes["series"] == len(values)


@pytest.mark.parametrize(
    ("values", "settings", "expected", "left_out"),
    [
        pytest.param([7], {}, {"value": 7}, 0, id="the only one"),
        pytest.param([7, 3, 5], {}, {"min": 3, "max": 7}, 0, id="several without labels"),
        pytest.param([7, 3], {"reduce": "sum"}, {"value": 10}, 0, id="the sum"),
        pytest.param([7, 3], {"reduce": "sum", "by": ["job"]}, {"value": 10}, 0, id="a sum has no labels"),
        pytest.param([7, 3], {"by": ["job"]}, {"value/a": 7, "value/b": 3}, 0, id="each by its label"),
        pytest.param([7, 3], {"by": ["job", "zone"]}, {"value/a": 7, "value/b": 3}, 0, id="a label that is not there"),
        pytest.param([7, 3], {"by": ["instance"]}, {"value/h": 7}, 1, id="what is not told apart is left out"),
        pytest.param(
            range(9), {"by": ["job"], "max_series": 2}, {"value/a": 0, "value/b": 1}, 7, id="few are exported"
        ),
        pytest.param([], {"empty": "ok"}, {}, 0, id="none"),
    ],
)
async def test_values_are_exported(wire, values, settings, expected, left_out):
    """The value is exported with the labels that were asked for and no others, and never more series than allowed."""
    found = await probed(wire, vector(*values), **settings)

    assert exported(found) == expected
    assert found.notes.get("left_out", 0) == left_out


async def test_labels_that_are_ours_are_renamed(wire):
    """A label that would say whose series ours is becomes exported_…, as in Prometheus."""
    found = await probed(wire, vector(7), by=["job", "name"])

    assert ({"name": "value", "exported_job": "a"}, 7) in found.values(PROBE_VALUE)


async def test_what_is_out_of_bounds_is_exported_too(wire):
    """A failed probe says how bad it is."""
    found = await probed(wire, vector(9), expect={"max": 1})

    assert (found.result.ok, exported(found)) == (False, {"value": 9})


async def test_a_scalar(wire):
    """A scalar is one value without labels."""
    found = await probed(wire, success("scalar", [1.5, "3"]), expect={"max": 2}, by=["job"])

    assert found.message == "the value is 3, expected at most 2"
    assert exported(found) == {"value": 3}


async def test_warnings_are_told(wire):
    """What the server warns of is noted, on one line, and fails nobody."""
    found = await probed(wire, vector(1, warnings=["store a is\naway"], infos=["b"]))

    assert (found.result.ok, found.notes["warnings"]) == (True, "store a is ⏎ away; b")


@pytest.mark.parametrize(
    ("status", "body", "error_type", "message"),
    [
        pytest.param(400, error("bad_data", "parse error"), "bad_request", "bad_data: parse error", id="a bad query"),
        pytest.param(
            422, error("execution", "many-to-many"), "server_error", "execution: many-to-many", id="no result"
        ),
        pytest.param(503, error("timeout", "too slow"), "server_error", "timeout: too slow", id="a slow query"),
        pytest.param(
            200, error("internal", "oh"), "server_error", "the server answers internal: oh", id="error in a 200"
        ),
        pytest.param(401, b"no", "auth", "got 401, expected 200: no", id="no credentials"),
        pytest.param(403, error("forbidden", "no org"), "permission", "forbidden: no org", id="not allowed"),
        pytest.param(404, b"404 page not found", "not_found", "got 404", id="no API"),
        pytest.param(429, b"", "throttled", "got 429, expected 200", id="throttled"),
        pytest.param(502, b"<html>bad gateway", "server_error", "got 502, expected 200: <html>", id="a proxy"),
        pytest.param(204, b"", "not_json", "got 204, expected 200", id="nothing"),
        pytest.param(200, b"<html>", "not_json", "is `url` right? It says: <html>", id="a page"),
        pytest.param(200, b"[" * 100_000, "not_json", "no answer of Prometheus' API", id="deep"),
        pytest.param(200, b"[]", "not_json", "no answer of Prometheus' API", id="a list"),
        pytest.param(200, b"{}", "not_json", "got 200", id="an object"),
        pytest.param(200, success("matrix", []), "bad_request", "take the range such as [5m] out", id="a matrix"),
        pytest.param(200, success("string", [1, "a"]), "bad_request", "yields a string", id="a string"),
        pytest.param(200, success("vector", None), "not_json", "result of the type vector", id="no result list"),
        pytest.param(200, success([1], []), "not_json", "result of the type [1]", id="a type that is none"),
        pytest.param(200, success("scalar", [1, "1_0"]), "not_json", "a value that is no number", id="no number"),
        pytest.param(200, success("scalar", [1, True]), "not_json", "a value that is no number", id="a boolean"),
        pytest.param(200, success("vector", [{"metric": {}}]), "not_json", "without labels and value", id="no value"),
        pytest.param(
            200,
            success("vector", [{"metric": {"a": 1}, "value": [1, "1"]}]),
            "not_json",
            "labels that are no texts",
            id="no labels",
        ),
        pytest.param(
            200,
            success("vector", [{"metric": {}, "histogram": [1, {}]}]),
            "bad_request",
            "histogram_quantile()",
            id="native histograms",
        ),
    ],
)
async def test_what_is_no_result_says_why(wire, status, body, error_type, message):
    """Errors keep the server's words and their kind; what is no answer of the API is told apart from them."""
    found = await probed(wire, body, status)

    assert (found.error_type, message in found.message) == (error_type, True), found.message
    assert exported(found) == {}


async def test_a_redirect_is_told(wire):
    """A redirect is not followed, and its target is named without what may be secret."""
    found = await probed(wire, b"", 302, "Location: https://login.example/?token=x")

    assert found.message == "got 302, expected 200; it redirects to https://login.example/"


async def test_a_large_answer_is_not_read_to_its_end(wire):
    """A query that matches everything fails at the limit instead of filling memory."""
    found = await probed(wire, vector(*range(500)), max_body=9_000)

    assert (found.error_type, "9000 bytes" in found.message) == ("too_large", True), found.message


async def test_an_answer_that_breaks_off(wire):
    """A connection that is cut within the answer is a failure of the network."""
    wire.raw("prom:9090", Peer([answer(200, vector(1))[:-5], RESET]))

    found = await probe(check(), wire)

    assert found.error_type in ("reset", "truncated")


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(content: bytes):
    """Whatever comes is read or refused."""
    for reading in (read, lambda it: refusal(500, it)):
        with contextlib.suppress(CheckFailed):
            reading(content)


ANYTHING = st.recursive(
    st.none() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["metric", "value", "a"]), inner),
)


@given(st.sampled_from(["vector", "scalar"]), ANYTHING)
def test_no_result_crashes_it(kind: str, result: Any):
    """Whatever stands where the result is, it is read or refused."""
    with contextlib.suppress(CheckFailed):
        assert all(isinstance(one.value, float) for one in read(success(kind, result)).elements)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"url": "http://p/#a"}, "has a fragment", id="a fragment in the URL"),
        pytest.param({"query": ""}, "at least 1 character", id="no query"),
        pytest.param({"expect": {"min": 2, "max": 1}}, "expected min <= max", id="bounds"),
        pytest.param({"expect": {"equals": 2, "max": 1}}, "one or the other", id="equals and max"),
        pytest.param({"empty": "fail", "expect": {"series": {"max": 0}}}, "`empty: fail`", id="none and not none"),
        pytest.param({"by": ["a-b"]}, "should match pattern", id="a label that is none"),
    ],
)
def test_settings_are_checked(settings, message):
    """A mistake is told when the configuration is read."""
    with pytest.raises(ValueError, match=message):
        check(**settings)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://prom:9090/p", id="a prefix"),
        pytest.param("http://prom:9090/p/", id="a slash"),
        pytest.param("http://prom:9090/p/api/v1/query", id="the whole path"),
        pytest.param("http://prom:9090/p/?extra_label=a%3Db", id="a query"),
    ],
)
def test_the_server_is_named_in_one_way(url):
    """The address may end with a slash or the API's own path."""
    assert check(url=url).target == "http://prom:9090/p"


def test_nan_is_not_lost_in_an_order():
    """The reduction of values with a NaN is NaN wherever it stands."""
    assert all(
        math.isnan(check(reduce=how)._reduced(read(vector(*values)).elements) or 0.0)
        for how in ("min", "max", "sum")
        for values in (("NaN", 1), (1, "NaN"))
    )
