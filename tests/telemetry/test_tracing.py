import asyncio
import subprocess
import sys
from collections.abc import Iterator
from timeit import timeit

import pytest

from sidecar.telemetry import tracing
from sidecar.telemetry.otlp.spans import OPEN, QUEUE, Keep, OtelTracer

SECRET = "sk-ant-planted"


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    """The tracer is one for the process."""
    yield
    tracing.install(None)


class Now:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


def traced(share: float = 1.0, **more: bool) -> Keep:
    """Where finished spans wait from now on."""
    keep = Keep(share)
    redact = lambda text: text.replace(SECRET, "***")  # noqa: E731 -- as short as it is
    tracing.install(OtelTracer(keep, {"service.name": "x"}, "1", now=Now(), redact=redact, **more))
    return keep


def fail() -> None:
    raise ValueError(f"cannot use {SECRET}")


def test_off_it_is_nothing():
    """Nobody traces: a span takes everything, and says nothing of where it is."""
    with tracing.span("probe", {"a": 1}, role="client") as span:
        span.set({"b": True})
        span.fail("timeout", "late")
        assert tracing.current() is None
        assert tracing.traceparent() == {}


def test_off_it_loads_nothing():
    """Whoever is not traced has not loaded OpenTelemetry."""
    modules = "sidecar.telemetry.tracing, sidecar.telemetry.otlp.settings, sys"
    program = f"import {modules}; sys.exit('opentelemetry' in sys.modules)"
    assert not subprocess.run([sys.executable, "-c", program], check=False).returncode


def test_off_it_costs_next_to_nothing():
    """A thousand spans that nobody takes are no more work than a thousand small dictionaries, give or take."""

    def one() -> None:
        with tracing.span("probe", {"check": "x", "type": "http"}) as span:
            span.set({"a": 1})

    assert timeit(one, number=1000) < 0.1  # a hundred times what it takes


def test_an_exception_leaves_neither_it_nor_the_span_unnoticed():
    """An exception that leaves the block is the span's error, by name alone: its text may hold anything."""
    keep = traced()
    with pytest.raises(ValueError, match="planted"), tracing.span("probe"):
        fail()

    (span,) = keep.take()
    assert span.status.status_code.name == "ERROR"
    assert span.attributes == {"error.type": "ValueError"}
    assert not span.events
    assert SECRET not in span.to_json()


def test_a_cancellation_is_no_error():
    """What was called off has ended, and has not failed."""
    keep = traced()
    with pytest.raises(GeneratorExit), tracing.span("probe"):
        raise GeneratorExit

    (span,) = keep.take()
    assert span.status.status_code.name == "UNSET"


def test_a_span_says_what_and_when():
    """A span has its attributes, less what is empty or secret, and the daemon's own time."""
    keep = traced()
    with tracing.span("probe http", {"check": "gw", "empty": "", SECRET: SECRET}, role="client") as span:
        span.set({"http.response.status_code": 529, "long": "x" * 5000, "odd": "\ud800"})
        span.fail("overloaded", f"got {SECRET}")

    (found,) = keep.take()
    assert found.name == "probe http"
    assert found.kind.name == "CLIENT"
    assert (found.start_time, found.end_time) == (1001 * 10**9, 1002 * 10**9)
    assert found.attributes is not None
    assert found.attributes["http.response.status_code"] == 529
    assert len(str(found.attributes["long"])) == 1024
    assert found.attributes["odd"] == "?"
    assert "empty" not in found.attributes
    assert (found.attributes["error.type"], found.status.description) == ("overloaded", "got ***")


def test_no_half_of_a_secret_is_left():
    """A message is cut after its secrets were taken out, so that none is cut in two."""
    keep = traced()
    with tracing.span("probe") as span:
        span.fail("x", "y" * 1020 + SECRET)

    (found,) = keep.take()
    assert found.status.description == "y" * 1020 + "***"


def test_spans_inside_of_spans():
    """A span inside another belongs to it, and logs can name the one under way."""
    keep = traced()
    with tracing.span("outer"):
        outside = tracing.current()
        with tracing.span("inner"):
            inside = tracing.current()

    inner, outer = keep.take()
    assert outside is not None
    assert inside is not None
    assert outside[0] == inside[0] == f"{outer.context.trace_id:032x}"
    assert inner.parent == outer.context
    assert inside[1] == f"{inner.context.span_id:016x}"
    assert tracing.current() is None


@pytest.mark.parametrize(
    ("share", "failing", "kept"),
    [
        pytest.param(0.0, False, 0, id="of no share, nothing that went well"),
        pytest.param(0.0, True, 2, id="of no share, all of a trace that failed"),
        pytest.param(1.0, False, 2, id="of all, all"),
    ],
)
def test_what_is_kept(share, failing, kept):
    """A trace with an error anywhere in it is kept whole, of the others a share."""
    keep = traced(share)
    with tracing.span("outer"), tracing.span("inner") as span:
        if failing:
            span.fail("timeout")

    assert len(keep.take()) == kept


def test_the_share_goes_by_the_trace():
    """About the share is kept, by the ids alone, so that all who see a trace agree."""
    keep = traced(0.25)
    for _ in range(1000):
        with tracing.span("probe"):
            pass

    found = keep.take()
    assert 180 < len(found) < 320
    assert all(Keep(0.25).samples(span.context.trace_id) for span in found)
    assert not any(Keep(0.0).samples(span.context.trace_id) for span in found)


async def test_what_outlives_its_root_is_judged_alone():
    """A span that ends after the root of its trace is kept when it failed itself."""
    keep = traced(0.0)

    async def later(word: str) -> None:
        with tracing.span(f"inner {word}") as span:
            await asyncio.sleep(1)
            if word == "failed":
                span.fail("timeout")

    with tracing.span("outer"):
        tasks = [asyncio.create_task(later(word)) for word in ("failed", "good")]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert [span.name for span in keep.take()] == ["inner failed"]


def test_nothing_grows_without_bound():
    """Neither the queue nor a single trace takes all there is; what had no room is counted, errors come first."""
    keep = traced()
    with tracing.span("outer"):
        for _ in range(OPEN + 5):
            with tracing.span("inner"):
                pass
        with tracing.span("bad") as span:
            span.fail("x")
    assert (len(keep), keep.dropped) == (OPEN + 2, 5)

    for _ in range(QUEUE):
        with tracing.span("probe"):
            pass
    assert (len(keep), keep.dropped) == (QUEUE, 5 + OPEN + 2)


def test_what_could_not_be_sent_comes_first():
    """Spans that are given back are the next to be taken."""
    keep = traced()
    for name in ("first", "second"):
        with tracing.span(name):
            pass
    keep.give_back(keep.take())

    assert [span.name for span in keep.take()] == ["first", "second"]


@pytest.mark.parametrize(
    ("share", "flags"), [pytest.param(1.0, "01", id="kept"), pytest.param(0.0, "00", id="not kept if all goes well")]
)
def test_a_peer_is_told_if_wanted(share, flags):
    """The header names the span, and whether its trace is among the share; by default there is none."""
    traced(share, propagate=True)
    with tracing.span("probe"):
        ids = tracing.current()
        assert ids is not None
        assert tracing.traceparent() == {"traceparent": f"00-{ids[0]}-{ids[1]}-{flags}"}
    assert tracing.traceparent() == {}
    traced(share)
    with tracing.span("probe"):
        assert tracing.traceparent() == {}
