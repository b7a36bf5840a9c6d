"""Spans of OpenTelemetry's SDK, of which those are kept that are worth a look."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode

from sidecar.telemetry.tracing import Role, Value

QUEUE: Final = 2048
"""Spans that wait for the exporter at most; what comes after them is dropped."""
BATCH: Final = 512
"""Spans of one message."""
OPEN: Final = 256
"""Spans that are remembered of one trace until its root ends."""
_LONGEST: Final = 1024
_KINDS: Final[Mapping[Role, SpanKind]] = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
_Attributes = dict[str, Value]


class Keep(SpanProcessor):
    """Decides about each trace when its root here ends: one with an error is kept, of the others a share.

    The share is taken by the trace's id, as OpenTelemetry's TraceIdRatioBased does, so that two processes which see the
    same trace agree. What is kept waits in a queue of QUEUE spans.
    """

    def __init__(self, share: float) -> None:
        self._below = round(share * 2**64)  # of the lower half of a trace's id
        self._open: dict[int, list[ReadableSpan]] = {}
        self._queue: deque[ReadableSpan] = deque()
        self.dropped = 0  # spans, since somebody took the number

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002 -- the SDK's
        """A root opens its trace; what belongs to it waits for its end."""
        if _is_root(span):
            self._open[_trace(span)] = []

    def on_end(self, span: ReadableSpan) -> None:
        """The end of a root is the end of its trace; what ends after that is judged alone."""
        trace_id = _trace(span)
        if not _is_root(span) and trace_id in self._open:
            self._remember(self._open[trace_id], span)
            return
        self._decide(trace_id, [*self._open.pop(trace_id, []), span])

    def _remember(self, spans: list[ReadableSpan], span: ReadableSpan) -> None:
        if len(spans) < OPEN or span.status.status_code is StatusCode.ERROR:
            spans.append(span)
        else:
            self.dropped += 1

    def _decide(self, trace_id: int, spans: Sequence[ReadableSpan]) -> None:
        failed = any(span.status.status_code is StatusCode.ERROR for span in spans)
        if not (failed or self.samples(trace_id)):
            return
        room = QUEUE - len(self._queue)
        self._queue += spans[:room]
        self.dropped += max(0, len(spans) - room)

    def samples(self, trace_id: int) -> bool:
        """Whether a trace without an error is kept."""
        return trace_id & (2**64 - 1) < self._below

    def __len__(self) -> int:
        return len(self._queue)

    def take(self) -> list[ReadableSpan]:
        """The next batch, the oldest first; empty when nothing waits."""
        return [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]

    def give_back(self, spans: Sequence[ReadableSpan]) -> None:
        """*spans*, which were taken, wait again."""
        self._queue.extendleft(reversed(spans))


class OtelTracer:
    """Hands spans to *keep*; texts are cut to 1,024 characters. *now* is the time in seconds since the epoch.

    *redact* takes secrets out of every text; *propagate*: whether peers are told which span their work belongs to.
    """

    def __init__(
        self,
        keep: Keep,
        resource: Mapping[str, str],
        version: str,
        *,
        now: Callable[[], float],
        redact: Callable[[str], str],
        propagate: bool = False,
    ) -> None:
        provider = TracerProvider(
            sampler=ALWAYS_ON,  # `keep` decides later, when it is known how it went
            resource=Resource({**resource}),
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_span_attributes=64, max_span_attribute_length=_LONGEST),
        )
        provider.add_span_processor(keep)
        self._tracer = provider.get_tracer("claude-sidecar", version)
        self._keep = keep
        self._now = now
        self._redact = redact
        self._propagate = propagate

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Value], role: Role) -> Iterator["_Span"]:
        """See `tracing.span`."""
        span = self._tracer.start_span(
            self._redact(name),
            kind=_KINDS[role],
            attributes=self._clean(attributes),
            start_time=_nanoseconds(self._now()),
        )
        ours = _Span(span, self._clean)
        try:
            # Neither tracebacks nor texts of exceptions are recorded: foreign ones hold what they were given.
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield ours
        except Exception as exc:
            ours.fail(type(exc).__name__)
            raise
        finally:
            span.end(_nanoseconds(self._now()))

    def current(self) -> tuple[str, str] | None:
        """See `tracing.current`."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)

    def traceparent(self) -> str:
        """The header's version 00; empty when a peer is not to be told.

        It says whether the trace is kept if all goes well: who obeys it must not keep every one because of us.
        """
        ids = self.current()
        if ids is None or not self._propagate:
            return ""
        return f"00-{ids[0]}-{ids[1]}-{'01' if self._keep.samples(int(ids[0], 16)) else '00'}"

    def _clean(self, attributes: Mapping[str, Value]) -> _Attributes:
        return {
            name: _encodable(self._redact(value)) if isinstance(value, str) else value
            for name, value in attributes.items()
            if value != ""
        }


class _Span:
    def __init__(self, span: trace.Span, clean: Callable[[Mapping[str, Value]], _Attributes]) -> None:
        self._span = span
        self._clean = clean

    def set(self, attributes: Mapping[str, Value], /) -> None:
        self._span.set_attributes(self._clean(attributes))

    def fail(self, error_type: str, message: str = "", /) -> None:
        found = self._clean({"error.type": error_type or "_OTHER", "message": message})
        self._span.set_attribute("error.type", found["error.type"])
        # Cut when the secrets are out: half of one would not be recognised.
        self._span.set_status(Status(StatusCode.ERROR, str(found.get("message", ""))[:_LONGEST] or None))


def encode(spans: Sequence[ReadableSpan]) -> bytes:
    """A request of OTLP."""
    body: bytes = encode_spans(spans).SerializeToString()
    return body


def parse(body: bytes) -> tuple[int, str]:
    """How many spans a collector refused, and why."""
    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except Exception:  # noqa: BLE001 -- protobuf's error is another one in each implementation; an odd 200 is a 200
        return 0, ""
    return partial.rejected_spans, partial.error_message


def _encodable(text: str) -> str:
    """*text* as protobuf takes it: a name from the system may hold what is no character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e6) * 1000  # a float of the epoch has no more than microseconds


def _trace(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None  # the SDK's spans always have one
    return context.trace_id


def _is_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote
