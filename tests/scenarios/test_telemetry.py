"""The whole daemon, seen by a collector."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from sidecar import app as application
from sidecar import config as configuration
from sidecar.api.exposition import Exposition, negotiate
from sidecar.outbound import Outbound
from sidecar.telemetry import tracing
from tests.scenarios.world import World
from tests.telemetry.otlp.collector import Collector, attributes

CANARY = "canary-6f1d0c-canary"


@pytest.fixture
def collector(wire) -> Collector:
    """At `http://collector:4318`."""
    collector = Collector()
    wire.serve("collector", collector.app())
    return collector


def otlp(**more: Any) -> dict[str, Any]:
    return {"endpoint": "http://collector:4318", "traces": {"sample": 1.0}, "metrics": {"interval": "30s"}} | more


def spans(collector: Collector, name: str) -> list[dict[str, Any]]:
    """The attributes of the spans of one name, with their status."""
    found = [span for span in collector.spans() if span.name == name]
    return [attributes(span) | {"status": span.status.code} for span in found]


async def test_what_the_daemon_does_is_traced(world: World, collector):
    """Probes, turns of rule groups and deliveries are spans, with what was measured and why they failed."""
    await world.start(world.settings(otlp=otlp()))
    await asyncio.sleep(70)
    world.status, world.hook_status = 503, 500
    await asyncio.sleep(30)
    world.hook_status = 200
    await asyncio.sleep(60)

    probes = spans(collector, "probe http")
    assert probes[0]["status"] == 0
    assert probes[0]["http.response.status_code"] == 200
    assert probes[0]["sidecar.check.target"] == "http://gateway/health"
    assert probes[0]["sidecar.phase.first_byte"] >= 0
    assert {span["error.type"] for span in probes if span["status"] == 2} == {"assertion"}
    deliveries = spans(collector, "deliver webhook")
    assert deliveries[0]["error.type"] == "failed"
    assert deliveries[-1]["sidecar.channel.name"] == "hook"
    assert deliveries[-1]["sidecar.notification.attempt"] == len(deliveries)
    assert {span["sidecar.rule_group"] for span in spans(collector, "evaluate rules")} == {"down"}


async def test_errors_are_sent_even_when_nothing_else_is(world: World, collector):
    """With a share of nothing, what failed is there, and nothing else."""
    await world.start(world.settings(otlp=otlp(traces={"sample": 0})))
    await asyncio.sleep(40)
    assert not collector.traces
    world.status = 503
    await asyncio.sleep(60)

    assert {span.name for span in collector.spans()} == {"probe http"}
    assert {span.status.code for span in collector.spans()} == {2}


async def test_what_is_sent_is_what_metrics_shows(world: World, collector):
    """A collector has the numbers of /metrics: the same series, the same values."""
    app = await world.start(world.settings(otlp=otlp(), external_labels={"cluster": "eu"}, pod="pod-1"))
    world.status = 503
    await asyncio.sleep(100)
    await world.stop()  # the last message has the last values

    text = (await Exposition().text(app.live(), negotiate(""))).decode()
    shown = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            shown[series] = float(value)
    sent: dict[str, float] = {}
    for (name, labels), point in collector.points().items():
        if point.flags:
            continue
        pairs = ",".join(f'{key}="{value}"' for key, value in sorted(labels))
        if hasattr(point, "bucket_counts"):
            sent[f"{name}_sum{{{pairs}}}" if pairs else f"{name}_sum"] = point.sum
            sent[f"{name}_count{{{pairs}}}" if pairs else f"{name}_count"] = point.count
        else:
            sent[f"{name}{{{pairs}}}" if pairs else name] = point.as_double
    assert sent == {series: value for series, value in shown.items() if "_bucket{" not in series}
    assert any(series.startswith("probe_failures_total{") for series in sent)
    assert not any(series.startswith("ALERTS") for series in sent)
    resource = attributes(collector.metrics[-1].resource_metrics[0].resource)
    assert resource["service.name"] == "claude-sidecar"
    assert (resource["cluster"], resource["service.instance.id"]) == ("eu", "pod-1")


async def test_a_collector_that_is_away_changes_nothing(world: World, wire):
    """Alerting goes on as if there were none; what was lost can be seen in the metrics."""
    wire.hang("collector")
    app = await world.start(world.settings(otlp=otlp()))
    await asyncio.sleep(70)
    world.status = 503
    await asyncio.sleep(60)
    world.status = 200
    await asyncio.sleep(120)

    assert world.story() == ["opening", "resolve"]
    names = {family.name: [value for _, value in children] for family, children in app.live()}
    assert all(names["sidecar_telemetry_dropped_total"])
    assert all(names["sidecar_telemetry_failures_total"])


async def test_a_reload_moves_it(world: World, wire, collector):
    """Another endpoint is in use after a reload, and without one nothing is sent; what is counted goes on."""
    other = Collector()
    wire.serve("other", other.app())
    await world.start(world.settings(otlp=otlp()))
    await asyncio.sleep(45)
    await world.reload(world.settings(otlp=otlp(endpoint="http://other")))
    await asyncio.sleep(1)
    before = len(collector.requests)
    assert collector.metrics
    await asyncio.sleep(60)
    assert len(collector.requests) == before
    assert list(other.spans())
    starts = {
        point.start_time_unix_nano
        for one in (collector, other)
        for (name, _), point in one.points().items()
        if name == "sidecar_rule_evaluations_total"
    }
    assert len(starts) == 1

    await world.reload(world.settings())
    await asyncio.sleep(1)
    before = len(other.requests)
    await asyncio.sleep(60)
    assert len(other.requests) == before
    assert isinstance(tracing.span("x"), tracing._Nothing)


async def test_no_secret_leaves(world: World, collector, capsys):
    """Whatever a configuration hides stays hidden from collectors and logs: it is in no span and no data point."""
    settings = world.settings(otlp=otlp(headers={"X-Token": CANARY}, compression="none"))
    settings["checks"][0] |= {"url": f"http://gateway/health?key={CANARY}", "headers": {"X-Key": CANARY}}
    settings["channels"][0]["url"] = f"http://hook/{CANARY}"
    await world.start(settings)
    await asyncio.sleep(40)
    world.status, world.hook_status = 503, 500
    await asyncio.sleep(60)
    await world.stop()

    assert collector.traces
    assert collector.metrics
    assert all(request.headers["X-Token"] == CANARY for request in collector.requests)
    assert not any(CANARY.encode() in body for body in collector.raw)
    assert CANARY not in json.dumps(capsys.readouterr())


async def test_the_daemon_says_how_it_is(world: World):
    """Turns, transactions, lateness and collections are metrics from the first ticks on."""
    app = await world.start(world.settings())
    await asyncio.sleep(60)

    found = {family.name: value for family, children in app.live() for _, value in children}
    assert found["sidecar_event_loop_lag_seconds"] == pytest.approx(0.0, abs=1e-3)
    for name in ("sidecar_evaluator_turn_seconds", "sidecar_database_transaction_seconds"):
        value = found[name]
        assert not isinstance(value, float | int)
        assert value.count > 3
    assert "sidecar_gc_seconds_total" in found
    assert "sidecar_telemetry_sent_total" not in found


@pytest.mark.parametrize("wanted", [pytest.param(True, id="told"), pytest.param(False, id="not told")])
async def test_a_gateway_is_told_whose_request_it_is(world: World, wire, collector, wanted):
    """With `propagate` an http check names its span to what it asks, so that both are one trace; else it does not."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent", ""))
        return web.Response()

    gateway = web.Application()
    gateway.router.add_get("/health", answer)
    wire.serve("gateway", gateway)
    await world.start(world.settings(otlp=otlp(propagate=wanted)))
    await asyncio.sleep(40)
    await world.stop()

    named = [f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in collector.spans() if "http" in span.name]
    assert len(seen) >= 3  # the end may have cut off another one
    assert seen == (named[: len(seen)] if wanted else [""] * len(seen))


async def test_a_dry_run_sends_nothing(wire, clock, collector, tmp_path):
    """Whoever only tries a configuration is not seen by collectors."""
    config = configuration.parse(json.dumps({"checks": [], "otlp": otlp()}), "sidecar.yml", folder=tmp_path)
    async with application.build(config, clock=clock, outbound=Outbound(connector=wire.connector), dry=True) as app:
        task = asyncio.create_task(app.run(listen=False))
        await asyncio.sleep(60)
        task.cancel()
        await asyncio.wait([task])

    assert not collector.requests
