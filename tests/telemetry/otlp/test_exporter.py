import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Kind
from sidecar.outbound import Outbound
from sidecar.secrets import Secret
from sidecar.telemetry import tracing
from sidecar.telemetry.otlp import spans
from sidecar.telemetry.otlp.exporter import Exporter
from sidecar.telemetry.otlp.metrics import Live
from sidecar.telemetry.otlp.settings import Destination, Export
from tests.telemetry.otlp.collector import Collector, attributes

CANARY = "canary-6f1d0c-canary"
DEPTH = Family("depth", Kind.GAUGE, "How deep.")
DEEP: Live = ((DEPTH, [(Labels(a="1"), 1.0)]),)
URL = "http://collector:4318/v1"
BOTH = Export(
    traces=Destination(f"{URL}/traces"),
    metrics=Destination(f"{URL}/metrics"),
    sample=1.0,
    interval=30.0,
    resource={"service.name": "claude-sidecar"},
)
TRACES = Export(traces=BOTH.traces, sample=1.0)
METRICS = Export(metrics=BOTH.metrics, interval=30.0)


class World:
    """An exporter that runs, and the collector that it sends to."""

    def __init__(self, exporter: Exporter, collector: Collector, task: "asyncio.Task[None]") -> None:
        self.exporter = exporter
        self.collector = collector
        self.task = task
        self.counts: dict[str, float] = {}

    def tally(self) -> dict[str, float]:
        """What it counted since the start, by metric and labels."""
        for update in self.exporter.updates():
            key = f"{update.family.name.removeprefix('sidecar_telemetry_')}{dict(update.labels)}"
            self.counts[key] = self.counts.get(key, 0) + update.value
        return {key: count for key, count in self.counts.items() if count}

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
def start(wire, clock):
    @asynccontextmanager
    async def started(export: Export = BOTH, live: Live = DEEP) -> AsyncIterator[World]:
        collector = Collector()
        wire.serve("collector", collector.app())
        exporter = Exporter(
            export,
            Outbound(connector=wire.connector),
            clock,
            live=lambda: live,
            chance=random.Random(1).random,
            version="1.2",
            started=clock.time(),
        )
        world = World(exporter, collector, asyncio.create_task(exporter.run()))
        await asyncio.sleep(0)
        try:
            yield world
        finally:
            await world.stop()
            assert world.task.cancelled()

    return started


def work(name: str = "probe", error: str = "") -> None:
    with tracing.span(name, {"sidecar.check.name": "gw"}, role="client") as span:
        if error:
            span.fail(error, "no answer")


async def test_spans_arrive(start):
    """A span is at the collector seconds after its end, with what it is part of and who sent it."""
    async with start(TRACES) as world:
        with tracing.span("rules"):
            work(error="timeout")
        await asyncio.sleep(6)

        inner, outer = world.collector.spans()
        assert (inner.name, outer.name) == ("probe", "rules")
        assert (inner.parent_span_id, inner.trace_id) == (outer.span_id, outer.trace_id)
        assert (inner.kind, inner.status.code, inner.status.message) == (3, 2, "no answer")
        assert attributes(inner) == {"sidecar.check.name": "gw", "error.type": "timeout"}
        resource = world.collector.traces[0].resource_spans[0].resource
        assert attributes(resource)["telemetry.sdk.language"] == "python"
        (request,) = world.collector.requests
        assert request.headers["Content-Type"] == "application/x-protobuf"
        assert request.headers["Content-Encoding"] == "gzip"
        assert world.tally() == {"sent_total{'signal': 'traces'}": 2}


async def test_metrics_arrive_at_each_interval(start):
    """All current values are sent at each interval, and at the end once more."""
    async with start(METRICS) as world:
        await asyncio.sleep(61)
        assert len(world.collector.metrics) == 2
        assert world.collector.points()["depth", (("a", "1"),)].as_double == 1.0
        assert world.tally() == {"sent_total{'signal': 'metrics'}": 2}
        await world.stop()
        assert len(world.collector.metrics) == 3


async def test_what_is_not_wanted_is_not_sent(start):
    """Who wants metrics alone is sent no spans, and pays for none."""
    async with start(METRICS) as world:
        work()
        await asyncio.sleep(40)
        assert tracing.current() is None
        assert not world.collector.traces


