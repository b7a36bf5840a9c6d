"""The first minute: nobody is paged before the daemon has looked around."""

from typing import Final

from sidecar.alerts.facts import NOT_MUTED, Mute, Mutes

COLD_AFTER: Final = 600.0
"""Seconds without a daemon after which its start is a cold one."""
LONGEST: Final = 60.0
"""Seconds after a start from which on openings are held no more, whatever is still unknown."""

_MUTED: Final = frozenset({Mute.STARTING})


def is_cold(saved_at: float | None, now: float) -> bool:
    """Whether a start at *now* knows nothing recent; *saved_at* is when state was saved last, None for never."""
    return saved_at is None or now - saved_at > COLD_AFTER


def starting(began_at: float, now: float, *, cold: bool, settled: bool, evaluated: bool) -> Mutes:
    """The mute of openings after a start at *began_at*.

    *settled*: every check has a state or had its time to get one, and every group was evaluated once after that; a
    cold start waits for it. *evaluated*: the alert's own rule was evaluated once; a quick restart waits for no more.
    """
    ready = settled if cold else evaluated
    if ready or now >= began_at + LONGEST:
        return NOT_MUTED
    return Mutes(_MUTED, until=began_at + LONGEST)
