"""Times as they are written and read at the edge of the API."""

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from sidecar.model import durations

_EARLIEST: Final = -62_135_596_800.0  # the year 1
_LATEST: Final = 253_402_300_799.0  # the year 9999
_FRACTION: Final = re.compile(r"\.(\d{6})\d+")  # Python reads microseconds


def iso(at: float | None) -> str | None:
    """*at*, seconds since the epoch, as RFC 3339 in UTC, to the millisecond."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_moment(text: Any) -> float:
    """Seconds since the epoch of *text*: a number of seconds, or RFC 3339."""
    if isinstance(text, int | float):
        return float(text)
    try:
        seconds = float(text)
    except ValueError:
        seconds = _rfc3339(text)
    if not math.isfinite(seconds) or not _EARLIEST <= seconds <= _LATEST:
        raise ValueError(f"got {text[:80]!r}, expected a time between the years 1 and 9999")
    return seconds


def _rfc3339(text: str) -> float:
    try:
        if "T" not in text.upper():
            raise ValueError(text)
        found = datetime.fromisoformat(_FRACTION.sub(r".\1", text))
        if found.tzinfo is None:
            raise ValueError(text)
        return found.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(
            f"got {text[:80]!r}, which is no valid timestamp; expected seconds since the epoch, or RFC 3339 "
            "such as 2026-05-01T09:40:00Z"
        ) from None


def read_duration(text: Any) -> float:
    """Seconds of *text*: a number of seconds, or a duration such as 30s."""
    if isinstance(text, int | float):
        return float(text)
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = durations.parse(text)
        except durations.DurationError:
            raise ValueError(
                f"got {text[:80]!r}, which is no valid duration; expected seconds, or text such as 30s or 5m"
            ) from None
    if not math.isfinite(seconds) or abs(seconds) > _LATEST:
        raise ValueError(f"got {text[:80]!r}, expected a duration of less than some thousand years")
    return seconds


Moment = Annotated[
    float,
    BeforeValidator(read_moment),
    WithJsonSchema(
        {"type": "string", "description": "Seconds since the epoch, or RFC 3339.", "examples": ["2026-05-01T09:40:00Z"]}
    ),
]
"""A parameter that reads `1714556400` or `2026-05-01T09:40:00Z` and is seconds since the epoch."""

Span = Annotated[
    float,
    BeforeValidator(read_duration),
    WithJsonSchema({"type": "string", "description": "Seconds, or a duration.", "examples": ["15s", "1h"]}),
]
"""A parameter that reads `15` or `15s` and is seconds."""

Stamp = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in an answer, as RFC 3339."""
