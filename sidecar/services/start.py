"""The first minute of a daemon: what is known already, and who waits for it."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from sidecar.alerts.facts import Mute, Mutes
from sidecar.alerts.starting import is_cold, starting
from sidecar.checks import Check
from sidecar.model.alerts import Alert, RuleKey
from sidecar.model.checks import LAPSED, OFFLINE, CheckState, CheckStatus
from sidecar.rules.compiled import MAX_SETTLING
from sidecar.rules.lifecycle import SETTLING

SPREAD: Final = 10.0
"""Seconds over which the first probes are spread at most."""


class Start:
    """Follows a start at *began_at*; *saved_at* is when the daemon before us was alive last, None for never.

    A cold start holds openings until every check has a state, or had its time to get one, and every group was
    evaluated once after that. A quick restart holds an opening only until its own rule was evaluated.
    """

    def __init__(
        self,
        began_at: float,
        saved_at: float | None,
        checks: Collection[Check],
        groups: Collection[str],
        states: Callable[[], Mapping[str, CheckState]],
    ) -> None:
        self._began_at = self._looking_since = began_at
        self._cold = is_cold(saved_at, began_at)
        self._checks = tuple(checks)
        self._states = states
        self._waiting = set(groups)  # not evaluated yet since the checks are decided
        self._seen: set[RuleKey] = set()
        self._decided = False
        self._settled = False

    def decided(self, now: float) -> bool:
        """Whether every check has a state, or had the time to get one."""
        if not self._decided:
            states = self._states()
            self._decided = all(
                _is_known(states[check.name]) or now >= self._began_at + SPREAD + check.timeout + check.confirm
                for check in self._checks
            )
        return self._decided

    def known(self, check: str, now: float) -> bool:
        """Whether *check* has a state, or all have when none has that name; until then silence is no recovery.

        A check that hangs may need several timeouts to be down again. One that stays unknown is not waited for for
        ever.
        """
        states = self._states()
        waited = [states[check]] if check in states else states.values()
        return now >= self._looking_since + MAX_SETTLING or all(map(_is_known, waited))

    def evaluated(self, rules: Collection[RuleKey], now: float) -> bool:
        """*rules* had a turn; whether with it the start has just come to its end, so that all is to be decided."""
        fresh = not self._seen.issuperset(rules)
        self._seen.update(rules)
        if self._settled:
            return False
        if self.decided(now):
            self._waiting -= {rule.group for rule in rules}
            self._settled = not self._waiting
        return self._settled or fresh

    def mutes(self, alert: Alert, _channel: str, now: float) -> Mutes:
        """The mute of an opening in the first minute, and of one that only the life before us saw."""
        if alert.note == SETTLING:
            return Mutes(frozenset({Mute.STARTING}))  # until a turn can judge it, which changes the alert
        return starting(self._began_at, now, cold=self._cold, settled=self._settled, evaluated=alert.rule in self._seen)

    def replace(self, checks: Collection[Check], groups: Collection[str], now: float) -> None:
        """Other checks and groups from *now* on: whom the start still waits for. An end that was, stays."""
        self._checks = tuple(checks)
        self._waiting &= set(groups)
        self._settled = self._settled or (self.decided(now) and not self._waiting)

    def again(self, now: float) -> None:
        """We were cut off and see again at *now*: checks need their time to get a state, as after a start."""
        self._looking_since = now

    def step(self, seconds: float) -> None:
        """The clock jumped by *seconds*: the first minute stays a minute."""
        self._began_at += seconds
        self._looking_since += seconds


def _is_known(state: CheckState) -> bool:
    """Whether there is a state, or a reason for having none that time alone will not end: a rest, a job's next call."""
    return state.status is not CheckStatus.UNKNOWN or state.reason not in ("", OFFLINE, LAPSED)
