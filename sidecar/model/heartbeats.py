"""What a job says of itself by calling in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """The calls so far; times in seconds since the epoch, None: never."""

    since: float = 0.0  # when we began to listen: the daemon's start, or the check's
    started: float | None = None
    succeeded: float | None = None
    failed: float | None = None
    message: str = ""  # what the last failure said
