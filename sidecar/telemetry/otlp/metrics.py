"""Current values as OTLP's messages: the same numbers that /metrics has at that moment."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    DataPointFlags,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from sidecar.model.labels import Labels
from sidecar.model.samples import Family, HistogramValue, Kind

Value = float | HistogramValue
Live = Iterable[tuple[Family, list[tuple[Labels, Value]]]]
"""Current values by metric, as the store has them."""

MESSAGE: Final = 5000
"""Data points of one message at most: a receiver refuses what is longer than a few MiB."""
_SLICE: Final = 100
"""Data points that are built in one go, about a millisecond of the event loop."""
_CUMULATIVE: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_GONE: Final = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_UNITS: Final = {"_seconds": "s", "_bytes": "By", "_ratio": "1"}
_COUNTED: Final = {Kind.COUNTER, Kind.HISTOGRAM}


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a series found."""

    count: float  # of a counter or a histogram; else 0
    start: int  # when the count was 0, in nanoseconds


_Point = NumberDataPoint | HistogramDataPoint
_Found = dict[Family, dict[Labels, _Look]]


class MetricsBuilder:
    """Makes messages of current values; remembers when what is counted was 0.

    *started*, in seconds since the epoch, is when nothing had been counted yet. The start of a series that comes later
    is the look before it, and of one that fell, too. A series that ended is told once as having no value any more.
    """

    def __init__(self, resource: Mapping[str, str], version: str, started: float) -> None:
        self._resource = dict(resource)
        self._version = version
        self._looked = _nanoseconds(started)
        self._before: _Found = {}

    async def build(self, live: Live, at: float) -> list[ExportMetricsServiceRequest]:
        """*live*, which is read at once, at *at*; the event loop gets its turn every few hundred points."""
        values = [(family, list(children)) for family, children in live]
        now = _nanoseconds(at)
        self._looked = min(self._looked, now)  # the clock went back
        before, self._before = self._before, {}
        messages = [self._message()]
        points = 0
        live_families = {family for family, _ in values}
        ended: Live = [(family, []) for family in before if family not in live_families]
        for family, children in (*values, *ended):
            known, looks = before.get(family, {}), self._before.setdefault(family, {})
            gone = [(labels, None) for labels in known.keys() - {labels for labels, _ in children}]
            metric = None
            for labels, value in (*children, *gone):
                if points and points % _SLICE == 0:
                    await asyncio.sleep(0)
                if points and points % MESSAGE == 0:
                    messages.append(self._message())
                    metric = None
                metric = metric or _metric(messages[-1], family)
                if value is not None:
                    looks[labels] = self._look(family, value, known.get(labels), now)
                _place(_add(metric, family, value), labels, now, looks.get(labels))
                points += 1
            if not looks:
                del self._before[family]
        self._looked = now
        return messages if points else []

    def _look(self, family: Family, value: Value, before: _Look | None, now: int) -> _Look:
        if family.kind not in _COUNTED:
            return _Look(0.0, 0)
        count = value.count if isinstance(value, HistogramValue) else value
        if before is None or count < before.count:
            return _Look(count, self._looked)
        return _Look(count, min(before.start, now))

    def _message(self) -> ExportMetricsServiceRequest:
        message = ExportMetricsServiceRequest()
        resource = message.resource_metrics.add()
        for name, text in self._resource.items():
            resource.resource.attributes.add(key=_encodable(name)).value.string_value = _encodable(text)
        scope = resource.scope_metrics.add()
        scope.scope.name, scope.scope.version = "claude-sidecar", self._version
        return message


def parse(body: bytes) -> tuple[int, str]:
    """How many data points a collector refused, and why."""
    try:
        partial = ExportMetricsServiceResponse.FromString(body).partial_success
    except Exception:  # noqa: BLE001 -- protobuf's error is another one in each implementation; an odd 200 is a 200
        return 0, ""
    return partial.rejected_data_points, partial.error_message


def points(message: ExportMetricsServiceRequest) -> int:
    """How many data points *message* has."""
    metrics = (m for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics)
    return sum(len(m.gauge.data_points) + len(m.sum.data_points) + len(m.histogram.data_points) for m in metrics)


def _metric(message: ExportMetricsServiceRequest, family: Family) -> Metric:
    metric: Metric = message.resource_metrics[0].scope_metrics[0].metrics.add()
    metric.name, metric.description = family.name, family.help
    base = family.name.removesuffix("_total")
    metric.unit = next((unit for suffix, unit in _UNITS.items() if base.endswith(suffix)), "")
    if family.kind is Kind.COUNTER:
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = _CUMULATIVE, True
    elif family.kind is Kind.HISTOGRAM:
        metric.histogram.aggregation_temporality = _CUMULATIVE
    else:
        # Quantiles, too: a summary of OTLP has a sum and a count, which they have not, and 0 would be a lie.
        metric.gauge.SetInParent()
    return metric


def _add(metric: Metric, family: Family, value: Value | None) -> _Point:
    """One data point; None says that the series has ended."""
    if family.kind is Kind.HISTOGRAM:
        histogram: HistogramDataPoint = metric.histogram.data_points.add()
        if isinstance(value, HistogramValue):
            histogram.explicit_bounds.extend(family.buckets)
            histogram.bucket_counts.extend(round(high - low) for low, high in pairwise((0.0, *value.counts)))
            histogram.count, histogram.sum = round(value.count), value.sum
        else:
            histogram.flags = _GONE
        return histogram
    kind = metric.sum if family.kind is Kind.COUNTER else metric.gauge
    number: NumberDataPoint = kind.data_points.add()
    if isinstance(value, float | int):
        number.as_double = value
    else:
        number.flags = _GONE
    return number


def _place(point: _Point, labels: Labels, now: int, look: _Look | None = None) -> None:
    """Say whose *point* is, and when."""
    for name, text in labels.items():
        point.attributes.add(key=_encodable(name)).value.string_value = _encodable(text)
    point.time_unix_nano = now
    if look is not None and look.start:
        point.start_time_unix_nano = look.start


def _encodable(text: str) -> str:
    """*text* as protobuf takes it, which has no use for what is no character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e6) * 1000
