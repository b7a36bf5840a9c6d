"""When something happens, by the calendar of a place: cron expressions and hours of the week."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK: Final = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))", re.ASCII)
_AHEAD: Final = 15
"""Days within which hours open or close, also when the clocks' change swallows one opening of a week."""
_STEP: Final = timedelta(minutes=15)
"""Clocks change on a multiple of it."""


# Zones


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"got {name!r}, expected a time zone such as 'Europe/Berlin' or 'UTC'") from exc
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
"""The name of a time zone."""


def zone(name: str) -> tzinfo:
    """The zone of that name, which was checked before; its times change as that place changes its clocks."""
    return UTC if name in ("", "UTC") else ZoneInfo(name)


# Cron


def next_run(expression: str, after: float, place: tzinfo) -> float:
    """The first time after *after* at which *expression* is due in *place*, in seconds since the epoch.

    The clocks' changes are met as Debian's cron does: a time that is skipped comes with the next that exists, and one
    that comes twice counts once; what runs by minutes or hours goes on evenly.
    """
    runs = _runs(expression, after, place)
    # In an hour that comes twice, cronsim begins with the first of the two.
    return next(run for run in runs if run > after)


def previous_run(expression: str, before: float, place: tzinfo) -> float:
    """The last time before *before* at which *expression* was due in *place*."""
    return next(run for run in _runs(expression, before, place, back=True) if run < before)


def _runs(expression: str, start: float, place: tzinfo, *, back: bool = False) -> Iterator[float]:
    from cronsim import CronSim  # most daemons have no such schedule

    begin = datetime.fromtimestamp(start, place)
    return (run.timestamp() for run in CronSim(_NAMED.get(expression, expression), begin, reverse=back))


def _cron(expression: str) -> str:
    from cronsim import CronSimError

    text = " ".join(expression.split()).lower()
    try:
        next_run(text, 0.0, UTC)
    except CronSimError as exc:
        what = str(exc).removeprefix("Bad ")
        wrong = "the number of its fields" if what.startswith("Wrong") else f"its {what}"
        raise ValueError(
            f"got {expression!r}, which is wrong in {wrong}; expected minute, hour, day, month and weekday, such as "
            "'*/5 * * * *' or '0 3 * * mon-fri'"
        ) from exc
    except (StopIteration, OverflowError) as exc:
        raise ValueError(f"got {expression!r}, which never comes; expected a time such as '0 3 * * *'") from exc
    return text


Cron = Annotated[str, AfterValidator(_cron)]
"""A cron expression of five fields, or six with seconds in front, or a name such as @hourly."""


# Hours


def _weekday(text: str) -> int:
    name = text.strip().lower()
    for names in (_DAYS, _FULL_DAYS):
        if name in names:
            return names.index(name)
    raise ValueError(f"got {text!r}, expected a day such as mon, or several such as mon-fri")


def _weekdays(value: Any) -> Any:
    """`mon-fri`, `sat` or a list of such, as the names of days."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        return value
    days: set[int] = set()
    for item in items:
        first, dash, last = str(item).partition("-")
        begin = _weekday(first)
        end = _weekday(last) if dash else begin
        days |= {(begin + n) % 7 for n in range((end - begin) % 7 + 1)}
    return tuple(_DAYS[day] for day in sorted(days))


def _clock(value: Any) -> Any:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError(f"got {value!r}, expected a time of day in quotes, such as '08:00' or '24:00'")
    return value


class Window(BaseModel):
    """Hours of some days of the week. One that ends before it begins ends on the next day."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    days: Annotated[tuple[str, ...], BeforeValidator(_weekdays)] = Field(
        _DAYS, description="Days on which it begins: mon, tue … or ranges such as mon-fri.", min_length=1
    )
    from_: Annotated[str, BeforeValidator(_clock)] = Field(
        "00:00", alias="from", description="The time of day at which it begins."
    )
    to: Annotated[str, BeforeValidator(_clock)] = Field("24:00", description="The time of day at which it ends.")

    @model_validator(mode="after")
    def _lasts(self) -> "Window":
        if self.from_ in (self.to, "24:00"):
            raise ValueError(
                f"begins at {self.from_} and ends at {self.to}, expected two times; '00:00' to '24:00' is the whole day"
            )
        return self

    @property
    def span(self) -> tuple[time, time | None]:
        """Its beginning and its end; None: the day's end."""
        return time.fromisoformat(self.from_), None if self.to == "24:00" else time.fromisoformat(self.to)

    def covers(self, local: datetime) -> bool:
        """Whether it is open at the wall time *local*."""
        begin, end = self.span
        today = _DAYS[local.weekday()] in self.days
        now = local.time()
        if end is None or begin < end:
            return today and begin <= now and (end is None or now < end)
        yesterday = _DAYS[local.weekday() - 1] in self.days
        return (today and now >= begin) or (yesterday and now < end)


Hours = Annotated[tuple[Window, ...], BeforeValidator(lambda value: [value] if isinstance(value, dict) else value)]
"""Windows of the week, any of which may be open; none is always."""


def is_open(hours: tuple[Window, ...], at: float, place: tzinfo) -> bool:
    """Whether *at* is within *hours* on the clocks of *place*; without hours it always is."""
    local = datetime.fromtimestamp(at, place)
    return not hours or any(window.covers(local) for window in hours)


def next_change(hours: tuple[Window, ...], after: float, place: tzinfo) -> float | None:
    """The first time after *after* at which *hours* open or close in *place*; None when they never do."""
    if not hours:
        return None
    now, today = is_open(hours, after, place), datetime.fromtimestamp(after, place).date()
    for n in range(_AHEAD):
        for at in sorted(set(_moments(hours, today + timedelta(days=n), place))):
            if at > after and is_open(hours, at, place) is not now:
                return at
    return None


def _moments(hours: tuple[Window, ...], day: date, place: tzinfo) -> Iterator[float]:
    """When the hours may change on that day: at their ends, and when the clocks do."""
    midnight = datetime.combine(day, time(), place)
    after = midnight + timedelta(days=1)
    yield midnight.timestamp()
    for window in hours:
        for end in window.span:
            if end is not None:
                first = datetime.combine(day, end, place)
                yield from (first.timestamp(), first.replace(fold=1).timestamp())
    if midnight.utcoffset() != after.utcoffset():
        quarters = round((after.timestamp() - midnight.timestamp()) / _STEP.total_seconds())
        yield from (midnight.timestamp() + n * _STEP.total_seconds() for n in range(quarters + 1))
