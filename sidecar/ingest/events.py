"""Events: what happened, once, as a gateway tells it."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Final

from sidecar.ingest.effects import Effects
from sidecar.ingest.rejecting import Rejected, Rejection, shown
from sidecar.ingest.requests import Requests
from sidecar.ingest.samples import KINDS, Samples
from sidecar.store import Reason

SKEW: Final = 300.0
"""Seconds by which an event's time may differ from ours."""
REMEMBERED: Final = 600.0
"""Seconds for which an event's id is remembered."""
_IDS: Final = 100_000  # remembered at most: about 10 MB
_LONGEST_ID: Final = 200


class Decoder:
    """Turns events into changes of the store.

    What an event says beyond what is known here is left alone: senders may be newer than we are. *recorded*: names
    that rules write, which nobody may send.
    """

    def __init__(self, recorded: Callable[[], Collection[str]] = tuple) -> None:
        self._requests = Requests()
        self._samples = Samples(recorded)
        self._ids: dict[int, float] = {}  # oldest first

    def decode(self, events: Iterable[object], first: int, now: float, sender: str = "") -> Effects:
        """What *events* come to, the first of which has the place *first* in its request."""
        found = Effects()
        self._forget(now)
        for index, event in enumerate(events, first):
            try:
                self._take(event, index, now, sender, found)
            except Rejected as exc:
                found.rejected.append(Rejection(index, exc.reason, str(exc)))
        self._requests.finish(found)
        return found

    def replaced(self) -> None:
        """The names that rules write have changed."""
        self._samples.forget()

    def _take(self, event: object, index: int, now: float, sender: str, into: Effects) -> None:
        if isinstance(event, Rejected):
            raise event
        if not isinstance(event, dict):
            raise Rejected(Reason.MALFORMED, f"got {shown(event)}, expected a JSON object with a type")
        if "timestamp" in event:
            _check_time(event["timestamp"], now)
        mark = None if event.get("id") is None else _mark(event["id"])
        if mark in self._ids:
            into.duplicates += 1
            return
        match event.get("type"):
            case "request":
                self._requests.take(event, index, sender, into)
            case str(kind) if kind in KINDS:
                self._samples.take(event, index, sender, into)
            case "circuit_breaker":
                self._samples.breaker(event, index, sender, into)
            case other:
                raise Rejected(
                    Reason.MALFORMED,
                    f"got type = {shown(other)}, expected request, {', '.join(KINDS)} or circuit_breaker",
                )
        if mark is not None:
            self._ids[mark] = now

    def _forget(self, now: float) -> None:
        """Lose ids that are too old, or too many."""
        while self._ids:
            oldest = next(iter(self._ids))
            if len(self._ids) <= _IDS and 0 <= now - self._ids[oldest] <= REMEMBERED:
                return
            del self._ids[oldest]


def _mark(raw: object) -> int:
    """Stands for an id: eight bytes instead of a text."""
    if isinstance(raw, str | int) and not isinstance(raw, bool) and 0 < len(str(raw)) <= _LONGEST_ID:
        return hash(str(raw))
    raise Rejected(Reason.MALFORMED, f"got id = {shown(raw)}, expected a text of 1 to {_LONGEST_ID} characters")


def _check_time(raw: object, now: float) -> None:
    if raw is None:
        return
    at = _time(raw)
    if at is None:
        raise Rejected(
            Reason.TIME, f"got timestamp = {shown(raw)}, expected seconds since 1970, or text as in RFC 3339"
        )
    if abs(at - now) > SKEW:
        off = f"{abs(at - now):.0f} s {'ahead' if at > now else 'behind'}"
        hint = "; is it in milliseconds?" if abs(at / 1000 - now) <= 86400 else ""
        raise Rejected(Reason.TIME, f"the timestamp is {off}, expected at most {SKEW:.0f} s{hint}")


def _time(raw: object) -> float | None:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return float(raw) if abs(raw) < 1e17 else None
    if not isinstance(raw, str):
        return None
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        return None
    # A time without its zone could be anybody's.
    return at.timestamp() if at.tzinfo is not None else None


def is_sender(name: str) -> bool:
    """Whether a sender may call itself so."""
    return len(name) <= 60 and name.isascii() and all(letter.isalnum() or letter in "._:/-" for letter in name)
