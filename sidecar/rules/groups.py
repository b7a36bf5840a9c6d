"""When groups are evaluated: on their grid, and at once when what they read has changed."""

import math
import zlib
from collections.abc import Collection, Iterable

from sidecar.rules.compiled import Group


def offset(group: Group) -> float:
    """Seconds by which the group's grid is moved from the epoch's, so that groups do not come all at once."""
    return zlib.crc32(f"{group.file};{group.name}".encode()) % round(group.interval * 1000) / 1000


def next_turn(group: Group, now: float) -> float:
    """The first instant of the group's grid after *now*."""
    interval, moved = round(group.interval * 1000), round(offset(group) * 1000)
    return ((math.floor(now * 1000) - moved) // interval * interval + interval + moved) / 1000


def missed_turns(group: Group, last: float, now: float) -> int:
    """How many instants of the grid lie between *last*, the latest turn on the grid, and the one at or before *now*."""
    return max(0, math.floor((now - last) / group.interval + 1e-6) - 1)


def readers(groups: Iterable[Group], names: Collection[str]) -> tuple[Group, ...]:
    """The groups that read one of *names*, then those that read what these record, and so on; each once."""
    waiting = list(groups)
    changed = set(names)
    found: list[Group] = []
    while True:
        now = [group for group in waiting if group.reads is None or group.reads & changed]
        if not now:
            return tuple(found)
        for group in now:
            found.append(group)
            waiting.remove(group)
            changed |= group.writes
