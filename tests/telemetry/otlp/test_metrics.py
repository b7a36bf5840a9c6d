import asyncio
import math

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Family, Kind, Update
from sidecar.store import Store
from sidecar.telemetry.otlp import metrics
from sidecar.telemetry.otlp.metrics import MetricsBuilder
from tests.telemetry.otlp.collector import Collector, attributes

GAUGE = Family("depth", Kind.GAUGE, "How deep.")
COUNTER = Family("sidecar_things_total", Kind.COUNTER, "Things.")
HISTOGRAM = Family("took_seconds", Kind.HISTOGRAM, "How long.", (0.1, 1.0))
QUANTILE = Family("took_seconds_quantile", Kind.SUMMARY, "How long, by rank.")
SECOND = 10**9


class Source:
    """A store with one source, seen by a builder that was there before it."""

    def __init__(self) -> None:
        self.store = Store()
        self.builder = MetricsBuilder({"service.name": "x", "cluster": "eu"}, "1.2", 1000.0)
        self.collector = Collector()

    def set(self, *updates: Update, at: float = 1001.0) -> None:
        self.store.append(Batch("test", at, updates, write=False))

    async def look(self, at: float) -> None:
        self.collector.metrics += await self.builder.build(self.store.live(), at)

    async def point(self, name: str, at: float, **labels: str):
        await self.look(at)
        return self.collector.points()[name, tuple(labels.items())]


async def test_a_gauge_is_what_it_is():
    """A gauge is sent with its labels and the time of the look, NaN and infinity included."""
    source = Source()
    source.set(Update(GAUGE, 2.5, Labels(a="1")), Update(GAUGE, math.inf, Labels(a="2")))

    point = await source.point("depth", 1010.0, a="1")
    assert (point.as_double, point.time_unix_nano, point.start_time_unix_nano) == (2.5, 1010 * SECOND, 0)
    assert source.collector.points()["depth", (("a", "2"),)].as_double == math.inf
    (resource,) = source.collector.metrics[-1].resource_metrics
    assert attributes(resource.resource) == {"service.name": "x", "cluster": "eu"}
    scope = resource.scope_metrics[0]
    assert (scope.scope.name, scope.scope.version) == ("claude-sidecar", "1.2")
    assert (scope.metrics[0].description, scope.metrics[0].unit) == ("How deep.", "")


async def test_a_counter_counts_from_when_it_was_nothing():
    """What is counted has as its start the look at which it was not there, and keeps it."""
    source = Source()
    source.set(Update(COUNTER, 3.0))
    first = await source.point("sidecar_things_total", 1010.0)
    source.set(Update(COUNTER, 1.0), Update(COUNTER, 5.0, Labels(a="new")))
    again = await source.point("sidecar_things_total", 1020.0)
    new = source.collector.points()["sidecar_things_total", (("a", "new"),)]

    assert (first.as_double, first.start_time_unix_nano) == (3.0, 1000 * SECOND)
    assert (again.as_double, again.start_time_unix_nano) == (4.0, 1000 * SECOND)
    assert (new.as_double, new.start_time_unix_nano) == (5.0, 1010 * SECOND)
    (metric,) = source.collector.metrics[-1].resource_metrics[0].scope_metrics[0].metrics
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


async def test_a_counter_that_begins_anew():
    """A source that ended and came back counts from the look before."""
    source = Source()
    source.set(Update(COUNTER, 3.0))
    await source.look(1010.0)
    source.store.end("test", 1015.0)
    source.set(Update(COUNTER, 1.0), at=1016.0)

    point = await source.point("sidecar_things_total", 1020.0)
    assert (point.as_double, point.start_time_unix_nano) == (1.0, 1010 * SECOND)


async def test_a_clock_that_was_set_back():
    """No start lies after its point."""
    source = Source()
    source.set(Update(COUNTER, 3.0))
    await source.look(1010.0)

    point = await source.point("sidecar_things_total", 500.0)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (500 * SECOND, 500 * SECOND)


