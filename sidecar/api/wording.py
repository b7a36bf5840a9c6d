"""What happened to an alert and what is due next, in sentences."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.alerts.decide import ACKED, COOLDOWN, NOT_FIRING, TOLD
from sidecar.alerts.facts import Mute
from sidecar.alerts.record import Key, Record
from sidecar.alerts.timeline import Entry, Event
from sidecar.model.alerts import Alert, AlertState, EndReason
from sidecar.model.durations import show

_ENDS = {
    EndReason.RECOVERED: "recovered",
    EndReason.NO_DATA: "ended: there is no data any more, which is no recovery",
    EndReason.REMOVED: "ended: its rule or what it watched left the configuration",
    EndReason.REPLACED: "ended: another alert took its place",
}
_PUTS = {
    "opening": "it fires",
    "reminder": "it still fires",
    "resolve": "it ended",
    "closed": "it fired and ended, told late and at once",
}
_MUTED: Final = "muted: "
_MUTES: Final[Mapping[str, str]] = {
    Mute.SILENCE: "it is silenced",
    Mute.STARTING: "the daemon has just started and cannot judge it yet",
    Mute.OFFLINE: "the daemon is cut off itself",
    Mute.STORM: "it waits to be told together with others",
}


@dataclass(frozen=True, slots=True)
class Due:
    """What comes next for an alert, if nothing changes."""

    at: float | None  # seconds since the epoch; None: when the facts change
    what: str
    channel: str = ""


def sentence(entry: Entry) -> str:
    """One line of a timeline in words."""
    to = f" {entry.channel}" if entry.channel else ""
    match entry.event:
        case Event.STATE:
            return _state(entry.text)
        case Event.NOTHING:
            return f"{entry.channel}: {_held(entry.text)}" if entry.channel else _held(entry.text)
        case Event.PUT:
            kind, _, why = entry.text.partition(": ")
            # Put, not told: whether it arrived is another line.
            return f"a message for{to}: {_PUTS.get(kind, kind)}" + (f" ({_reason(why)})" if why else "")
        case Event.DELIVERED:
            return f"delivered to{to}" + (f": {entry.text}" if entry.text else "")
        case Event.FAILED:
            return f"an attempt to reach{to} failed: {entry.text}; it is tried again"
        case Event.UNANSWERED:
            return f"an attempt to reach{to} got no answer: {entry.text}; it may have arrived, and is tried again"
        case Event.JOINED:
            return f"what waited for{to} was joined with what followed: {entry.text}"
        case Event.DROPPED:
            return f"what waited for{to} was dropped: {entry.text}"
        case Event.DEAD:
            return f"given up for{to}: {entry.text}"


def _state(text: str) -> str:
    if text == AlertState.PENDING:
        return "the condition turned true; pending"
    if text == AlertState.FIRING:
        return "firing"
    if text.startswith("ended: "):
        reason = text.removeprefix("ended: ")
        return _ENDS[EndReason(reason)] if reason in {each.value for each in EndReason} else text
    return f"{text}: the condition did not last" if text == "not pending any more" else text


def _reason(why: str) -> str:
    known = {
        "first": "for the first time",
        "again": "again, after its cooldown",
        "repeat": "it is time for a reminder",
        "silence ended": "its silence ended",
        **{each.value: text for each, text in _ENDS.items()},
    }
    return known.get(why, why)


def _held(text: str) -> str:
    known = {
        COOLDOWN: "not told, because its cooldown has not passed",
        ACKED: "not told, because somebody acknowledged it",
        TOLD: "nothing new to tell",
        NOT_FIRING: "nothing to tell",
    }
    if text.startswith(_MUTED):
        return f"not told, because {_muted(text)}"
    return known.get(text, f"not told: {text}" if text else "nothing to tell")


def _muted(text: str) -> str:
    kinds = text.removeprefix(_MUTED).split(", ")
    return " and ".join(_MUTES.get(kind, f"it is muted by {kind}") for kind in kinds)


def state(alert: Alert, now: float) -> str:
    """*alert* as it is, in one sentence."""
    if alert.state is AlertState.PENDING:
        return f"pending: the condition has held for {_since(alert.active_at, now)}"
    began = alert.active_at if alert.fired_at is None else alert.fired_at
    if alert.state is AlertState.FIRING:
        note = f" ({alert.note})" if alert.note else ""
        return f"firing for {_since(began, now)}{note}"
    how = _ENDS.get(alert.end_reason, "ended") if alert.end_reason else "ended"
    when = f" {_since(alert.ended_at, now)} ago" if alert.ended_at is not None else ""
    return f"{how}{when}"


def dues(alert: Alert | None, records: Iterable[Record], due: Mapping[Key, float], for_: float | None) -> Iterator[Due]:
    """What comes next, the earliest first; *for_* is how long the rule's condition has to hold."""
    found = [_due(record, due.get(record.key), alert) for record in records]
    if alert is not None and alert.state is AlertState.PENDING:
        at = None if for_ is None else alert.active_at + for_
        found.append(Due(at, "fires, if the condition still holds"))
    yield from sorted(
        (each for each in found if each), key=lambda each: (each.at is None, each.at or 0.0, each.channel)
    )


def _due(record: Record, at: float | None, alert: Alert | None) -> Due | None:
    firing = alert is not None and alert.firing
    if record.open and not firing:
        return Due(at, "the end is to be told", record.channel)
    if not firing:
        return None  # what is due is that the record is forgotten
    if record.reason.startswith(_MUTED):
        then = "" if at is None else "; decided again"
        return Due(at, f"nothing, because {_muted(record.reason)}{then}", record.channel)
    if record.reason == COOLDOWN:
        again = "tried again, because the last message did not arrive," if record.failed else "told again,"
        return Due(at, f"{again} when the cooldown has passed", record.channel)
    if record.reason == ACKED:
        return Due(None, "nothing before its end, because somebody acknowledged it", record.channel)
    if record.open and at is not None:
        return Due(at, "reminder", record.channel)
    if record.open:
        return Due(None, "the end, when it comes; there are no reminders", record.channel)
    why = f"nothing: {record.reason}" if record.reason else "nothing"
    return Due(at, why if at is None else record.reason or "nothing", record.channel)


def _since(at: float | None, now: float) -> str:
    return show(float(round(max(0.0, now - (now if at is None else at)))))
