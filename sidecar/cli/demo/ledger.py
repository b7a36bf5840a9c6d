"""What happened in the story: who was told what, when, and how long after it broke."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sidecar.cli.demo.reading import Seen


@dataclass(slots=True)
class Incident:
    """One alert, from the message that opened it to the one that closed it."""

    name: str
    severity: str
    check: str
    told_at: float
    after: float | None  # seconds from the beginning of the trouble
    closed_at: float | None = None
    end: str = ""
    channels: set[str] = field(default_factory=set)


class Ledger:
    """Keeps every message and puts together what belongs together."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, Seen]] = []
        self.incidents: list[Incident] = []
        self._open: dict[str, Incident] = {}
        self._trouble: float | None = None
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    def trouble(self, at: float | None) -> None:
        """Something is wrong since *at*; None: nothing is any more."""
        if at is None or self._trouble is None:
            self._trouble = at

    def hear(self, seen: Seen, at: float) -> None:
        """A message arrived at *at*."""
        self.seen.append((at, seen))
        self._settle(seen, at)
        if self._open:
            self._all_closed.clear()
        else:
            self._all_closed.set()

    async def closed(self) -> None:
        """Return when nothing is open."""
        await self._all_closed.wait()

    def _settle(self, seen: Seen, at: float) -> None:
        for alert in seen.alerts:
            fingerprint = str(alert.get("fingerprint"))
            if seen.opens:
                if fingerprint not in self._open:
                    self._open[fingerprint] = self._new(alert, at)
            elif (incident := self._open.pop(fingerprint, None)) is not None:
                incident.closed_at, incident.end = at, str(alert.get("endText") or "over")

    def is_new(self, seen: Seen) -> bool:
        """Whether it is the first of its kind on its channel; on Slack also what opens new trouble."""
        before = [(at, s) for at, s in self.seen if s.opens == seen.opens and s.channel == seen.channel]
        if seen.channel != "slack":
            return seen.opens and not before
        since = self._trouble if seen.opens and self._trouble is not None else 0.0
        return not any(at >= since for at, _ in before)

    @property
    def still_open(self) -> int:
        """How many alerts are not closed."""
        return len(self._open)

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """By channel: messages that opened something, and messages that closed something."""
        found: dict[str, tuple[int, int]] = {}
        for _, seen in self.seen:
            opened, closed = found.get(seen.channel, (0, 0))
            found[seen.channel] = (opened + seen.opens, closed + (not seen.opens))
        return found

    def _new(self, alert: dict[str, Any], at: float) -> Incident:
        labels = alert.get("labels") or {}
        after = None if self._trouble is None else at - self._trouble
        incident = Incident(
            str(labels.get("alertname", "?")), str(labels.get("severity", "")), str(labels.get("check", "")), at, after
        )
        self.incidents.append(incident)
        return incident
