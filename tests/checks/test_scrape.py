"""The scrape check, against texts written by hand and by the client library."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from sidecar.checks import CheckFailed
from sidecar.checks.scrape import ScrapeCheck
from tests.checks.script import Peer, answer, probe

OPENMETRICS = "Content-Type: application/openmetrics-text; version=1.0.0"


def check(**settings: Any) -> ScrapeCheck:
    return ScrapeCheck.model_validate({"name": "litellm", "url": "http://gateway:4000/metrics?key=x", **settings})


def registry() -> CollectorRegistry:
    found = CollectorRegistry()
    requests = Counter("litellm_requests", "Requests.", ["model", "type"], registry=found)
    requests.labels("claude", "chat").inc(3)
    Gauge("process_open_fds", "Files.", registry=found).set(9)
    Gauge("queue", "Waiting.", registry=found).set(float("nan"))
    Histogram("latency_seconds", "How long.", buckets=(0.5, 1.0), registry=found).observe(0.7)
    return found


async def scraped(wire: Any, body: bytes, *headers: str, **settings: Any) -> tuple[Any, dict[str, float]]:
    wire.raw("gateway:4000", Peer([answer(200, body, *headers)]))
    probed = await probe(check(**settings), wire)
    values = {
        f"{u.family.name}{dict(u.labels) or ''}": u.value for u in probed.ctx.updates if u.family.help == "Scraped."
    }
    return probed, values


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        pytest.param(generate_latest(registry()), [], id="Prometheus text"),
        pytest.param(openmetrics(registry()), [OPENMETRICS], id="OpenMetrics"),
    ],
)
async def test_samples_are_taken_as_they_are(wire, text, headers):
    """Counters keep their values, histograms their series, and a label that is ours is exported_ as in Prometheus."""
    probed, values = await scraped(wire, text, *headers)

    assert probed.result.ok
    assert values["litellm_requests_total{'exported_type': 'chat', 'model': 'claude'}"] == 3
    assert values["latency_seconds_bucket{'le': '1.0'}"] == 1
    assert "queue" in values
    assert not [name for name in values if name.startswith("process_") or "created" in name]
    assert probed.notes["left_out"] == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"keep": ["latency_seconds_.*"]}, {"latency_seconds"}, id="keep"),
        pytest.param({"drop": ["latency.*", "queue"]}, {"litellm_requests"}, id="drop"),
        pytest.param({"keep": ["process_.*"], "prefix": "gw_"}, {"gw_process_open_fds"}, id="a prefix makes room"),
        pytest.param({"keep": ["queu"]}, set(), id="the whole name"),
    ],
)
async def test_what_is_taken(wire, settings, expected):
    """Names are chosen by patterns of the whole name, and a prefix lets in what would be the daemon's own."""
    _, values = await scraped(wire, generate_latest(registry()), **settings)

    endings = ("_bucket", "_count", "_sum", "_total")
    names = {name.partition("{")[0] for name in values}
    assert {next((n.removesuffix(e) for e in endings if n.endswith(e)), n) for n in names} == expected


@pytest.mark.parametrize(
    ("steps", "settings", "error_type", "message"),
    [
        pytest.param(answer(403, b"no"), {}, "assertion", "got 403, expected 200: no", id="refused"),
        pytest.param(answer(200, b"<html>"), {}, "assertion", "is this the right path?", id="a page"),
        pytest.param(answer(200, b"\xff\xfe"), {}, "assertion", "is no text of metrics", id="binary"),
        pytest.param(answer(200, b'a{b="c'), {}, "assertion", "is no text of metrics", id="cut"),
        pytest.param(answer(200, b"a 1\n", OPENMETRICS), {}, "assertion", "is no text of metrics", id="no end"),
        pytest.param(
            answer(200, b"a 1\nb 1\nc 1\n"), {"max_samples": 2}, "too_large", "more than 2 samples", id="many"
        ),
        pytest.param(answer(200, b"a 1\n" * 99), {"max_body": 9}, "too_large", "more than 9 bytes", id="large"),
    ],
)
async def test_what_cannot_be_read_says_why(wire, steps, settings, error_type, message):
    """A failed scrape names what was found and what to do, and takes nothing half."""
    wire.raw("gateway:4000", Peer([steps]))

    probed = await probe(check(**settings), wire)

    assert (probed.result.error_type, message in probed.result.message) == (error_type, True), probed.result.message
    assert not [update for update in probed.ctx.updates if update.family.help == "Scraped."]
    assert "key=x" not in probed.result.message


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_crash_it(content: bytes, is_openmetrics: bool):
    """Whatever comes is read or refused."""
    with contextlib.suppress(CheckFailed):
        check()._samples(content, is_openmetrics)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"keep": ["("]}, "is no regular expression", id="pattern"),
        pytest.param({"prefix": "a-b"}, "letters, digits and underscores", id="prefix"),
    ],
)
def test_settings_are_checked(settings, message):
    """A mistake is told when the configuration is read."""
    with pytest.raises(ValueError, match=message):
        check(**settings)
