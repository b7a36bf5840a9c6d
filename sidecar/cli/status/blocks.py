"""A screen of sections that fits: what matters is shown, the rest is counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Rank(IntEnum):
    """What leaves last when there is no room, the most important first."""

    BROKEN = 0  # a critical check that is down, the first alerts
    BAD = 1
    UNSURE = 2
    MORE = 3
    NUMBERS = 4
    GOOD = 5


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stand together or not at all; *shorter* forms of them, the shortest last, where there is less room."""

    lines: tuple[str, ...]
    rank: Rank
    shorter: tuple[tuple[str, ...], ...] = ()
    kind: str = ""  # in which it is counted where it is left out

    @property
    def shortest(self) -> tuple[str, ...]:
        return self.shorter[-1] if self.shorter else self.lines


@dataclass(frozen=True, slots=True)
class Section:
    """A title and what stands under it; *noun* names what is left out, in singular."""

    title: str
    blocks: tuple[Block, ...]
    noun: str = "line"
    left_out: tuple[str, ...] = ()  # the kinds of what never was made a block


Place = tuple[int, int]
"""Which section, and which of its blocks."""


def arranged(sections: Iterable[Section], room: int | None = None) -> list[str]:
    """The sections in their order, within *room* lines; all of it without a limit."""
    known = [section for section in sections if section.blocks or section.left_out]
    if room is None or sum(map(_height, known)) <= room:
        chosen = {(n, m): block.lines for n, section in enumerate(known) for m, block in enumerate(section.blocks)}
    else:
        chosen = _chosen(known, room)
    lines: list[str] = []
    for n, section in enumerate(known):
        shown = [chosen[n, m] for m in range(len(section.blocks)) if (n, m) in chosen]
        missing = [block.kind for m, block in enumerate(section.blocks) if (n, m) not in chosen]
        if shown:
            lines += ["", section.title, *(line for part in shown for line in part)]
        if shown and (missing or section.left_out):
            lines.append(_rest(section.noun, [*missing, *section.left_out]))
    return lines if room is None else lines[: max(0, room)]


def _rest(noun: str, kinds: Sequence[str]) -> str:
    """How many there are of what has no room: `and 12 more checks: 2 down, 10 up`."""
    counts = ", ".join(f"{n} {kind}" for kind, n in Counter(filter(None, kinds)).items())
    return f"  and {len(kinds)} more {noun}{'' if len(kinds) == 1 else 's'}" + (f": {counts}" if counts else "")


def _chosen(sections: Sequence[Section], room: int) -> dict[Place, tuple[str, ...]]:
    """The lines of those blocks for which there is room.

    First everything that is bad has its shortest form, then it gets its words, then comes what is good.
    """
    blocks = {(n, m): block for n, section in enumerate(sections) for m, block in enumerate(section.blocks)}
    order = sorted(blocks, key=lambda place: blocks[place].rank)
    taken: dict[Place, tuple[str, ...]] = {}
    for wanted in ([at for at in order if blocks[at].rank <= Rank.UNSURE], order):
        room = _shortly(wanted, blocks, taken, room)
        room = _wholly(wanted, blocks, taken, room)
    return taken


def _shortly(
    places: Sequence[Place], blocks: Mapping[Place, Block], taken: dict[Place, tuple[str, ...]], room: int
) -> int:
    """Take in the shortest forms; the room that is left."""
    opened = {n for n, _ in taken}
    for at in places:
        lines = blocks[at].shortest
        needed = len(lines) + (0 if at[0] in opened else 3)  # an empty line, the title, and how many are missing
        if at not in taken and needed <= room:
            taken[at] = lines
            opened.add(at[0])
            room -= needed
    return room


def _wholly(
    places: Sequence[Place], blocks: Mapping[Place, Block], taken: dict[Place, tuple[str, ...]], room: int
) -> int:
    """Take in longer forms of what is taken; the room that is left."""
    for at in places:
        for lines in (blocks[at].lines, *blocks[at].shorter):
            more = len(lines) - len(taken.get(at, lines))
            if 0 < more <= room:
                taken[at] = lines
                room -= more
                break
    return room


def _height(section: Section) -> int:
    return 2 + bool(section.left_out) + sum(len(block.lines) for block in section.blocks)
