"""One probe: bounded, measured, and put into words that the store takes."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from sidecar.checks import Check, CheckFailed, CheckUnknown
from sidecar.clock import Clock
from sidecar.model.checks import OFFLINE, UNKNOWN, CheckState, CheckStatus, ProbeResult
from sidecar.model.durations import show
from sidecar.model.families import (
    CHECK_DOWN_REASON,
    CHECK_UNDECIDED,
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
from sidecar.secrets import RETRIED, SecretError, attempted, refused
from sidecar.services.evidence import KEPT, answered, facts, message
from sidecar.telemetry import tracing

log = structlog.get_logger(__name__)

_REASON: Final = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)
_CRASH: Final = "internal"  # the error_type of a plug-in that crashed
# What a network that is away does to a probe; whatever else failed has seen its target.
_NETWORK: Final = frozenset({"dns", "connect", "tls", "reset", "timeout", "stalled", "truncated"})
# Credentials that were not accepted, in whatever a check speaks.
_REFUSED: Final = frozenset({"auth", "permission"})
# What no target does: a request of ours that was wrong is no refusal of a right one.
_OURS: Final = frozenset({_CRASH, "bad_request"})


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
        self.headers, self.body = dict(headers), body[:KEPT]

    def anew(self, why: str) -> None:
        """Forget the attempt so far: another one counts in its place, because of *why*."""
        self.headers, self.body = {}, b""
        self.updates.clear()
        self.notes.clear()
        self.note(retried=why)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure the phase *name* around a block, also one that fails."""
        started = self.clock.monotonic()
        try:
            yield
        finally:
            self.phase(name, self.clock.monotonic() - started)


async def probe_once(check: Check, ctx: Recording, offline: Callable[[], bool] = lambda: False) -> ProbeResult:
    """Probe *check* within its timeout; whatever the plug-in does is a result, and only our cancellation gets out.

    *offline*: whether this machine's own network is away. It is asked after a failure that the network may explain,
    which then is none.
    """
    ctx.outbound = ctx.outbound.with_network(check.network)
    about: dict[str, tracing.Value] = {
        "sidecar.check.name": check.name,
        "sidecar.check.type": check.type,
        "sidecar.check.target": check.target,
    }
    with tracing.span(f"probe {check.type}", about, role="client") as span:
        result = await _probed(check, ctx, offline)
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


async def _probed(check: Check, ctx: Recording, offline: Callable[[], bool]) -> ProbeResult:
    started = ctx.clock.monotonic()
    found = _Found()

    def between() -> None:
        nonlocal started
        started = ctx.clock.monotonic()
        ctx.anew(RETRIED)

    try:
        async with asyncio.timeout(check.timeout):
            await attempted(lambda: _attempt(check, ctx), between)
    except CheckFailed as exc:
        found = _Found(exc.error_type or _CRASH, exc.message, ours=isinstance(exc.__cause__, SecretError))
    except CheckUnknown as exc:
        # It becomes a label, which a sentence must not.
        found = _Found("", exc.message, exc.reason if _REASON.fullmatch(exc.reason) else UNKNOWN)
    except TimeoutError:
        found = _Found("timeout", f"got no result, expected one within {show(check.timeout)}")
    except (Exception, SystemExit, asyncio.CancelledError) as exc:
        task = asyncio.current_task()
        if isinstance(exc, asyncio.CancelledError) and task and task.cancelling():
            raise
        # The boundary to plug-ins: a crash there is a failed probe. The text of a foreign error may hold a secret.
        log.exception("probe.crashed", check=check.name, type=check.type)
        found = _Found(_CRASH, f"the check's own code failed with {type(exc).__name__}; the log has more")
    duration = ctx.clock.monotonic() - started
    found = _judged(check, ctx, found, offline)
    at = ctx.clock.time()
    if not found.error_type and not found.reason:
        return ProbeResult(at, duration, notes=facts(ctx.notes))
    said = answered(ctx.headers, ctx.body, ctx.updates)
    return ProbeResult(
        at, duration, found.error_type, message(found.message), facts(ctx.notes), found.reason, evidence=said
    )


async def _attempt(check: Check, ctx: Recording) -> None:
    try:
        await check.probe(ctx)
    except CheckFailed as exc:
        if exc.error_type in _REFUSED:
            refused()
        raise


@dataclass(frozen=True, slots=True)
class _Found:
    """How a probe ended: well, in a failure, or without a verdict."""

    error_type: str = ""
    message: str = ""
    reason: str = ""
    ours: bool = False  # whether we lacked what the probe needs


def _judged(check: Check, ctx: Recording, found: _Found, offline: Callable[[], bool]) -> _Found:
    """*found* as it counts: nobody is blamed for our own network, and to a negative check a refusal is a success."""
    if found.error_type in _NETWORK and not check.is_local and offline():
        return _Found("", f"this machine is offline, so nothing is known of the target: {found.message}", OFFLINE)
    if not check.negative or found.reason:
        return found
    if not found.error_type:
        return _Found("assertion", "the probe succeeded, expected a failure")
    if found.ours or found.error_type in _OURS:
        return found
    ctx.note(refused=f"{found.error_type}: {found.message}")
    return _Found()


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
    alert over them another alert. A probe without a verdict is neither success nor failure: what says so ends.
    """
    common = labels(check, pod)
    updates = [Update(update.family, update.value, common.with_(update.labels)) for update in recorded]
    if result.reason:
        updates.append(Update(CHECK_UNDECIDED, 1.0, common.with_(reason=result.reason)))
        return Batch(source(check), result.at, tuple(updates))
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
