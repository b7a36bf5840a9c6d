"""What becomes of a message that waits when another one follows it."""

from dataclasses import replace

from sidecar.model.notifications import NotifyKind, Told


def behind_opening(before: NotifyKind, after: NotifyKind) -> bool:
    """Whether the new message says nothing that the waiting one will not say."""
    return before is NotifyKind.OPENING and after is NotifyKind.REMINDER


def join(before: NotifyKind, old: Told, after: NotifyKind, new: Told) -> tuple[NotifyKind, Told] | None:
    """One alert of two messages, the first of which surely has not arrived, told in one; None when both are needed.

    The channel heard nothing in between, so the ends since the opening that it heard last add up.
    """
    match before, after:
        case NotifyKind.OPENING, NotifyKind.RESOLVE:
            return NotifyKind.CLOSED, replace(new, flips=old.flips, blame=old.blame, advice=old.advice)
        case ((NotifyKind.CLOSED | NotifyKind.OPENING), NotifyKind.OPENING):
            return NotifyKind.OPENING, replace(new, flips=old.flips + new.flips)
        case NotifyKind.REMINDER, _:
            return after, new
        case _:
            return None
