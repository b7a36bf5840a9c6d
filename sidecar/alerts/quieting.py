"""What people said about alerts: silences and acknowledgements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sidecar.alerts.facts import NOT_MUTED, Mute, Mutes
from sidecar.model.alerts import Alert
from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher

KEPT: Final = 5 * 86400.0
"""Seconds for which a silence is shown after its end, as Alertmanager keeps them."""
_REMEMBERED: Final = 2000  # alerts
_SAME: Final = 2.0
"""Seconds within which two beginnings are the same one: a clock is compared with the wall once in a turn."""
_STEPS: Final = 4
"""Of how many beginnings an acknowledgement knows, the last ones."""
_SILENCED: Final = frozenset({Mute.SILENCE})


class SilenceState(StrEnum):
    """Alertmanager's words."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that satisfy all *matchers* open nothing and repeat nothing meanwhile; what is owed is told all the same.

    Times are seconds since the epoch.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str

    def state(self, now: float) -> SilenceState:
        """Whether it is yet to begin, holds, or is over."""
        if now >= self.ends_at:
            return SilenceState.EXPIRED
        return SilenceState.ACTIVE if now >= self.starts_at else SilenceState.PENDING

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with *labels* is meant."""
        return all(matcher.matches(labels) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody has seen an alert and works on it: no reminders until it ends."""

    fingerprint: str
    at: float  # seconds since the epoch
    by: str
    comment: str = ""
    since: tuple[float, ...] = ()  # when the alert began to fire; more than one time after a step of the clock

    def covers(self, alert: Alert) -> bool:
        """Whether it is about *alert* as it fires now, and not about another time that it did."""
        began = began_at(alert)
        return alert.firing and any(abs(began - since) < _SAME for since in self.since)

    def moved(self, seconds: float) -> "Ack":
        """The same after a step of the clock; its alert moves with a later turn, and began when it did until then."""
        later = (last + seconds for last in self.since[-1:])
        return replace(self, at=self.at + seconds, since=(*self.since, *later)[-_STEPS:])


def began_at(alert: Alert) -> float:
    """When *alert* began to fire."""
    return alert.active_at if alert.fired_at is None else alert.fired_at


class Quieting:
    """Silences by id, acknowledgements by fingerprint; saved by whoever owns the database."""

    def __init__(self, silences: Iterable[Silence] = (), acks: Iterable[Ack] = ()) -> None:
        self._silences = {silence.id: silence for silence in silences}
        self._acks = {ack.fingerprint: ack for ack in acks}
        self._fitting: dict[Labels, list[Silence]] = {}  # whenever they hold; to match all for each decision costs

    @property
    def silences(self) -> Sequence[Silence]:
        """All that are remembered, the one that ends last first."""
        return sorted(self._silences.values(), key=lambda silence: (-silence.ends_at, silence.id))

    @property
    def acks(self) -> Sequence[Ack]:
        """All that are remembered."""
        return tuple(self._acks.values())

    def silence(self, id_: str) -> Silence | None:
        """The silence of that id."""
        return self._silences.get(id_)

    def ack(self, fingerprint: str) -> Ack | None:
        """What somebody said of that alert."""
        return self._acks.get(fingerprint)

    def put(self, silence: Silence) -> None:
        """Take in a new silence, or an old one that has changed."""
        self._silences[silence.id] = silence
        self._fitting.clear()

    def acknowledge(self, ack: Ack) -> None:
        """Take in an acknowledgement."""
        self._acks[ack.fingerprint] = ack

    def withdraw(self, fingerprint: str) -> None:
        """Forget the acknowledgement of that alert."""
        self._acks.pop(fingerprint, None)

    def mutes(self, alert: Alert, _channel: str, now: float) -> Mutes:
        """A `MutesOf`: asked anew when the first of the silences ends."""
        if alert.labels not in self._fitting:
            if len(self._fitting) >= _REMEMBERED:
                self._fitting.clear()
            self._fitting[alert.labels] = [one for one in self._silences.values() if one.matches(alert.labels)]
        ends = [one.ends_at for one in self._fitting[alert.labels] if one.state(now) is SilenceState.ACTIVE]
        return Mutes(_SILENCED, min(ends)) if ends else NOT_MUTED

    def acked(self, alert: Alert) -> bool:
        """Whether somebody has seen *alert* and works on it."""
        ack = self._acks.get(alert.fingerprint)
        return ack is not None and ack.covers(alert)

    def step(self, seconds: float) -> None:
        """The clock was set back by *seconds*, a negative number: what was acknowledged stays so."""
        self._acks = {key: ack.moved(seconds) for key, ack in self._acks.items()}

    def outdated(self, alerts: Mapping[str, Alert], now: float) -> tuple[list[str], list[str]]:
        """Ids of silences and fingerprints of acknowledgements that say nothing any more."""
        silences = [id_ for id_, silence in self._silences.items() if now > silence.ends_at + KEPT]
        acks = [key for key, ack in self._acks.items() if key not in alerts or not ack.covers(alerts[key])]
        return silences, acks

    def forget(self, silences: Iterable[str], acks: Iterable[str]) -> None:
        """Lose these."""
        for id_ in silences:
            self._silences.pop(id_, None)
            self._fitting.clear()
        for fingerprint in acks:
            self._acks.pop(fingerprint, None)
