"""What is known about a check: unknown, up or down, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Protocol

UNKNOWN: Final = "unknown"
"""Why a check is unknown, when its probe does not say."""
LAPSED: Final = "lapsed"
"""Why a check is unknown: its results stay away."""
OFF_HOURS: Final = "off_hours"
"""Why a check is unknown: it is not probed at this time."""
OFFLINE: Final = "offline"
"""Why a check is unknown: this machine's own network is away."""
WAITING: Final = "waiting"
"""Why a check is unknown: a job need not have called yet."""


class CheckStatus(StrEnum):
    """A check is unknown until enough probes in a row agree."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class Verdict(StrEnum):
    """What one probe said."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


class Thresholds(Protocol):
    """What a check says about its own judgement; times in seconds."""

    @property
    def every(self) -> float: ...
    @property
    def timeout(self) -> float: ...
    @property
    def confirm(self) -> float: ...
    @property
    def failure_threshold(self) -> int: ...
    @property
    def success_threshold(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a peer answered to a probe that did not succeed: redacted, bounded, and safe to show."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""  # its beginning
    whole: bool = True  # whether the body is all there was to see
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe as it was.

    A failure has an `error_type`, one of a closed list of words; a probe that came to no verdict has a `reason`, one of
    another; both have a message for a person.
    """

    at: float  # its end, seconds since the epoch
    duration: float  # seconds
    error_type: str = ""
    message: str = ""
    notes: Mapping[str, str | float] = field(default_factory=dict)  # evidence: status, request id, model
    reason: str = ""
    evidence: Evidence | None = None  # of a probe that did not succeed

    @property
    def ok(self) -> bool:
        return not self.error_type and not self.reason

    @property
    def verdict(self) -> Verdict:
        if self.reason:
            return Verdict.UNKNOWN
        return Verdict.FAILURE if self.error_type else Verdict.SUCCESS


@dataclass(frozen=True, slots=True)
class CheckState:
    """What the probes so far say together."""

    status: CheckStatus = CheckStatus.UNKNOWN
    since: float | None = None  # when this status began, seconds since the epoch; None before the first
    failures: int = 0  # in a row, up to now
    successes: int = 0  # in a row, up to now
    last: ProbeResult | None = None
    last_failure: ProbeResult | None = None  # kept after the recovery, as evidence
    reason: str = ""  # why it is unknown, in one word; empty while probes are too few to tell


def advance(state: CheckState, thresholds: Thresholds, result: ProbeResult) -> CheckState:
    """*state* after one more probe; one without a verdict makes it unknown, and rows of others begin anew."""
    if result.reason:
        return replace(unknown(state, result.reason, result.at), last=result)
    failures, successes = (0, state.successes + 1) if result.ok else (state.failures + 1, 0)
    status = state.status
    if failures >= thresholds.failure_threshold:
        status = CheckStatus.DOWN
    elif successes >= thresholds.success_threshold:
        status = CheckStatus.UP
    return CheckState(
        status=status,
        since=state.since if status is state.status and state.since is not None else result.at,
        failures=failures,
        successes=successes,
        last=result,
        last_failure=state.last_failure if result.ok else result,
    )


def noted(state: CheckState, result: ProbeResult) -> CheckState:
    """*state* after a probe that has no say in it."""
    return replace(state, last=result, last_failure=result if result.error_type else state.last_failure)


def undecided(state: CheckState) -> bool:
    """Whether the last probes speak against the status, or there is none yet: the next comes after `confirm`."""
    return (state.failures > 0 and state.status is not CheckStatus.DOWN) or (
        state.successes > 0 and state.status is not CheckStatus.UP
    )


def max_age(thresholds: Thresholds) -> float:
    """Seconds after its last result at which a check that is probed at an interval becomes unknown."""
    return 2 * thresholds.every + thresholds.timeout


def unknown(state: CheckState, reason: str, at: float) -> CheckState:
    """*state* of a check of which nothing can be said: unknown because of *reason*, with its evidence."""
    since = state.since if state.status is CheckStatus.UNKNOWN and state.since is not None else at
    return replace(state, status=CheckStatus.UNKNOWN, since=since, failures=0, successes=0, reason=reason)


def lapse(state: CheckState, at: float) -> CheckState:
    """*state* of a check that has had no result for too long."""
    return unknown(state, LAPSED, at)


def document(result: ProbeResult) -> dict[str, Any]:
    """*result* with its evidence, as JSON has it; nothing in it is secret."""
    found: dict[str, Any] = {
        "at": result.at,
        "duration": result.duration,
        "verdict": result.verdict.value,
        "error_type": result.error_type,
        "reason": result.reason,
        "message": result.message,
        "notes": dict(result.notes),
    }
    if result.evidence is not None:
        found["phases"] = dict(result.evidence.phases)
        found["headers"] = dict(result.evidence.headers)
        found["body"] = result.evidence.body
        found["body_whole"] = result.evidence.whole
    return found
