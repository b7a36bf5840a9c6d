"""Durations: seconds inside, Prometheus' text at the edge."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from sidecar.model.errors import SidecarError

_UNITS = {"y": 365 * 86400.0, "w": 7 * 86400.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST = 100 * _UNITS["y"]  # calendars end; what is meant to be never is 0 or left out
_PATTERN = re.compile("".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in _UNITS))


class DurationError(SidecarError, ValueError):
    """A text that is no duration."""


def parse(text: str) -> float:
    """Seconds of *text*, written as Prometheus does: `90s`, `1h30m`, `250ms`, `0`."""
    if text == "0":
        return 0.0
    found = _PATTERN.fullmatch(text)
    if not text or found is None:
        raise DurationError(f"got {text!r}, expected a duration such as '30s', '5m' or '1h30m'")
    return sum(int(n) * unit for n, unit in zip(found.groups(), _UNITS.values(), strict=True) if n)


def show(seconds: float) -> str:
    """*seconds* as Prometheus writes a duration, to the millisecond: `1h30m`, `0s`."""
    milliseconds = round(abs(seconds) * 1000)
    sign = "-" if seconds < 0 and milliseconds else ""
    if not milliseconds:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, milliseconds = divmod(milliseconds, round(_UNITS[unit] * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts)


def _validate(value: Any) -> float:
    seconds = _seconds(value)
    if seconds > _LONGEST:
        raise DurationError(f"got {value!r}, expected at most 100y")
    return seconds


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == 0:
        return 0.0
    if isinstance(value, float):
        return value  # already seconds: a default, or a value that has been through here
    raise DurationError(f"got {value!r}, expected a duration with its unit, such as '30s' or '5m'")


Duration = Annotated[
    float,
    BeforeValidator(_validate),
    PlainSerializer(show, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30s", "5m", "1h30m"]}),
]
"""A field that reads `5m` and is `300.0`."""
