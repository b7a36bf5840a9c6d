"""Queries over the API, in Prometheus' shape."""

import asyncio

import pytest

from sidecar.api import points, query
from sidecar.promql import Scalar
from sidecar.testing import START


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(1.0, "1", id="whole"),
        pytest.param(0.1, "0.1", id="a fraction"),
        pytest.param(-2.5e-5, "-0.000025", id="small without an exponent"),
        pytest.param(1e20, "100000000000000000000", id="large without an exponent"),
        pytest.param(1e21, "1e+21", id="very large"),
        pytest.param(1e-7, "1e-07", id="very small"),
        pytest.param(float("nan"), "NaN", id="not a number"),
        pytest.param(float("inf"), "+Inf", id="infinite"),
        pytest.param(float("-inf"), "-Inf", id="infinite and negative"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value, text):
    """A value is a text that Go's parser and Prometheus' clients read."""
    assert points.number(value) == text


@pytest.mark.parametrize(("ms", "text"), [(1000, "1"), (1435781451781, "1435781451.781"), (1500010, "1500.010")])
async def test_times_are_seconds(ms, text):
    """A time is a number of seconds, to the millisecond."""
    assert await points.written(Scalar(1.0), ms) == (f'{{"resultType":"scalar","result":[{text},"1"]}}'.encode(), False)


@pytest.fixture
async def asking(world, api):
    """Whoever asks a daemon that has run for two minutes."""
    await world.start()
    await asyncio.sleep(120.3)
    return api


async def test_an_instant_query(asking):
    """A vector has a metric, and a pair of time and text for each element."""
    reply = await asking.get("/api/v1/query", {"query": "probe_success", "time": str(START + 60)})

    assert reply.data["resultType"] == "vector"
    [element] = reply.data["result"]
    assert element["metric"]["__name__"] == "probe_success"
    assert element["metric"]["check"] == "gateway"
    assert element["value"] == [START + 60, "1"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("1 + 1", "scalar"), ('"text"', "string"), ("probe_success[1m]", "matrix"), ("time()", "scalar")],
)
async def test_every_kind_of_value(asking, text, kind):
    """Scalars, strings and matrices are told apart; now is the time when none is given."""
    data = (await asking.get("/api/v1/query", {"query": text})).data

    assert data["resultType"] == kind
    assert data["result"]


async def test_a_range_query(asking):
    """A matrix has a point for each step; a form does as well as an address."""
    bounds = {"query": "probe_success", "start": "2026-01-05T12:01:00Z", "end": str(START + 120), "step": "15s"}

    by_address = (await asking.get("/api/v1/query_range", bounds)).data
    by_form = (await asking.post("/api/v1/query_range", bounds)).data

    assert by_address == by_form
    [series] = by_address["result"]
    assert series["values"] == [[START + 60 + 15 * n, "1"] for n in range(5)]


async def test_warnings_and_limits(asking):
    """What is odd about a query is told beside its answer, and so is a limit that cut it."""
    odd = await asking.get("/api/v1/query", {"query": "quantile(2, probe_success)"})
    cut = await asking.get("/api/v1/query", {"query": '{__name__=~".+"}', "limit": "1"})

    assert odd.body["warnings"] == ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]
    assert len(cut.data["result"]) == 1
    assert cut.body["warnings"] == ["PromQL warning: results truncated due to limit"]


@pytest.mark.parametrize(
    ("path", "parameters", "error"),
    [
        pytest.param("query", {}, (400, "bad_data", 'invalid parameter "query": got none'), id="no query"),
        pytest.param("query", {"query": "up +"}, (400, "bad_data", 'invalid parameter "query": '), id="no expression"),
        pytest.param(
            "query", {"query": "up", "time": "soon"}, (400, "bad_data", 'invalid parameter "time": got'), id="no time"
        ),
        pytest.param(
            "query",
            {"query": "probe_success * on () {__name__=~'.+'}"},
            (422, "execution", "found duplicate series for the match group"),
            id="a failed evaluation",
        ),
        pytest.param(
            "query_range",
            {"query": "up", "start": "10", "end": "5", "step": "1"},
            (400, "bad_data", 'invalid parameter "end": end timestamp must not be before start time'),
            id="the end before the start",
        ),
        pytest.param(
            "query_range",
            {"query": "up", "start": "0", "end": "5", "step": "0"},
            (400, "bad_data", 'invalid parameter "step": zero or negative query resolution step widths'),
            id="no step",
        ),
        pytest.param(
            "query_range",
            {"query": "up", "start": "0", "end": "100000", "step": "1"},
            (400, "bad_data", 'invalid parameter "step": exceeded maximum resolution of 11,000 points'),
            id="too many steps",
        ),
        pytest.param(
            "query_range",
            {"query": "up[5m]", "start": "0", "end": "5", "step": "1"},
            (400, "bad_data", 'invalid parameter "query": invalid expression type "range vector" for range query'),
            id="a matrix of ranges",
        ),
        pytest.param("series", {}, (400, "bad_data", 'invalid parameter "match[]"'), id="no selector"),
        pytest.param("series", {"match[]": "1+1"}, (400, "bad_data", 'invalid parameter "match[]"'), id="a sum"),
    ],
)
async def test_mistakes_are_told_as_prometheus_does(asking, path, parameters, error):
    """A wrong question is 400 and a failed evaluation 422, with Prometheus' words where it has some."""
    status, word, sentence = (await asking.get(f"/api/v1/{path}", parameters)).error

    assert (status, word) == error[:2]
    assert sentence.startswith(error[2])


