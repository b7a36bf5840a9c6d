"""What is remembered of a check beyond its state."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from sidecar.model.checks import CheckState, CheckStatus, ProbeResult, Verdict
from sidecar.model.outcomes import Outcome, Outcomes
from sidecar.model.uptime import KEPT, WINDOWS, Spans, Uptime


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the successful ones of the recent probes took, in seconds."""

    least: float
    median: float
    most: float
    count: int


@dataclass(slots=True)
class CheckHistory:
    """A check's recent outcomes, and how long it was up and down. All times are seconds since the epoch.

    A check counts as up, or as down, from the probe that made it so to the one that made it something else; while it is
    unknown, outside of its hours, cut off or not watched, it counts as neither. What a probe said holds for a while
    only: a daemon that stood still cannot say what it did not see, even if it never noticed.
    """

    outcomes: Outcomes = field(default_factory=Outcomes)
    spans: Spans = field(default_factory=Spans)
    status: CheckStatus = CheckStatus.UNKNOWN
    since: float = 0.0  # from when that status is not in the spans yet
    until: float = math.inf  # until when it holds, if nothing more is heard

    @property
    def is_seen(self) -> bool:
        """Whether it counts as up or down now."""
        return self.status is not CheckStatus.UNKNOWN

    def learn(self, state: CheckState, result: ProbeResult | None, now: float, holds: float = math.inf) -> None:
        """The check is in *state* now, by *result* if there was one, which says something for *holds* seconds."""
        at = now if result is None else min(now, result.at)
        if at > self.until:
            self.settle(at)
        self.become(state.status, at)
        if result is not None:
            self.outcomes.add(result)
            self.until = at + holds

    def become(self, status: CheckStatus, at: float) -> None:
        """From *at* on the check has that status."""
        if status is not self.status:
            self.settle(at)
            self.status, self.since = status, max(at, self.since)

    def step(self, seconds: float, now: float) -> None:
        """The clock jumped by *seconds* to *now*: forward, nobody looked; back, what was seen moves along."""
        self.settle(now - seconds)
        self.since = now
        self.until += seconds
        if seconds < 0:
            self.spans.shift(seconds)
            self.outcomes.shift(seconds)

    def settle(self, now: float) -> None:
        """Put into the spans what is known by *now*."""
        if self.is_seen:
            self.spans.add(self.since, min(now, self.until), up=self.status is CheckStatus.UP)
            self.since = max(now, self.since)

    def uptime(self, window: float, now: float) -> Uptime:
        """How long it was up and down in the last *window* seconds."""
        found = self.spans.within(now - window, now)
        if not self.is_seen:
            return found
        running = max(0.0, min(now, self.until) - max(self.since, now - window))
        return found + (Uptime(up=running) if self.status is CheckStatus.UP else Uptime(down=running))

    def uptimes(self, now: float) -> Mapping[str, Uptime]:
        """How long it was up and down, by the window's name."""
        return {name: self.uptime(seconds, now) for name, seconds in WINDOWS.items()}

    def recent(self, most: int) -> list[Outcome]:
        """The last outcomes, *most* of them if there are so many, the oldest first."""
        return list(islice(self.outcomes, max(0, len(self.outcomes) - most), None))

    def latency(self) -> Latency | None:
        """How long successful probes took lately; None when none succeeded."""
        took = sorted(outcome.seconds for outcome in self.outcomes if outcome.verdict is Verdict.SUCCESS)
        if not took:
            return None
        middle = (took[(len(took) - 1) // 2] + took[len(took) // 2]) / 2
        return Latency(took[0], middle, took[-1], len(took))

    def ends(self) -> float:
        """When something was seen last."""
        return self.since if self.is_seen else self.spans.until or 0.0

    def is_forgotten(self, now: float) -> bool:
        """Whether all of it is too old to be told."""
        return not self.is_seen and now - self.ends() > KEPT
