"""Telemetry of a real daemon, taken by a real collector and compared with what a real Prometheus scrapes."""

import asyncio
import json
import random
import time
from typing import Any

import aiohttp
import pytest

from sidecar.clock import SystemClock
from sidecar.outbound import Outbound
from sidecar.telemetry.otlp.exporter import Exporter
from sidecar.telemetry.otlp.settings import Destination, Export
from tests.integration.harness import Daemon, Receiver, Target, serve, until
from tests.integration.test_scrape import full_store, prometheus, query, serving
from tests.programs import program
from tests.telemetry.otlp.collector import Collector, attributes

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values by name and labels."""


@pytest.mark.realtime
async def test_a_daemon_and_a_collector(tmp_path):
    """The environment alone lets a daemon export; its log is in a file, and names the spans that it exported."""
    target, receiver, collector = Target({"": 503}), Receiver(), Collector()
    file = tmp_path / "logs" / "sidecar.json"
    async with serve(target.app()) as watched, serve(receiver.app()) as told, serve(collector.app()) as url:
        config = {
            "http": {"listen": "127.0.0.1:0"},
            "log": {"file": {"path": str(file)}},
            "checks": [{"type": "http", "name": "gateway", "url": watched, "every": "1s", "confirm": "200ms"}],
            "channels": [{"type": "webhook", "name": "hook", "url": told}],
            "rules": [{"pack": "availability"}],
        }
        async with Daemon(tmp_path, config, secrets={"OTEL_EXPORTER_OTLP_ENDPOINT": url}) as daemon:
            await asyncio.gather(daemon.ready(), receiver.next())
            assert await daemon.stop() == 0

    assert {span.status.code for span in collector.spans() if span.name == "probe http"} == {2}
    resource = attributes(collector.traces[0].resource_spans[0].resource)
    assert (resource["service.name"], resource["telemetry.sdk.language"]) == ("claude-sidecar", "python")
    assert ("sidecar_check_up", ()) not in collector.points()
    assert any(name == "sidecar_check_up" for name, _ in collector.points())
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == [line["event"] for line in daemon.log]
    assert {"telemetry.exporting", "daemon.stopped"} <= {line["event"] for line in lines}
    (delivered,) = [line for line in lines if line["event"] == "notification.delivered"]
    assert len(bytes.fromhex(delivered["trace_id"])) == 16


@pytest.mark.realtime
async def test_a_collector_and_a_prometheus_have_the_same_numbers(tmp_path):
    """Each series that Prometheus scrapes is a data point of the same value, type for type."""
    program("prometheus")
    store, collector = full_store(time.time()), Collector()
    live = lambda: [one for one in store.live() if one[0].name != "ALERTS"]  # noqa: E731 -- as the daemon has it
    async with (
        serve(collector.app()) as url,
        serving(store) as address,
        prometheus(tmp_path, address) as judge,
        aiohttp.ClientSession() as session,
    ):
        export = Export(metrics=Destination(f"{url}/v1/metrics"), interval=600)
        clock = SystemClock()
        exporter = Exporter(
            export, Outbound(), clock, live=live, chance=random.random, version="1", started=clock.time()
        )
        task = asyncio.create_task(exporter.run())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        scraped: list[Any] = []

        async def everything() -> bool:
            scraped[:] = await query(session, judge, '{job="sidecar", check="messages"}')
            return bool(scraped)

        await until(everything, "a scrape by Prometheus")

    there: Series = {}
    for one in scraped:
        own = {k: v for k, v in one["metric"].items() if k not in ("job", "instance", "cluster")}
        there[own.pop("__name__"), tuple(sorted(own.items()))] = float(one["value"][1])
    sent: Series = {}
    for (name, labels), point in collector.points().items():
        if hasattr(point, "bucket_counts"):
            sent[f"{name}_sum", labels] = point.sum
            sent[f"{name}_count", labels] = float(point.count)
            reached = 0
            for bound, count in zip((*point.explicit_bounds, float("inf")), point.bucket_counts, strict=True):
                reached += count
                le = "+Inf" if bound == float("inf") else repr(bound)
                sent[f"{name}_bucket", tuple(sorted([*labels, ("le", le)]))] = float(reached)
        else:
            sent[name, labels] = point.as_double
    assert sent == there
