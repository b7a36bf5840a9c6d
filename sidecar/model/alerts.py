"""Alerts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sidecar.model.labels import EMPTY, Labels

_RANKS: Final = {"critical": 0, "page": 0, "error": 1, "warning": 2, "info": 3}


def severity_rank(severity: str) -> int:
    """0 for the worst; 4 for a word that nobody agreed on."""
    return _RANKS.get(severity.lower(), 4)


class AlertState(StrEnum):
    """Prometheus' states; an inactive alert is one that is not there."""

    PENDING = "pending"
    FIRING = "firing"
    ENDED = "ended"  # was firing; kept for a while, so that what is owed can be told


class EndReason(StrEnum):
    RECOVERED = "recovered"
    NO_DATA = "no_data"
    REMOVED = "removed"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class RuleKey:
    """Which rule: its group and its name."""

    group: str
    name: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one rule; its labels are its identity. Times are seconds since the epoch."""

    rule: RuleKey
    labels: Labels  # final, with alertname; no __name__
    state: AlertState
    active_at: float  # the condition turned true: "failing since"
    value: float
    annotations: Labels = EMPTY
    fired_at: float | None = None
    ended_at: float | None = None
    end_reason: EndReason | None = None
    keep_firing_since: float | None = None
    peak: float | None = None  # the worst value while active, on the side that the rule's comparison calls worse
    condition: str = ""  # the comparison in words of the rule: "> 0.05"
    samples: float | None = None  # how many observations stand behind the value
    quantile: float | None = None  # which percentile the value is: 0.95
    note: str = ""  # why the state is what it is, when that needs saying: "settling"
    replaced_by: str = ""  # the alert that took its place: its fingerprint, or its name where another rule took over

    @property
    def name(self) -> str:
        return self.labels.text("alertname")

    @property
    def severity(self) -> str:
        return self.labels.text("severity")

    @property
    def fingerprint(self) -> str:
        return self.labels.fingerprint()

    @property
    def firing(self) -> bool:
        return self.state is AlertState.FIRING
