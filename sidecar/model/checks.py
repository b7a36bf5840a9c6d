"""What is known about a check: unknown, up or down, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol


class CheckStatus(StrEnum):
    """A check is unknown until enough probes in a row agree."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


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
class ProbeResult:
    """One probe as it was. A failure has an `error_type`, one of a closed list of words, and a message for a person."""

    at: float  # its end, seconds since the epoch
    duration: float  # seconds
    error_type: str = ""
    message: str = ""
    notes: Mapping[str, str | float] = field(default_factory=dict)  # evidence: status, request id, model

    @property
    def ok(self) -> bool:
        return not self.error_type


@dataclass(frozen=True, slots=True)
class CheckState:
    """What the probes so far say together."""

    status: CheckStatus = CheckStatus.UNKNOWN
    since: float | None = None  # when this status began, seconds since the epoch; None before the first
    failures: int = 0  # in a row, up to now
    successes: int = 0  # in a row, up to now
    last: ProbeResult | None = None
    last_failure: ProbeResult | None = None  # kept after the recovery, as evidence


def advance(state: CheckState, thresholds: Thresholds, result: ProbeResult) -> CheckState:
    """*state* after one more probe."""
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


def undecided(state: CheckState) -> bool:
    """Whether the last probes speak against the status, or there is none yet: the next comes after `confirm`."""
    return (state.failures > 0 and state.status is not CheckStatus.DOWN) or (
        state.successes > 0 and state.status is not CheckStatus.UP
    )


def max_age(thresholds: Thresholds) -> float:
    """Seconds after its last result at which a check becomes unknown."""
    return 2 * thresholds.every + thresholds.timeout


def lapse(state: CheckState, at: float) -> CheckState:
    """*state* of a check that has had no result for too long: unknown, with its evidence."""
    return replace(state, status=CheckStatus.UNKNOWN, since=at, failures=0, successes=0)
