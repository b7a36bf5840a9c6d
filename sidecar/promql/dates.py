"""The calendar of UTC, for any time that a float can say."""

from collections.abc import Callable
from typing import Final

_DAY: Final = 86_400
_FURTHEST: Final = -(1 << 63)  # stands for what is no time


def _seconds(value: float) -> int:
    return int(value) if abs(value) < 1 << 63 else _FURTHEST


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of month, *days* after 1970-01-01, in the Gregorian calendar."""
    # Howard Hinnant's days_from_civil, inverted: years begin in March, eras have 400 years.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def _days(value: float) -> int:
    return _seconds(value) // _DAY


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _day_of_year(value: float) -> float:
    year, month, day = civil(_days(value))
    return float(day + (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)[month - 1] + (month > 2 and _leap(year)))


def _days_in_month(value: float) -> float:
    year, month, _ = civil(_days(value))
    return float((31, 29 if _leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1])


FUNCTIONS: Final[dict[str, Callable[[float], float]]] = {
    "year": lambda value: float(civil(_days(value))[0]),
    "month": lambda value: float(civil(_days(value))[1]),
    "day_of_month": lambda value: float(civil(_days(value))[2]),
    "day_of_week": lambda value: float((_days(value) + 4) % 7),
    "day_of_year": _day_of_year,
    "days_in_month": _days_in_month,
    "hour": lambda value: float(_seconds(value) // 3600 % 24),
    "minute": lambda value: float(_seconds(value) // 60 % 60),
}
