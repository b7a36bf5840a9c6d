"""A collector: takes OTLP over HTTP, and reads it with the protocol's own definitions."""

import gzip
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Collector:
    """Keeps what it was sent. Before it takes anything, it gives its `answers`, each with what it `says`."""

    def __init__(self) -> None:
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.requests: list[web.Request] = []
        self.raw: list[bytes] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.rejects = 0
        self.says = "no"

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.post("/v1/traces", self._traces),
                web.post("/v1/metrics", self._metrics),
                web.post("/own", self._traces),
            ]
        )
        return app

    async def _read(self, request: web.Request) -> bytes:
        # aiohttp's server has taken the gzip off already
        body = await request.read()
        self.requests.append(request)
        self.raw.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        return self.raw[-1]

    async def _traces(self, request: web.Request) -> web.Response:
        body = await self._read(request)
        if self.answers:
            status, headers = self.answers.pop(0)
            return web.Response(status=status, headers=headers, text=self.says)
        self.traces.append(ExportTraceServiceRequest.FromString(body))
        answer = ExportTraceServiceResponse()
        if self.rejects:
            answer.partial_success.rejected_spans = self.rejects
            answer.partial_success.error_message = "too old"
        return web.Response(body=answer.SerializeToString(), content_type="application/x-protobuf")

    async def _metrics(self, request: web.Request) -> web.Response:
        body = await self._read(request)
        if self.answers:
            status, headers = self.answers.pop(0)
            return web.Response(status=status, headers=headers, text=self.says)
        self.metrics.append(ExportMetricsServiceRequest.FromString(body))
        answer = ExportMetricsServiceResponse()
        if self.rejects:
            answer.partial_success.rejected_data_points = self.rejects
            answer.partial_success.error_message = "too old"
        return web.Response(body=answer.SerializeToString(), content_type="application/x-protobuf")

    def spans(self) -> Iterator[Any]:
        """Every span that came, in order."""
        for request in self.traces:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans

    def points(self, at: int = -1) -> dict[tuple[str, tuple[tuple[str, str], ...]], Any]:
        """The data points of the latest message, or of another, by name and attributes."""
        found: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
        for resource in self.metrics[at].resource_metrics if self.metrics else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in getattr(metric, metric.WhichOneof("data")).data_points:
                        found[metric.name, tuple(attributes(point).items())] = point
        return found


def attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a span, a data point or a resource."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in holder.attributes}