async def test_a_histogram_has_its_buckets():
    """Each bucket counts its own, the last what is beyond all bounds; sum and count are those of /metrics."""
    source = Source()
    source.set(*(Update(HISTOGRAM, value, Labels(a="1")) for value in (0.05, 0.1, 0.5, 7.0)))

    point = await source.point("took_seconds", 1010.0, a="1")
    assert list(point.explicit_bounds) == [0.1, 1.0]
    assert list(point.bucket_counts) == [2, 1, 1]
    assert (point.count, point.sum, point.start_time_unix_nano) == (4, 7.65, 1000 * SECOND)
    (metric,) = source.collector.metrics[-1].resource_metrics[0].scope_metrics[0].metrics
    assert metric.unit == "s"


async def test_quantiles_are_values():
    """A quantile stays a value with its label: the protocol's summary would add a sum and a count that nobody knows."""
    source = Source()
    source.set(Update(QUANTILE, 0.7, Labels(quantile="0.5", window="5m")))

    point = await source.point("took_seconds_quantile", 1010.0, quantile="0.5", window="5m")
    assert point.as_double == 0.7


@pytest.mark.parametrize(
    "update",
    [
        pytest.param(Update(GAUGE, 1.0), id="gauge"),
        pytest.param(Update(COUNTER, 1.0), id="counter"),
        pytest.param(Update(HISTOGRAM, 1.0), id="histogram"),
    ],
)
@pytest.mark.parametrize("others", [pytest.param(True, id="others stay"), pytest.param(False, id="nobody stays")])
async def test_what_has_ended_is_said_to_have_no_value(update, others):
    """A series that ended is sent once more, without a value; then it is not sent."""
    source = Source()
    source.set(update)
    if others:
        source.store.append(Batch("other", 1001.0, (Update(update.family, 1.0, Labels(a="1")),), write=False))
    await source.look(1010.0)
    source.store.end("test", 1015.0)

    point = await source.point(update.family.name, 1020.0)
    assert point.flags == 1
    assert not point.HasField("sum" if update.family is HISTOGRAM else "as_double")
    source.collector.metrics.clear()
    await source.look(1030.0)
    assert [labels for _, labels in source.collector.points()] == ([(("a", "1"),)] if others else [])


async def test_what_is_long_is_several_messages():
    """No message has more points than receivers take, and none is lost between two."""
    source = Source()
    live: metrics.Live = [
        (GAUGE, [(Labels(a=str(n)), float(n)) for n in range(metrics.MESSAGE + 1)]),
        (COUNTER, [(Labels(), 1.0)]),
    ]
    messages = await source.builder.build(live, 1010.0)
    source.collector.metrics += messages

    assert [metrics.points(message) for message in messages] == [metrics.MESSAGE, 2]
    assert all(message.resource_metrics[0].resource.attributes for message in messages)
    assert source.collector.points()["depth", (("a", str(metrics.MESSAGE)),)].as_double == metrics.MESSAGE


async def test_nothing_live_is_nothing_to_send():
    """Without a series there is no message."""
    assert await Source().builder.build([], 1010.0) == []


async def test_odd_text_is_sent_all_the_same():
    """A label that is no proper text does not keep the others from being sent."""
    source = Source()
    messages = await source.builder.build([(GAUGE, [(Labels(a="\ud800"), 1.0)])], 1010.0)

    source.collector.metrics += messages
    assert source.collector.points().keys() == {("depth", (("a", "?"),))}


@pytest.mark.parametrize("body", [pytest.param(b"", id="empty"), pytest.param(b"<html>", id="no protocol")])
def test_an_answer_that_says_nothing(body):
    """Whatever a good status comes with, it is a good status."""
    assert metrics.parse(body) == (0, "")


async def test_messages_are_not_built_in_one_piece():
    """Between two slices of a long list of values others get their turn."""
    live: metrics.Live = [(GAUGE, [(Labels(a=str(n)), 1.0) for n in range(1000)])]
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    await Source().builder.build(live, 1010.0)
    task.cancel()
    assert turns >= 8
