"""The checks: what they say, why, and what comes next."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web
from pydantic import Field

from sidecar.api.endpoint import Answer, Asked, Part, get, post
from sidecar.api.histories import Latency, Outcome, Uptime, latency, outcomes, uptimes
from sidecar.api.moments import Stamp, iso
from sidecar.api.paced import paced
from sidecar.api.problems import ApiError, Word
from sidecar.api.runs import Runs
from sidecar.checks import Check
from sidecar.model.checks import LAPSED, OFF_HOURS, OFFLINE, UNKNOWN, CheckState, CheckStatus, ProbeResult
from sidecar.model.checks import Evidence as Seen
from sidecar.model.durations import show
from sidecar.model.families import PROBE_PHASE
from sidecar.model.history import CheckHistory
from sidecar.model.labels import Labels
from sidecar.model.outcomes import MOST
from sidecar.model.samples import SeriesData, is_stale
from sidecar.promql import LOOKBACK_MS

_REASONS: Final = {
    LAPSED: "there was no result for too long",
    OFF_HOURS: "it is not probed at this time",
    OFFLINE: "this machine's own network is away",
    UNKNOWN: "its probe came to no verdict",
}
_PHASES: Final = "resolve connect tls first_byte first_token transfer"  # as they follow each other


class OneCheck(Asked):
    """Which check."""

    name: str = Field(description="The check's name.", min_length=1)


class AllChecks(Asked):
    """How much to tell of each check."""

    recent: int = Field(0, description="How many outcomes of its last probes.", ge=0, le=MOST)


class Probe(Part):
    """One probe as it was."""

    at: Stamp = Field(description="When it ended.")
    ok: bool = Field(description="Whether it succeeded.")
    seconds: float = Field(description="How long it took.")
    error_type: str = Field(description="One word of a closed list; empty if it succeeded.")
    message: str = Field(description="What was found, when it did not.")
    notes: dict[str, str | float] = Field(description="What it found out: status, request id, model.")
    text: str = Field(description="The probe in words.")


class CheckSummary(Part):
    """One check in short."""

    name: str = Field(description="The check's name.")
    type: str = Field(description="Its type.")
    target: str = Field(description="What is probed, without secrets.")
    critical: bool = Field(description="Whether health is critical when it is down.")
    state: CheckStatus = Field(description="up, down or unknown.")
    since: Stamp | None = Field(description="When the state began.")
    reason: str = Field(description="Why it is in that state, in words.")
    labels: dict[str, str] = Field(description="Labels of its series.")
    last: Probe | None = Field(description="Its last probe; null before the first.")
    next_run: Stamp | None = Field(description="When it is probed next, if that is known.")
    uptime: dict[str, Uptime] = Field(description="How long it was up in the last 1h, 24h, 7d and 30d.")
    recent: list[Outcome] = Field(description="Its last probes, the oldest first: as many as were asked for.")


class Evidence(Part):
    """What a failed probe saw; nothing in it is secret."""

    notes: dict[str, str | float] = Field(description="What it found out: status, request id, model.")
    headers: dict[str, str] = Field(description="Of the answer.")
    body: str = Field(description="The beginning of the answer's body.")
    whole: bool = Field(description="Whether that is all of it.")
    phases: dict[str, float] = Field(description="Seconds of each phase.")


class CheckDetail(CheckSummary):
    """One check with all that is known of it."""

    every: float = Field(description="Seconds from one probe to the next.")
    timeout: float = Field(description="Seconds after which a probe has failed.")
    failures: int = Field(description="Failures in a row, up to now.")
    successes: int = Field(description="Successes in a row, up to now.")
    failure_threshold: int = Field(description="Failures in a row that make it down.")
    success_threshold: int = Field(description="Successes in a row that make it up.")
    costs: bool = Field(description="Whether each probe costs money.")
    schedule: str = Field(description="When it is probed, in words.")
    depends_on: list[str] = Field(description="Checks without which it cannot be up.")
    phases: dict[str, float] = Field(description="Seconds of each phase of the last probe.")
    latency: Latency | None = Field(description="How long its last probes took; null if none succeeded.")
    last_failure: Probe | None = Field(description="The last failed probe, also after a recovery.")
    evidence: Evidence | None = Field(description="What the last failed probe saw.")
    series: dict[str, float | None] = Field(description="The current values of its series.")


class Run(Part):
    """What a probe that was asked for came to."""

    finished: bool = Field(description="Whether it has ended; else it goes on, and the check's page will tell.")
    check: CheckSummary = Field(description="The check after the probe.")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a check beside its state."""

    history: CheckHistory
    next_run: float | None
    now: float


def summary(check: Check, state: CheckState, known: Known, recent: int = 0) -> CheckSummary:
    """*check* in short, with its last *recent* outcomes."""
    return CheckSummary(
        name=check.name,
        type=check.type,
        target=check.target,
        critical=check.critical,
        state=state.status,
        since=iso(state.since),
        reason=reason(check, state),
        labels=dict(check.labels),
        last=probe(state.last),
        next_run=iso(known.next_run),
        uptime=uptimes(known.history, known.now),
        recent=outcomes(known.history, recent),
    )


def detail(check: Check, state: CheckState, known: Known, series: Sequence[SeriesData]) -> CheckDetail:
    """*check* with all that is known of it; *series* are its own."""
    live = current(series, known.now)
    values = {str(labels): value for labels, value in live if not labels.name.endswith("_bucket")}
    return CheckDetail(
        **dict(summary(check, state, known, MOST)),
        every=check.every,
        timeout=check.timeout,
        failures=state.failures,
        successes=state.successes,
        failure_threshold=check.failure_threshold,
        success_threshold=check.success_threshold,
        costs=check.costs_money,
        schedule=schedule(check),
        depends_on=list(check.depends_on),
        phases=phases(live),
        latency=latency(known.history),
        last_failure=probe(state.last_failure),
        evidence=evidence(state),
        series=values,
    )


