"""What becomes of a probe's result: a state, samples, and word for whoever evaluates."""

from collections.abc import Callable
from typing import Protocol

import structlog

from sidecar.clock import Clock
from sidecar.model.checks import (
    LAPSED,
    CheckState,
    CheckStatus,
    ProbeResult,
    advance,
    max_age,
    noted,
    undecided,
    unknown,
)
from sidecar.model.samples import Emit, Update
from sidecar.services import probing
from sidecar.services.watched import Watched

log = structlog.get_logger(__name__)


class OnChange(Protocol):
    """Hears of each probe after its samples were emitted."""

    def __call__(self, check: str, at: float, changed: bool, /) -> None:
        """*changed*: whether `probe_success` or the check's state differs from what it was before."""
        ...


class Learned(Protocol):
    """Hears what is known of a check, whenever a probe or the lack of one has a say in it."""

    def __call__(self, check: str, state: CheckState, result: ProbeResult | None, /) -> object:
        """*result*: the probe that led to *state*, if one did."""
        ...


class Findings:
    """Keeps the states of checks and tells the others; see `sidecar.services.prober.Prober`."""

    def __init__(
        self,
        clock: Clock,
        *,
        emit: Emit,
        lapse: Callable[[str, float], object],
        on_change: OnChange,
        learned: Learned,
        pod: str,
    ) -> None:
        self.pod = pod
        self._clock = clock
        self._emit = emit
        self._lapse = lapse
        self._on_change = on_change
        self._learned = learned

    def take(self, watched: Watched, updates: list[Update], result: ProbeResult) -> bool:
        """One more result; says whether it leaves the check undecided."""
        check, before = watched.check, watched.state
        if watched.closed:  # it was asked for, or began before
            watched.state = noted(before, result)
            return False
        watched.state = advance(before, check, result)
        watched.told, watched.expires = True, self.expiry(watched)
        self._learned(check.name, watched.state, result)
        self._emit(probing.batch(check, self.pod, updates, result, watched.state))
        status = watched.state.status
        changed = status is not before.status or before.last is None or before.last.verdict is not result.verdict
        if status is not before.status:
            tell = log.warning if status is CheckStatus.DOWN else log.info
            tell("check.changed", check=check.name, before=before.status, now=status, **_why(result))
        self._on_change(check.name, result.at, changed)
        return undecided(watched.state)

    def expiry(self, watched: Watched) -> float | None:
        """When a result of now is too old; by a calendar, that is told when the next one is due."""
        return None if watched.check.cron else self._clock.monotonic() + max_age(watched.check)

    def withdraw(self, watched: Watched, reason: str) -> None:
        """Take back what was said of a check: it is unknown because of *reason*."""
        at = self._clock.time()
        watched.told, watched.expires = False, None
        before, watched.state = watched.state.status, unknown(watched.state, reason, at)
        self._learned(watched.name, watched.state, None)
        self._lapse(probing.source(watched.check), at)
        tell = log.warning if reason == LAPSED else log.info
        tell(f"check.{reason}", check=watched.name, before=before)
        self._on_change(watched.name, at, True)

    def end(self, watched: Watched) -> None:
        """What was found out about a check is not true any more of the one that follows it."""
        self._learned(watched.name, CheckState(), None)
        if watched.told:
            self._lapse(probing.source(watched.check), self._clock.time())

    def missed(self, watched: Watched) -> None:
        """A turn passed without a probe, by our own fault."""
        self._emit(probing.missed(watched.check, self.pod, self._clock.time()))
        log.warning("probe.missed", check=watched.name, every=watched.check.cron or watched.check.every)


def _why(result: ProbeResult) -> dict[str, str]:
    words = {"error_type": result.error_type, "reason": result.reason, "message": result.message}
    return {key: text for key, text in words.items() if text}
