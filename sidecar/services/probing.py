"""One probe: bounded, measured, and put into words that the store takes."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog

from sidecar.checks import Check, CheckFailed
from sidecar.clock import Clock
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.durations import show
from sidecar.model.families import (
    CHECK_DOWN_REASON,
    CHECK_UP,
    PROBE_DURATION,
    PROBE_FAILURES,
    PROBE_LATENCY,
    PROBE_PHASE,
    PROBE_STATUS,
    PROBE_SUCCESS,
    PROBES_MISSED,
)
from sidecar.model.heartbeats import Heard
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Family, Update
from sidecar.outbound import Outbound
from sidecar.telemetry import tracing

log = structlog.get_logger(__name__)

_KEPT: Final = 2048  # bytes of an answer's body
_CRASH: Final = "internal"  # the error_type of a plug-in that crashed


class Recording:
    """The other end of one probe: keeps what the check measures. Fits `sidecar.checks.ProbeContext`."""

    def __init__(self, clock: Clock, outbound: Outbound, heard: Heard = Heard()) -> None:  # noqa: B008 -- frozen
        self.clock = clock
        self.outbound = outbound
        self.heard = heard
        self.headers: Mapping[str, str] = {}
        self.body = b""
        self.updates: list[Update] = []
        self.notes: dict[str, str | float] = {}

    def record(self, family: Family, value: float, /, **labels: str) -> None:
        """Measure: set a gauge, add to a counter or observe in a histogram."""
        self.updates.append(Update(family, value, Labels(labels)))

    def phase(self, name: str, seconds: float) -> None:
        """How long one phase took."""
        self.record(PROBE_PHASE, seconds, phase=name)

    def note(self, **facts: str | float) -> None:
        """Evidence; never a label."""
        self.notes |= facts

    def saw(self, headers: Mapping[str, str], body: bytes) -> None:
        """What the peer answered."""
        self.headers, self.body = dict(headers), body[:_KEPT]

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure the phase *name* around a block, also one that fails."""
        started = self.clock.monotonic()
        try:
            yield
        finally:
            self.phase(name, self.clock.monotonic() - started)


async def probe_once(check: Check, ctx: Recording) -> ProbeResult:
    """Probe *check* within its timeout; whatever the plug-in does is a result, and only our cancellation gets out."""
    about: dict[str, tracing.Value] = {
        "sidecar.check.name": check.name,
        "sidecar.check.type": check.type,
        "sidecar.check.target": check.target,
    }
    with tracing.span(f"probe {check.type}", about, role="client") as span:
        result = await _probed(check, ctx)
        span.set(dict(_measured(ctx.updates)))
        if result.error_type:
            span.fail(result.error_type, result.message)
    return result


def _measured(updates: list[Update]) -> Iterator[tuple[str, tracing.Value]]:
    """What a span tells of what the probe measured."""
    for update in updates:
        if update.family is PROBE_PHASE:
            yield f"sidecar.phase.{update.labels.text('phase')}", update.value
        elif update.family is PROBE_STATUS:
            yield "http.response.status_code", int(update.value)


async def _probed(check: Check, ctx: Recording) -> ProbeResult:
    started = ctx.clock.monotonic()
    error_type = message = ""
    try:
        async with asyncio.timeout(check.timeout):
            await check.probe(ctx)
    except CheckFailed as exc:
        error_type, message = exc.error_type or _CRASH, exc.message
    except TimeoutError:
        error_type, message = "timeout", f"got no result, expected one within {show(check.timeout)}"
    except (Exception, SystemExit, asyncio.CancelledError) as exc:
        task = asyncio.current_task()
        if isinstance(exc, asyncio.CancelledError) and task and task.cancelling():
            raise
        # The boundary to plug-ins: a crash there is a failed probe. The text of a foreign error may hold a secret.
        log.exception("probe.crashed", check=check.name, type=check.type)
        error_type, message = _CRASH, f"the check's own code failed with {type(exc).__name__}; the log has more"
    duration = ctx.clock.monotonic() - started
    return ProbeResult(ctx.clock.time(), duration, error_type, message, dict(ctx.notes))


def source(check: Check) -> str:
    """The name under which the check's series live."""
    return f"check:{check.name}"


def labels(check: Check, pod: str) -> Labels:
    """What every series of *check* carries; *pod* only where pods do not see the same."""
    return Labels(
        check.labels,
        check=check.name,
        type=check.type,
        target=check.target,
        critical="true" if check.critical else "false",
        pod=pod if check.per_pod else "",
    )


def batch(check: Check, pod: str, recorded: list[Update], result: ProbeResult, state: CheckState) -> Batch:
    """What one probe tells the store: what it measured, how it went, and what the check's state is now.

    The reason of a failure is on metrics of its own: on the gauges, each new reason would be another series, and an
    alert over them another alert.
    """
    common = labels(check, pod)
    updates = [Update(update.family, update.value, common.with_(update.labels)) for update in recorded]
    updates.append(Update(PROBE_SUCCESS, 1.0 if result.ok else 0.0, common))
    updates.append(Update(PROBE_DURATION, result.duration, common))
    if result.ok:
        updates.append(Update(PROBE_LATENCY, result.duration, common))
    else:
        updates.append(Update(PROBE_FAILURES, 1.0, common.with_(error_type=result.error_type)))
    if state.status is not CheckStatus.UNKNOWN:
        updates.append(Update(CHECK_UP, 1.0 if state.status is CheckStatus.UP else 0.0, common))
    if state.status is CheckStatus.DOWN and state.last_failure is not None:
        updates.append(Update(CHECK_DOWN_REASON, 1.0, common.with_(error_type=state.last_failure.error_type)))
    return Batch(source(check), result.at, tuple(updates))


def missed(check: Check, pod: str, at: float) -> Batch:
    """A turn that passed because the probe before was still running; the check's other series stay as they are."""
    return Batch(source(check), at, (Update(PROBES_MISSED, 1.0, labels(check, pod)),), write=False, whole=False)
