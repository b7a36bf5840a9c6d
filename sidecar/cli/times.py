"""Times as people write them on a command line."""

from datetime import datetime, timedelta

import click

from sidecar.model import durations

_CLOCKS = ("%H:%M", "%H:%M:%S")


class Time(click.ParamType[float]):
    """`09:40` (the last time it was that), `2026-05-01T09:40`, RFC 3339, seconds since the epoch, or `10m` ago."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip()
        try:
            return read(text, datetime.now().astimezone())
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"got {text!r}, expected a time such as 09:40, 2026-05-01T09:40, or 10m for ten minutes ago",
                param,
                ctx,
            )


def read(text: str, now: datetime) -> float:
    """Seconds since the epoch of *text*, read in the zone of *now*; raises ValueError."""
    for form in _CLOCKS:
        try:
            clock = datetime.strptime(text, form).time()  # noqa: DTZ007 -- it gets today's date and zone below
        except ValueError:
            continue
        found = datetime.combine(now.date(), clock, now.tzinfo)
        return (found if found <= now else found - timedelta(days=1)).timestamp()
    try:
        return now.timestamp() - durations.parse(text.removesuffix("ago").removeprefix("-").strip())
    except durations.DurationError:
        pass
    try:
        return float(text)
    except ValueError:
        pass
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=now.tzinfo)).timestamp()


class Span(click.ParamType[float]):
    """A duration such as `1h` or `90s`, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        try:
            seconds = durations.parse(str(value))
        except durations.DurationError as exc:
            self.fail(str(exc), param, ctx)
        if seconds <= 0:
            self.fail(f"got {value!r}, expected a duration of more than nothing", param, ctx)
        return seconds
