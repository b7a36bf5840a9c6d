"""Tables that fit: what matters least leaves first, and nothing runs into the next line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.cli import terminal
from sidecar.cli.screen import Cell, colour

ALWAYS: Final = 100
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str = ""
    keep: int = ALWAYS  # of two, the one with the lower number leaves first when there is no room
    right: bool = False
    most: int = 60  # columns of the terminal
    least: int = 0  # with it the column shrinks to that before another leaves, and takes what is left over


def fitted(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], room: int, indent: int = 2) -> list[str]:
    """*rows* under the titles, as lines of at most *room* columns; a column in which nothing stands is left out.

    What must stay and does not fit is cut, the widest first.
    """
    cells = [[(cell, "") if isinstance(cell, str) else cell for cell in row] for row in rows]
    used = [n for n in range(len(columns)) if any(row[n][0] for row in cells)]
    widths = {
        n: max(
            terminal.measure(columns[n].title), *(min(columns[n].most, terminal.measure(row[n][0])) for row in cells)
        )
        for n in used
    }
    left = _shrunk(columns, _kept(columns, widths, room - indent), room - indent)
    lines = [_line([(columns[n].title, "bright_black") for n in left], columns, left, indent)]
    lines = lines if any(columns[n].title for n in left) else []
    return [*lines, *(_line([row[n] for n in left], columns, left, indent) for row in cells)]


def _kept(columns: Sequence[Column], widths: dict[int, int], room: int) -> dict[int, int]:
    """The columns for which there is room, with their widths."""
    kept = dict(widths)
    while sum(_least(columns[n], width) for n, width in kept.items()) + _GAP * (len(kept) - 1) > room:
        leaving = min((n for n in kept), key=lambda n: (columns[n].keep, n), default=None)
        if leaving is None or columns[leaving].keep >= ALWAYS:
            break
        del kept[leaving]
    return kept


def _widest(column: Column, texts: Iterable[str]) -> int:
    return max(terminal.measure(column.title), *(min(column.most, terminal.measure(text)) for text in texts))


def _least(column: Column, width: int) -> int:
    return min(width, column.least) if column.least else width


def _shrunk(columns: Sequence[Column], widths: dict[int, int], room: int) -> dict[int, int]:
    """*widths*, narrowed until they fit: those that may shrink first, then the widest."""
    fit = dict(widths)
    while (over := sum(fit.values()) + _GAP * (len(fit) - 1) - room) > 0:
        soft = [n for n in fit if columns[n].least and fit[n] > columns[n].least]
        widest = max(soft or fit, key=lambda n: fit[n], default=None)
        if widest is None or fit[widest] <= 1:
            break
        bottom = columns[widest].least if soft else 1
        fit[widest] = max(bottom, fit[widest] - over)
    return fit


def _line(row: Sequence[Cell], columns: Sequence[Column], widths: dict[int, int], indent: int) -> str:
    parts = []
    for (text, name), (n, width) in zip(row, widths.items(), strict=True):
        shown = terminal.pad(terminal.cut(text, width), width, right=columns[n].right)
        parts.append(colour(shown, name) if text else shown)
    return (" " * indent + (" " * _GAP).join(parts)).rstrip()