def reason(check: Check, state: CheckState) -> str:
    """Why *check* is in its state, in one sentence."""
    last = state.last
    if state.status is CheckStatus.UNKNOWN:
        why = state.reason if last else "there was no probe yet"
        if why == OFFLINE and last is not None and last.message:
            return last.message  # it begins with that
        said = f": {last.message}" if last is not None and last.message else ""
        return f"{_REASONS.get(why, why)}{said}" if why else "too few probes agree"
    if state.status is CheckStatus.DOWN and state.last_failure is not None:
        row = f"{state.failures} failure{'s' if state.failures > 1 else ''} in a row"
        row = row if state.failures else "the last probes succeeded, but too few"
        return f"{row}: {words(state.last_failure)}"
    if last is not None and not last.ok:
        return f"up, but {state.failures} of {check.failure_threshold} failures: {words(last)}"
    return "the last probe succeeded"


def words(result: ProbeResult) -> str:
    """A probe in words."""
    if result.ok:
        return f"succeeded in {result.duration * 1000:.0f} ms"
    return ": ".join(filter(None, (result.error_type or result.reason, result.message)))


def probe(result: ProbeResult | None) -> Probe | None:
    """One probe, if there was one."""
    if result is None:
        return None
    return Probe(
        at=iso(result.at) or "",
        ok=result.ok,
        seconds=result.duration,
        error_type=result.error_type,
        message=result.message,
        notes=dict(result.notes),
        text=words(result),
    )


def evidence(state: CheckState) -> Evidence | None:
    """What the last failed probe saw."""
    failure = state.last_failure
    if failure is None:
        return None
    seen = failure.evidence or Seen()
    return Evidence(
        notes=dict(failure.notes),
        headers=dict(seen.headers),
        body=seen.body,
        whole=seen.whole,
        phases=dict(seen.phases),
    )


def schedule(check: Check) -> str:
    """When *check* is probed, in words."""
    when = f"cron {check.cron}" if check.cron else f"every {show(check.every)}"
    zone = f" ({check.timezone})" if check.timezone and (check.cron or check.hours) else ""
    hours = ", in certain hours" if check.hours else ""
    return f"{when}{hours}{zone}; while undecided after {show(min(check.confirm, check.every))}"


def current(series: Sequence[SeriesData], now: float) -> list[tuple[Labels, float]]:
    """The last values of *series*, as an instant query sees them."""
    since = now * 1000 - LOOKBACK_MS
    found = [(one.labels, one.values[-1]) for one in series if one.times and one.times[-1] > since]
    return [(labels, value) for labels, value in found if not is_stale(value)]


def phases(live: Sequence[tuple[Labels, float]]) -> dict[str, float]:
    """Seconds of each phase of a check's last probe, in the order in which they passed; *live* are its series."""
    found = {labels.text("phase"): value for labels, value in live if labels.name == PROBE_PHASE.name}
    return dict(sorted(found.items(), key=lambda phase: (phase[0] not in _PHASES, _PHASES.find(phase[0]), phase[0])))


class Watching(Protocol):
    """Who knows about checks; asked anew for each request."""

    @property
    def checks(self) -> Sequence[Check]: ...

    def states(self) -> Mapping[str, CheckState]: ...

    def next_run(self, check: str, /) -> float | None:
        """When the check is probed next, in seconds since the epoch, if that is known."""
        ...

    def history(self, check: str, /) -> CheckHistory:
        """What the check's last probes came to, and how long it was up."""
        ...

    def series(self, check: str, /) -> Sequence[SeriesData]:
        """The check's series."""
        ...

    def run_now(self, check: str, /) -> Awaitable[object]:
        """Probe the check, or join the probe that is running."""
        ...


def routes(watching: Watching, now: Callable[[], float]) -> list[web.RouteDef]:
    """The checks as *watching* knows them."""
    runs = Runs(watching.run_now, now)

    def find(name: str) -> tuple[Check, CheckState]:
        known = {check.name: check for check in watching.checks}
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise ApiError(Word.NOT_FOUND, f"got the check {name[:80]!r}, expected one of: {names}")
        return known[name], watching.states().get(name, CheckState())

    def known(name: str) -> Known:
        return Known(watching.history(name), watching.next_run(name), now())

    async def every(asked: AllChecks) -> list[CheckSummary]:
        states = watching.states()
        return [
            summary(check, states.get(check.name, CheckState()), known(check.name), asked.recent)
            async for check in paced(sorted(watching.checks, key=lambda check: check.name))
        ]

    async def one(asked: OneCheck) -> CheckDetail:
        check, state = find(asked.name)
        return detail(check, state, known(check.name), watching.series(check.name))

    async def run(asked: OneCheck) -> Answer[Run]:
        check, state = find(asked.name)
        finished = await runs.run(check, state)
        check, state = find(asked.name)
        found = Run(finished=finished, check=summary(check, state, known(check.name)))
        return Answer(found, status=200 if finished else 202)

    missing = {404: "There is no such check."}
    return [
        get("/api/v1/checks", every, "Every check, in short."),
        get("/api/v1/checks/{name}", one, "One check with all that is known of it.", missing),
        post(
            "/api/v1/checks/{name}/run",
            run,
            "Probe now, or join the probe that is running, and answer with what it came to.",
            {202: "It still runs.", **missing, 429: "It was probed a moment ago."},
        ),
    ]
