"""When an answer asks to be tried again."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST: Final = 86400.0
"""What is asked beyond a day is taken as a day, in seconds."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the answer with *headers* (names in lower case) asks to wait; None when it does not say.

    A date counts from the answer's own `date`, since clocks differ.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")[:40]) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return min(seconds, LONGEST)
    until, now = _moment(headers.get("retry-after", "")), _moment(headers.get("date", ""))
    return None if until is None or now is None else min(max(0.0, until - now), LONGEST)


def _moment(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, IndexError):
        return None