async def test_a_query_that_takes_too_long(asking, monkeypatch):
    """A query that is not done in its time is given up with 503."""
    monkeypatch.setattr(query, "_PATIENCE", 5.0)

    async def never(*_: object) -> None:
        await asyncio.sleep(1000)

    monkeypatch.setattr(points, "written", never)

    assert (await asking.get("/api/v1/query", {"query": "up", "timeout": "3s"})).error == (
        503,
        "timeout",
        "query timed out in expression evaluation after 3 s; ask for a longer step or a shorter range",
    )


async def test_series_labels_and_metadata(asking):
    """Which series, labels, values and metrics there are is answered as Prometheus does."""
    series = (await asking.get("/api/v1/series", [("match[]", "probe_success"), ("match[]", "nothing")])).data
    names = (await asking.get("/api/v1/labels", {"match[]": "probe_success"})).data
    metrics = (await asking.get("/api/v1/label/__name__/values")).data
    checks = (await asking.get("/api/v1/label/check/values", {"start": str(START), "end": str(START + 300)})).data
    later = (await asking.get("/api/v1/label/check/values", {"start": str(START + 1000)})).data
    metadata = (await asking.get("/api/v1/metadata", {"metric": "probe_success"})).data

    assert [one["check"] for one in series] == ["gateway"]
    assert names == ["__name__", "check", "critical", "target", "type"]
    assert {"probe_success", "sidecar_check_up"} <= set(metrics)
    assert checks == ["gateway"]
    assert later == []
    assert metadata["probe_success"][0]["type"] == "gauge"
    assert metadata["probe_success"][0]["help"].startswith("Whether the last probe succeeded")


async def test_what_others_ask(asking):
    """Version, health and readiness are where Prometheus' clients look for them."""
    info = (await asking.get("/api/v1/status/buildinfo")).data

    assert info["application"] == "claude-sidecar"
    assert (await asking.get("/-/healthy")).body == "The sidecar is healthy.\n"
    assert (await asking.get("/-/ready")).body == "The sidecar is ready.\n"


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        pytest.param("GET", "/api/v1/nothing", (404, "not_found", "found nothing at /api/v1/nothing"), id="no path"),
        pytest.param(
            "DELETE", "/api/v1/alerts", (405, "method_not_allowed", "got DELETE of /api/v1/alerts"), id="no method"
        ),
        pytest.param("GET", "/api/v1/summary?windw=5m", (400, "bad_data", 'unknown parameter "windw"'), id="misspelt"),
        pytest.param(
            "GET", "/api/v1/summary?window=2m", (400, "bad_data", 'invalid parameter "window"'), id="no window"
        ),
    ],
)
async def test_whatever_is_wrong_is_json(asking, method, path, error):
    """Errors of the router and of parameters have one shape, and say what to do."""
    status, word, sentence = (await asking.ask(method, path)).error

    assert (status, word) == error[:2]
    assert sentence.startswith(error[2])


async def test_a_body_that_is_no_form(asking):
    """A body of another type than a form is refused by its name."""
    reply = await asking.ask("POST", "/api/v1/query", json={"query": "up"})

    assert reply.error[:2] == (415, "unsupported_media_type")
    assert "application/json" in reply.error[2]


async def test_the_last_minutes_in_numbers(asking):
    """The summary counts checks, alerts, requests and deliveries of a window that is kept."""
    summary = (await asking.get("/api/v1/summary", {"window": "1m"})).data

    assert summary["window"] == "1m"
    assert summary["health"] == "healthy"
    assert summary["checks"] == {"up": 1, "down": 0, "unknown": 0}
    assert summary["alerts"] == {"firing": 0, "pending": 0, "by_severity": {}}
    assert summary["outbox"] == [{"channel": "hook", "waiting": 0.0, "oldest_seconds": 0.0}]


async def test_a_summary_of_an_outage(world, asking):
    """What is down, what fires and what was delivered is in the summary."""
    world.status = 503
    await asyncio.sleep(90)

    summary = (await asking.get("/api/v1/summary")).data

    assert summary["health"] == "critical"
    assert summary["critical_failures"] == ["gateway"]
    assert summary["alerts"] == {"firing": 1, "pending": 0, "by_severity": {"critical": 1}}
    assert summary["deliveries"] == [{"labels": {"channel": "hook", "result": "delivered"}, "count": 1.0}]
