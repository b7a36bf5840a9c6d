"""What the database tells of the last day, read again only when there may be something new."""

import sqlite3
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from sidecar.db import ended, outbox, undelivered
from sidecar.db.ended import Ended
from sidecar.db.outbox import DeadLetter
from sidecar.page.daemon import Daemon

DAY: Final = 86400.0
"""Seconds of which it tells."""
_ENDED: Final = 20
_DEAD: Final = 10
_TICK: Final = 15.0


@dataclass(frozen=True, slots=True)
class Lately:
    """Alerts that ended, and messages that were given up, the latest first; and how many were, by channel."""

    ended: Sequence[Ended]
    dead: Sequence[DeadLetter]
    given_up: Mapping[str, int]


_read: WeakKeyDictionary[Daemon, tuple[Hashable, Lately]] = WeakKeyDictionary()


async def lately(daemon: Daemon, now: float) -> Lately:
    """The last day."""
    key = now // _TICK, frozenset((alert.fingerprint, alert.state) for alert in daemon.book.alerts())
    before = _read.get(daemon)
    if before is not None and before[0] == key:
        return before[1]
    found = await daemon.database.run(_lately, now - DAY)
    _read[daemon] = key, found
    return found


def forget(daemon: Daemon) -> None:
    """Nobody looks any more: let go of what was read."""
    _read.pop(daemon, None)


def _lately(connection: sqlite3.Connection, since: float) -> Lately:
    dead = [letter for letter in outbox.dead(connection, _DEAD) if letter.died_at >= since]
    return Lately(ended.lately(connection, since, _ENDED), dead, undelivered.given_up(connection, since))