async def test_the_end_waits_for_what_is_left(start):
    """What ended just before the daemon does is sent; afterwards nobody takes spans."""
    async with start() as world:
        for _ in range(spans.BATCH + 1):
            work()
        await world.stop()
        assert len(list(world.collector.spans())) == spans.BATCH + 1
        assert len(world.collector.metrics) == 1
        assert isinstance(tracing.span("x"), tracing._Nothing)


async def test_the_end_does_not_wait_for_the_dead(start, wire):
    """A collector that does not answer holds the end for two seconds and not longer."""
    async with start() as world:
        work()
        wire.hang("collector")
        began = asyncio.get_running_loop().time()
        with capture_logs() as logs:
            await world.stop()
        assert asyncio.get_running_loop().time() - began == pytest.approx(2.0)
        assert [entry["event"] for entry in logs] == ["telemetry.unsent"]


async def test_a_full_batch_goes_at_once(start):
    """Many spans do not wait as long as few."""
    async with start(TRACES) as world:
        for _ in range(spans.BATCH):
            work()
        await asyncio.sleep(1.5)
        assert len(list(world.collector.spans())) == spans.BATCH


@pytest.mark.parametrize(
    ("answers", "after", "reasons"),
    [
        pytest.param([(503, {})], 10, {"busy": 1}, id="busy"),
        pytest.param([(429, {"Retry-After": "20"})], 30, {"busy": 1}, id="asks for patience"),
        pytest.param([(502, {}), (504, {}), (503, {})], 30, {"busy": 3}, id="busy thrice"),
        pytest.param([(503, {"Retry-After": "soon"})], 10, {"busy": 1}, id="asks for the unintelligible"),
    ],
)
async def test_a_busy_collector_is_tried_again(start, answers, after, reasons):
    """Answers that allow another try get one, not before the time that they ask for; nothing is lost."""
    async with start(TRACES) as world:
        world.collector.answers = list(answers)
        work()
        with capture_logs() as logs:
            await asyncio.sleep(5 + after)

        assert [span.name for span in world.collector.spans()] == ["probe"]
        expected = {f"failures_total{{'reason': '{reason}', 'signal': 'traces'}}": n for reason, n in reasons.items()}
        assert world.tally() == expected | {"sent_total{'signal': 'traces'}": 1}
        assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == [
            "telemetry.failed",
            "telemetry.works",
        ]


async def test_patience_is_asked_for_in_a_date(start, clock):
    """A Retry-After may be a date; nothing is sent before it."""
    from email.utils import formatdate

    async with start(TRACES) as world:
        world.collector.answers = [(503, {"Retry-After": formatdate(clock.time() + 40, usegmt=True)})]
        work()
        await asyncio.sleep(35)
        assert not world.collector.traces
        await asyncio.sleep(15)
        assert world.collector.traces


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        pytest.param(lambda wire: wire.unresolvable("collector"), "dns", id="no such name"),
        pytest.param(lambda wire: wire.refuse("collector"), "connect", id="nobody listens"),
        pytest.param(lambda wire: wire.hang("collector"), "timeout", id="silence"),
    ],
)
async def test_a_dead_collector_harms_nothing(start, wire, broken, reason):
    """It is said once; spans that nobody takes are counted and dropped, and the next ones are tried."""
    async with start() as world:
        broken(wire)
        with capture_logs() as logs:
            for _ in range(20):
                work()
                await asyncio.sleep(15)
        counts = world.tally()
        assert counts[f"dropped_total{{'reason': '{reason}', 'signal': 'traces'}}"] >= 10
        assert counts[f"dropped_total{{'reason': '{reason}', 'signal': 'metrics'}}"] >= 7
        assert counts[f"failures_total{{'reason': '{reason}', 'signal': 'traces'}}"] >= 5
        said = [(entry["event"], entry["signal"]) for entry in logs if entry["log_level"] != "debug"]
        assert sorted(said) == [("telemetry.failed", "metrics"), ("telemetry.failed", "traces")]

        collector = world.collector
        wire.serve("collector", collector.app())
        await asyncio.sleep(90)
        assert collector.traces
        assert collector.metrics


async def test_a_collector_that_refuses_is_not_asked_again(start):
    """A message that is wrong stays wrong: it is dropped and counted."""
    async with start(TRACES) as world:
        world.collector.answers = [(400, {})]
        work()
        with capture_logs() as logs:
            await asyncio.sleep(70)

        assert not world.collector.traces
        assert world.tally() == {
            "failures_total{'reason': 'refused', 'signal': 'traces'}": 1,
            "dropped_total{'reason': 'refused', 'signal': 'traces'}": 1,
        }
        assert "HTTP 400, expected 200: no" in logs[0]["error"]


