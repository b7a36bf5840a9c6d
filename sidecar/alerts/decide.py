"""Whether a channel is told about an alert now: one table, line by line.

    open?  first line that holds                             what happens
 1  yes    not firing                                        RESOLVE, whatever is muted, acked or routed
 2  yes    not routed                                        nothing: no reminders, the resolve stays owed
 3  yes    any mute                                          nothing; a silence sets hushed
 4  yes    acked                                             nothing; hushed = no
 5  yes    hushed                                            REMINDER, "silence ended"
 6  yes    repeat > 0, now >= told_at + max(repeat, cooldown)  REMINDER
 7  yes    else                                              nothing until then
 8  no     not firing, or not routed                         nothing
 9  no     any mute, or acked                                nothing
10  no     now < opened_at + cooldown                        nothing until then
11  no     else                                              OPENING
"""

from dataclasses import dataclass, replace
from typing import Final

from sidecar.alerts.facts import Facts, Mute
from sidecar.alerts.record import AFTER_FAILURE, KEPT, Record
from sidecar.model.alerts import EndReason
from sidecar.model.notifications import NotifyKind

FIRST, AGAIN, REPEAT, SILENCE_ENDED = "first", "again", "repeat", "silence ended"
TOLD, NOT_FIRING, COOLDOWN, ACKED = "told", "not firing", "cooldown", "acknowledged"
_TICK: Final = 0.001  # ids know milliseconds: no two openings share one


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the facts: the record as it is from now on, a message or none, why, and when to ask again."""

    record: Record
    message: NotifyKind | None
    reason: str
    due: float | None = None  # None: when the facts change
    n: int = 0  # of the message: how many were put since the opening, before it
    flips: int = 0  # of an opening: ends since the one before


def decide(record: Record, facts: Facts, now: float) -> Decision:
    """What the channel of *record* is told at *now*, and what is remembered of it."""
    record = _count_end(record, facts, now)
    decision = _when_open(record, facts, now) if record.open else _when_closed(record, facts, now)
    # The standing reason: what a message said is over, what holds from now on is that it was told.
    standing = decision.reason if decision.message is None else TOLD if decision.record.open else NOT_FIRING
    return replace(decision, record=replace(decision.record, reason=standing))


def opening_wait(record: Record, facts: Facts) -> float:
    """Seconds from the last OPENING during which there is no other."""
    return max(facts.cooldown, AFTER_FAILURE) if record.failed else facts.cooldown


def obsolete_at(record: Record, facts: Facts) -> float | None:
    """From when on the record says nothing that matters; None while its alert fires or it is open."""
    if record.open or facts.firing_since is not None:
        return None
    times = [0.0]
    if record.ended_at is not None:
        times.append(record.ended_at + KEPT)
    if record.opened_at is not None:
        times.append(record.opened_at + opening_wait(record, facts))
    return max(times)


def _count_end(record: Record, facts: Facts, now: float) -> Record:
    """An end is counted whether anybody was told or not, also one between two decisions."""
    before, since = record.firing_since, facts.firing_since
    if before == since:
        return record
    # An episode that began earlier than it did is the same one: the clock was set back.
    ended = before is not None and (since is None or since > before)
    return replace(
        record,
        firing_since=since,
        flips=record.flips + (ended and record.opened_at is not None),
        ended_at=now if ended else record.ended_at,
    )


def _when_open(record: Record, facts: Facts, now: float) -> Decision:
    if facts.firing_since is None:  # 1
        closed = replace(record, open=False, hushed=False, n=record.n + 1)
        why = (facts.ended or EndReason.RECOVERED).value
        message = NotifyKind.RESOLVE if facts.send_resolved else None
        reason = why if message else f"{why}, not told: the channel does not take resolves"
        return Decision(closed, message, reason, due=obsolete_at(closed, facts), n=record.n)
    if facts.unrouted:  # 2
        return Decision(record, None, facts.unrouted)
    if facts.mutes:  # 3
        hushed = record.hushed or Mute.SILENCE in facts.mutes.kinds
        return Decision(replace(record, hushed=hushed), None, f"muted: {facts.mutes}", due=facts.mutes.until)
    if facts.acked:  # 4
        return Decision(replace(record, hushed=False), None, ACKED)
    if record.hushed:  # 5
        return _remind(record, facts, SILENCE_ENDED, now)
    due = _next_reminder(record, facts)
    if due is not None and now >= due:  # 6
        return _remind(record, facts, REPEAT, now)
    return Decision(record, None, TOLD, due=due)  # 7


def _when_closed(record: Record, facts: Facts, now: float) -> Decision:
    if facts.firing_since is None:  # 8
        return Decision(record, None, NOT_FIRING, due=obsolete_at(record, facts))
    if facts.unrouted:  # 8
        return Decision(record, None, facts.unrouted)
    if facts.mutes:  # 9
        return Decision(record, None, f"muted: {facts.mutes}", due=facts.mutes.until)
    if facts.acked:  # 9
        return Decision(record, None, ACKED)
    before = record.opened_at
    if before is not None and now < before + opening_wait(record, facts):  # 10
        return Decision(record, None, COOLDOWN, due=before + opening_wait(record, facts))
    at = now if before is None else max(now, before + _TICK)  # 11
    opened = replace(record, open=True, opened_at=at, told_at=at, n=0, flips=0, hushed=False, failed=False)
    reason = FIRST if before is None else AGAIN
    return Decision(opened, NotifyKind.OPENING, reason, due=_next_reminder(opened, facts), flips=record.flips)


def _remind(record: Record, facts: Facts, reason: str, now: float) -> Decision:
    told = replace(record, told_at=now, hushed=False, n=record.n + 1)
    return Decision(told, NotifyKind.REMINDER, reason, due=_next_reminder(told, facts), n=record.n)


def _next_reminder(record: Record, facts: Facts) -> float | None:
    if facts.repeat <= 0 or record.told_at is None:
        return None
    return record.told_at + max(facts.repeat, facts.cooldown)
