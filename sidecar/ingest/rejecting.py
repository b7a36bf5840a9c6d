"""Why an event is not counted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sidecar.store import Reason

_SHOWN: Final = 60  # characters of what was found


class Rejected(Exception):  # noqa: N818 -- the field's word for an event that is turned down
    """An event that cannot be counted; says what was found and what was expected."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event of a request that was not counted."""

    index: int  # its place in the request, the first is 0
    reason: Reason
    message: str


def shown(value: object) -> str:
    """*value* as a message quotes it: in one line, of bounded length."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if value is None:
        return "null"
    text = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def amount(event: Mapping[str, Any], name: str) -> float | None:
    """The number *name*, at least 0, or None when the event does not say."""
    value = event.get(name)
    if value is None:
        return None
    if type(value) is int or type(value) is float:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf if value > 0 else -math.inf
        if 0 <= number < 1e15:
            return number
        if number < 0:
            raise Rejected(Reason.NEGATIVE, f"got {name} = {shown(value)}, expected a number that is not negative")
    raise Rejected(Reason.VALUE, f"got {name} = {shown(value)}, expected a finite number, 0 or more")


def text(event: Mapping[str, Any], name: str, longest: int = 200) -> str:
    """The text *name*, empty when the event does not say."""
    value = event.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Rejected(Reason.MALFORMED, f"got {name} = {shown(value)}, expected a text")
    if len(value) > longest:
        raise Rejected(Reason.LABELS, f"got {name} of {len(value)} characters, expected at most {longest}")
    return value


MEANING: Final[Mapping[Reason, str]] = {
    Reason.RESERVED: "this metric's name is kept for the daemon; send it under a name of your own",
    Reason.NAME: "a name that the store does not take: empty, too long, or reserved",
    Reason.LABELS: "too many labels, or a label's value that is too long",
    Reason.LIMIT: "the limit of series is reached, for this metric or for all events: send fewer label values",
    Reason.OWNED: "another source has this very series: send it under other labels, or name each sender",
    Reason.KIND: "this metric is known with another kind or other buckets, or its name is part of another metric's",
    Reason.VALUE: "no number that this kind of metric can hold",
    Reason.NEGATIVE: "a counter never shrinks, and an observation is never negative",
    Reason.TIME: "the time cannot be told",
}
"""What a refusal of the store means to whoever sent the event."""
