"""Whose fault alerts are, as far as the checks know it together."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sidecar.checks import Check
from sidecar.model.alerts import Alert, AlertState
from sidecar.model.checks import CheckState
from sidecar.model.families import CHECK_DOWN_REASON, CHECK_UP, PROBE_FAILURES, PROBE_SUCCESS
from sidecar.model.notifications import Blame
from sidecar.rules.compiled import Alerting

if TYPE_CHECKING:
    from sidecar.alerts.blame import Witness

_API_HOST: Final = "api.anthropic.com"
_FAILURES: Final = frozenset(family.name for family in (CHECK_DOWN_REASON, CHECK_UP, PROBE_FAILURES, PROBE_SUCCESS))


class Culprits:
    """Remembers what it knows of each check: in a storm every check is a witness for every alert."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Check, Witness]] = {}
        self._seen: tuple[object, ...] = ()  # the checks and the states of which all witnesses are
        self._all: dict[str, Witness] = {}

    def of(
        self, alert: Alert, rule: Alerting | None, checks: Sequence[Check], states: Mapping[str, CheckState]
    ) -> Blame | None:
        """Whose fault it is that the check fails of which *alert* of *rule* tells; None when that is not known."""
        name = alert.labels.text("check")
        if alert.state is AlertState.ENDED or name not in states or not _is_about_failures(rule):
            return None  # what its check finds after the end is of another story
        from sidecar.alerts.blame import blame  # it reads what is known about Claude, which no other check needs

        seen = checks, tuple(states.values())
        if seen != self._seen:
            self._all = {
                check.name: self._witness(check, states[check.name]) for check in checks if check.name in states
            }
            self._known = {name: known for name, known in self._known.items() if name in states}
            self._seen = seen
        own = self._all.get(name)
        return None if own is None else blame(own, (other for other in self._all.values() if other is not own))

    def _witness(self, check: Check, state: CheckState) -> "Witness":
        from sidecar.alerts.blame import Witness

        known = self._known.get(check.name)
        if known is not None and known[0] is check and known[1].state is state:
            return known[1]
        target = check.target
        host = urlsplit(target if "://" in target else f"//{target}").hostname or target
        model, api = getattr(check, "model", ""), host == _API_HOST
        witness = Witness(check.name, check.type, state, host, model, api, check.is_local, check.negative)
        self._known[check.name] = (check, witness)
        return witness


def _is_about_failures(rule: Alerting | None) -> bool:
    """Whether *rule* judges failures of a check: one over its certificate's days does not."""
    return rule is not None and any(_FAILURES.intersection(query.reads or ()) for query in rule.subject)
