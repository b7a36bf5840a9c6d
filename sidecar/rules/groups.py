"""When groups are evaluated: on their grid, and at once when what they read has changed."""

import math
import zlib
from collections.abc import Collection, Iterable

from sidecar.rules.compiled import Alerting, Group, Recording


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


def knows(rule: Alerting, groups: Iterable[Group], names: Collection[str]) -> bool:
    """Whether what *rule* says depends on series with these *names*, be it by what other rules record."""
    recording = [one for group in groups for one in group.rules if isinstance(one, Recording)]
    known, before = set(names), 0
    while len(known) > before:  # whoever reads what is recorded records it on
        before = len(known)
        known |= {one.writes for one in recording if _reads(one, known)}
    return _reads(rule, known)


def _reads(rule: Alerting | Recording, names: Collection[str]) -> bool:
    return any(query.reads is None or not query.reads.isdisjoint(names) for query in rule.queries)
