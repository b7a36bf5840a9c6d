"""What the last turn of each rule group came to."""

from collections.abc import Iterable
from dataclasses import dataclass

from sidecar.model.alerts import RuleKey
from sidecar.rules.engine import Turn


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One turn of one group."""

    at: float  # seconds since the epoch
    seconds: float  # how long it took


class Evaluations:
    """Remembers the last turn of each group, and the rules that failed in it."""

    def __init__(self) -> None:
        self._turns: dict[str, Evaluated] = {}
        self._errors: dict[str, dict[RuleKey, str]] = {}

    def note(self, turn: Turn, seconds: float) -> None:
        """A group had a turn."""
        self._turns[turn.group] = Evaluated(turn.at, seconds)
        self._errors[turn.group] = dict(turn.failures)

    def of(self, group: str) -> Evaluated | None:
        """The last turn of a group."""
        return self._turns.get(group)

    def error(self, rule: RuleKey) -> str:
        """Why the last evaluation of a rule failed; empty if it did not."""
        return self._errors.get(rule.group, {}).get(rule, "")

    def keep(self, groups: Iterable[str]) -> None:
        """Forget all other groups: they left the configuration."""
        kept = set(groups)
        for name in [name for name in self._turns if name not in kept]:
            del self._turns[name], self._errors[name]