async def test_what_the_collector_takes_the_message_without(start):
    """A partial success is counted, and its reason is said once."""
    async with start(TRACES) as world:
        world.collector.rejects = 1
        with capture_logs() as logs:
            for _ in range(3):
                work()
                work()
                await asyncio.sleep(10)

        assert world.tally() == {
            "sent_total{'signal': 'traces'}": 3,
            "dropped_total{'reason': 'rejected', 'signal': 'traces'}": 3,
        }
        assert [(entry["event"], entry["items"], entry["error"]) for entry in logs] == [
            ("telemetry.rejected", 1, "too old")
        ]


async def test_more_than_can_be_kept(start, wire):
    """Spans beyond what may wait are dropped and counted, the probes go on."""
    async with start(TRACES) as world:
        wire.hang("collector")
        for _ in range(spans.QUEUE + 7):
            work()
        assert world.tally() == {"dropped_total{'reason': 'queue_full', 'signal': 'traces'}": 7}


async def test_what_was_under_way_at_the_end_is_sent(start, wire):
    """Spans in a message that the end cut off are in the last one."""
    async with start(TRACES) as world:
        wire.hang("collector")
        work()
        await asyncio.sleep(7)
        wire.serve("collector", world.collector.app())
        await world.stop()
        assert [span.name for span in world.collector.spans()] == ["probe"]


async def test_a_crash_of_ours_is_survived(start):
    """What only watches does not end what it watches: values that cannot be sent are said, and spans still go."""
    broken: Any = [(DEPTH, [(Labels(), object())])]
    bad: Any = [(None, None)]
    async with start(live=bad) as world:
        work()
        with capture_logs() as logs:
            await asyncio.sleep(65)
        assert [entry["event"] for entry in logs] == ["telemetry.crashed"] * 2
        assert world.collector.traces
    async with start(live=broken) as world:
        await asyncio.sleep(1)


async def test_credentials_go_along_and_are_not_seen(start, tmp_path):
    """Headers carry their secrets to the collector and nowhere else; a file that is not there yet is waited for."""
    file = tmp_path / "token"
    headers = {"X-Token": Secret(CANARY), "X-File": Secret.from_file(str(file))}
    destination = Destination(f"{URL}/traces", headers, gzip=False)
    async with start(Export(traces=destination, sample=1.0)) as world:
        with capture_logs() as logs:
            with tracing.span(f"probe {CANARY}", {"a": CANARY}) as span:
                span.fail("timeout", CANARY)
            await asyncio.sleep(7)
            file.write_text(CANARY[::-1])
            await asyncio.sleep(20)

        (request,) = world.collector.requests
        assert request.headers["X-Token"] == CANARY
        assert request.headers["X-File"] == CANARY[::-1]
        assert "Content-Encoding" not in request.headers
        assert CANARY.encode() not in world.collector.raw[0]
        assert CANARY not in str(logs)
        assert logs[0]["reason"] == "secret"


async def test_what_a_collector_says_is_shown_without_secrets(start):
    """A collector that repeats our credentials in its refusal does not get them, or half of them, into the log."""
    destination = Destination(f"{URL}/traces", {"X-Token": Secret(CANARY)})
    async with start(Export(traces=destination, sample=1.0)) as world:
        world.collector.answers = [(400, {})]
        world.collector.says = "x" * 290 + CANARY
        work()
        with capture_logs() as logs:
            await asyncio.sleep(10)

        assert logs[0]["error"].endswith("xx***")


@pytest.mark.parametrize(
    ("signal", "absent"),
    [
        pytest.param("metrics", "opentelemetry.sdk", id="metrics without the SDK"),
        pytest.param("traces", "opentelemetry.proto.metrics", id="spans without metrics"),
    ],
)
def test_what_is_not_exported_is_not_imported(signal, absent):
    """Whoever wants one signal does not pay for the other."""
    program = f"""
import sys, time
from sidecar.clock import SystemClock
from sidecar.outbound import Outbound
from sidecar.telemetry.otlp.exporter import Exporter
from sidecar.telemetry.otlp.settings import Destination, Export
export = Export({signal}=Destination("http://c"))
Exporter(export, Outbound(), SystemClock(), live=list, chance=time.time, version="1", started=0.0)
sys.exit(any(name.startswith({absent!r}) for name in sys.modules))
"""
    assert not subprocess.run([sys.executable, "-c", program], check=False).returncode
