"""How long to wait before trying again."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

BASE: Final = 1.0
CAP: Final = 300.0
LONGEST_ASKED: Final = 3600.0
"""What another end may ask for at most, in seconds: a message that waits for a day is none."""
_LONGEST_WAIT: Final = 86400.0  # a message that may not be sent for a day is dead by then


def exponential(failures: int, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds after so many failures in a row without jitter: *base*, doubling up to *cap*."""
    if failures < 1:
        return 0.0
    # The power is bounded before it is computed: a float has no room for 2 ** 1100.
    return min(cap, base * 2.0 ** min(failures - 1, 64))


def full_jitter(failures: int, chance: float, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait after so many failures in a row; *chance* is a random number in [0, 1).

    Anything between *base* and the exponential, so that those who failed together do not come back together.
    """
    most = exponential(failures, base=base, cap=cap)
    least = min(base, most)
    return least + (most - least) * chance


def asked(delay: float, retry_after: float | None, chance: float, *, longest: float = LONGEST_ASKED) -> float:
    """*delay*, or what the other end asked for in its place; never before that, and up to a tenth later.

    Everybody who was turned away at once was told the same, hence the tenth, of ten seconds at most.
    """
    if retry_after is None:
        return delay
    wanted = min(max(0.0, retry_after), longest)
    return wanted + min(wanted * 0.1, 10.0) * chance


def retry_after(text: str, now: float) -> float | None:
    """Seconds from *now* that a Retry-After header asks for: seconds or an HTTP date; None when it says neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = when.replace(tzinfo=when.tzinfo or UTC).timestamp()
    return min(max(0.0, at - now), _LONGEST_WAIT)
