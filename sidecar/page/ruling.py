"""The rules that are evaluated: what each asks, how its last turn went, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sidecar.api.evaluations import Evaluated
from sidecar.model.alerts import AlertState, RuleKey
from sidecar.page.daemon import Daemon
from sidecar.rules.compiled import Alerting, CompiledRule, Group

_WORST: tuple[AlertState, ...] = (AlertState.FIRING, AlertState.PENDING)


@dataclass(frozen=True, slots=True)
class Ruled:
    """One rule."""

    rule: CompiledRule
    state: str  # the furthest that any of its alerts has come: firing, pending, or empty
    error: str  # why its last evaluation failed; empty if it did not

    @property
    def alerting(self) -> Alerting | None:
        """The rule, if it makes alerts and no series."""
        return self.rule if isinstance(self.rule, Alerting) else None


@dataclass(frozen=True, slots=True)
class Ruling:
    """One group; its turn is the last, None before the first."""

    group: Group
    turn: Evaluated | None
    rules: Sequence[Ruled]

    @property
    def firing(self) -> int:
        """How many of its rules have an alert that fires."""
        return sum(rule.state == AlertState.FIRING for rule in self.rules)

    @property
    def failing(self) -> int:
        """How many of its rules cannot be evaluated."""
        return sum(bool(rule.error) for rule in self.rules)


def gather(daemon: Daemon) -> list[Ruling]:
    """Every group, in the order of the configuration."""
    states = _states(daemon)
    return [
        Ruling(
            group,
            daemon.evaluations.of(group.name),
            [Ruled(rule, states.get(rule.key, ""), daemon.evaluations.error(rule.key)) for rule in group.rules],
        )
        for group in daemon.rule_set.groups
    ]


def failing(daemon: Daemon) -> int:
    """How many rules could not be evaluated in their last turn."""
    rules = (rule for group in daemon.rule_set.groups for rule in group.rules)
    return sum(bool(daemon.evaluations.error(rule.key)) for rule in rules)


def _states(daemon: Daemon) -> Mapping[RuleKey, str]:
    found: dict[RuleKey, str] = {}
    for alert in daemon.book.alerts():
        if alert.state in _WORST and found.get(alert.rule) != AlertState.FIRING:
            found[alert.rule] = alert.state.value
    return found
