"""What is told of a check's past: its last outcomes, and how long it was up."""

from pydantic import Field

from sidecar.api.endpoint import Part
from sidecar.api.moments import Stamp, iso
from sidecar.model.checks import Verdict
from sidecar.model.history import CheckHistory


class Outcome(Part):
    """One probe in short."""

    at: Stamp = Field(description="When the probe ended.")
    outcome: Verdict = Field(description="What it came to.")
    seconds: float = Field(description="How long it took.")


class Uptime(Part):
    """How long a check was up in a window. While it is unknown or not watched, it counts as neither up nor down."""

    ratio: float | None = Field(description="The share of the seconds seen in which it was up; null if there are none.")
    seen: float = Field(description="Seconds of the window in which its state was known.")
    down: float = Field(description="Seconds of the window in which it was down.")


class Latency(Part):
    """How long the successful ones of the last probes took, in seconds."""

    least: float = Field(description="The shortest, in seconds.")
    median: float = Field(description="The median, in seconds.")
    most: float = Field(description="The longest, in seconds.")
    count: int = Field(description="How many there were.")


def outcomes(history: CheckHistory, most: int) -> list[Outcome]:
    """The last probes, *most* of them if there are so many, the oldest first."""
    return [
        Outcome(at=iso(at) or "", outcome=verdict, seconds=round(seconds, 6))
        for at, seconds, verdict in history.recent(most)
    ]


def uptimes(history: CheckHistory, now: float) -> dict[str, Uptime]:
    """How long the check was up, by the window's name."""
    return {
        name: Uptime(ratio=found.ratio, seen=round(found.seen, 3), down=round(found.down, 3))
        for name, found in history.uptimes(now).items()
    }


def latency(history: CheckHistory) -> Latency | None:
    """How long successful probes took; None if none succeeded."""
    took = history.latency()
    if took is None:
        return None
    return Latency(least=round(took.least, 6), median=round(took.median, 6), most=round(took.most, 6), count=took.count)
