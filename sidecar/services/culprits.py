"""Whose fault alerts are, as far as the checks know it together."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sidecar.checks import Check
from sidecar.model.alerts import Alert
from sidecar.model.checks import CheckState
from sidecar.model.notifications import Blame

if TYPE_CHECKING:
    from sidecar.alerts.blame import Witness

_API_HOST: Final = "api.anthropic.com"


class Culprits:
    """Remembers what it knows of each check: in a storm every check is a witness for every alert."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Check, Witness]] = {}

    def of(self, alert: Alert, checks: Iterable[Check], states: Mapping[str, CheckState]) -> Blame | None:
        """Whose fault it is that the check is down of which *alert* tells; None when *checks* do not know it."""
        name = alert.labels.text("check")
        if not alert.firing or name not in states:
            return None  # what its check finds after the end is of another story
        from sidecar.alerts.blame import blame  # it reads what is known about Claude, which no other check needs

        witnesses = {check.name: self._witness(check, states[check.name]) for check in checks if check.name in states}
        own = witnesses.pop(name, None)
        if len(self._known) > len(states):
            self._known = {name: known for name, known in self._known.items() if name in states}
        return None if own is None else blame(own, witnesses.values())

    def _witness(self, check: Check, state: CheckState) -> "Witness":
        from sidecar.alerts.blame import Witness

        known = self._known.get(check.name)
        if known is not None and known[0] is check and known[1].state is state:
            return known[1]
        target = check.target
        host = urlsplit(target if "://" in target else f"//{target}").hostname or target
        model, api = getattr(check, "model", ""), host == _API_HOST
        witness = Witness(check.name, check.type, state, host, model, api, check.is_local)
        self._known[check.name] = (check, witness)
        return witness
