"""Samples under the sender's own names."""

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any, Final

from sidecar.ingest import names
from sidecar.ingest.effects import Effect, Effects
from sidecar.ingest.rejecting import Rejected, amount, shown, text
from sidecar.ingest.requests import SOURCE
from sidecar.model.families import CLAUDE_BREAKER, DURATIONS
from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Kind, Update
from sidecar.store import Reason

KINDS: Final = {"counter": Kind.COUNTER, "gauge": Kind.GAUGE, "histogram": Kind.HISTOGRAM}
_FAMILIES: Final = 2000
_BUCKETS: Final = 40
_QUANTITIES: Final = tuple(float(4**n) for n in range(14))
"""Upper bounds for tokens, bytes and whatever else is no time."""
_STATES: Final = {"closed": 0.0, "half_open": 0.5, "half-open": 0.5, "open": 1.0}


class Samples:
    """Reads events of the types counter, gauge, histogram and circuit_breaker."""

    def __init__(self, recorded: Callable[[], Collection[str]] = tuple) -> None:
        self._recorded = recorded
        self._families: dict[str, Family] = {}

    def forget(self) -> None:
        """Names may mean something else from now on."""
        self._families.clear()

    def take(self, event: Mapping[str, Any], index: int, sender: str, into: Effects) -> None:
        """Take in one event; raises Rejected."""
        kind = KINDS[event["type"]]
        family = self._family(event, kind)
        ours = family.name in names.REPORTED
        labels = names.labels(event.get("labels"), taken=("source",) if ours else ())
        if ours:
            labels = labels.with_(source=SOURCE)
        value = _value(event, kind)
        if kind is Kind.GAUGE:
            into.measured.append(Effect(Update(family, value, _sent(labels, sender)), (index,)))
        else:
            into.counted.append(Effect(Update(family, value, labels), (index,)))

    @staticmethod
    def breaker(event: Mapping[str, Any], index: int, sender: str, into: Effects) -> None:
        """Take in the state of a circuit breaker; raises Rejected."""
        name, state = text(event, "name"), text(event, "state")
        if not name:
            raise Rejected(Reason.MALFORMED, f"got name = {shown(event.get('name'))}, expected the circuit breaker's")
        if state not in _STATES:
            expected = ", ".join(_STATES)
            raise Rejected(Reason.VALUE, f"got state = {shown(event.get('state'))}, expected one of {expected}")
        labels = names.labels(event.get("labels"), taken=("name", "source")).with_(name=name, source=SOURCE)
        into.measured.append(Effect(Update(CLAUDE_BREAKER, _STATES[state], _sent(labels, sender)), (index,)))

    def _family(self, event: Mapping[str, Any], kind: Kind) -> Family:
        name = event.get("name")
        known = self._families.get(name) if isinstance(name, str) else None
        if known is None:
            name = names.metric(name, self._recorded())
            known = names.kind_of_reported(name, kind) or _new(name, kind, event)
            if len(self._families) >= _FAMILIES:
                raise Rejected(Reason.LIMIT, f"more than {_FAMILIES} names of metrics were sent: use fewer")
            self._families[name] = known
        elif known.kind is not kind:
            raise Rejected(Reason.KIND, f"got {known.name!r} as a {kind}, but it was a {known.kind} before")
        if kind is Kind.HISTOGRAM and event.get("buckets") is not None:
            asked = _bounds(event["buckets"])
            if asked != known.buckets:
                raise Rejected(Reason.KIND, f"got other buckets for {known.name!r} than before: they cannot change")
        return known


def _sent(labels: Labels, sender: str) -> Labels:
    """The labels of a gauge: each sender has its own."""
    return labels.with_(sender=sender) if sender else labels


def _new(name: str, kind: Kind, event: Mapping[str, Any]) -> Family:
    said = text(event, "help", 1000) or "Sent as events."
    if kind is not Kind.HISTOGRAM:
        return Family(name, kind, said)
    given = event.get("buckets")
    usual = DURATIONS if name.endswith("_seconds") else _QUANTITIES
    return Family(name, kind, said, usual if given is None else _bounds(given), percentiles=True)


def _bounds(raw: Any) -> tuple[float, ...]:
    numbers = isinstance(raw, list) and all(type(bound) in (int, float) and abs(bound) < 1e300 for bound in raw)
    if not numbers or not 0 < len(raw) <= _BUCKETS:
        raise Rejected(Reason.VALUE, f"got buckets = {shown(raw)}, expected a list of 1 to {_BUCKETS} upper bounds")
    bounds = tuple(float(bound) for bound in raw)
    if any(low >= high for low, high in pairwise(bounds)):
        raise Rejected(Reason.VALUE, "got buckets that do not grow, expected upper bounds in ascending order")
    return bounds


def _value(event: Mapping[str, Any], kind: Kind) -> float:
    if kind is not Kind.GAUGE:
        value = amount(event, "value")
        if value is None and kind is Kind.COUNTER:
            return 1.0
    else:
        raw = event.get("value")
        value = raw if isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) < 1e300 else None
        if raw is not None and value is None:
            raise Rejected(Reason.VALUE, f"got value = {shown(raw)}, expected a finite number")
    if value is None:
        raise Rejected(Reason.MALFORMED, "got no value, expected a number")
    return float(value)
