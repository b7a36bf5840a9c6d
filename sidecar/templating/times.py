"""Times and durations, for a person."""

from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sidecar.model import durations

_LAST: Final = 253402300799.0  # 9999-12-31, the last day that has a text


def zone(name: str) -> tzinfo:
    """The time zone *name*; UTC when it is not known, because an alert must not be lost to its clock."""
    try:
        return UTC if name in ("", "UTC") else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def instant(at: float, local: tzinfo = UTC) -> str:
    """`2026-01-05 12:10:00 UTC`, and the *local* time behind it when that differs."""
    try:
        utc = datetime.fromtimestamp(at, UTC)
        there = utc.astimezone(local)
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f} s since 1970"
    text = utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    if local is UTC:
        return text
    shape = "%H:%M:%S %Z" if there.date() == utc.date() else "%Y-%m-%d %H:%M:%S %Z"
    return f"{text} ({there.strftime(shape)})"


def clock(at: float, near: float) -> str:
    """`12:10 UTC`, with the date when *at* is on another day than *near*."""
    try:
        then, other = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(near, UTC)
    except (ValueError, OverflowError, OSError):
        return instant(at)
    return then.strftime("%H:%M UTC" if then.date() == other.date() else "%Y-%m-%d %H:%M UTC")


def rfc3339(at: float) -> str:
    """`2026-01-05T12:10:00.250Z`, as JSON has it."""
    text = datetime.fromtimestamp(min(max(at, 0.0), _LAST), UTC).isoformat(timespec="milliseconds")
    return text.replace(".000+00:00", "Z").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """How long, to two units of at least a second: `4h`, `1h30m`, `35s`, `less than a second`."""
    if seconds < 1:
        return "less than a second"
    for unit, finer in ((86400, 3600), (3600, 60)):
        if round(seconds / finer) * finer >= unit:
            return durations.show(round(seconds / finer) * finer)
    return durations.show(round(seconds))
