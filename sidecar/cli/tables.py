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


def fitted(columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]], room: int, indent: int = _GAP) -> list[str]:
    """The titles and *rows*, as lines of at most *room* columns; a column in which nothing stands is left out.

    Rows are indented, the first title is not: it is that of the section. What must stay and does not fit is cut, the
    widest first.
    """
    cells = [[(cell, "") if isinstance(cell, str) else cell for cell in row] for row in rows]
    used = [n for n in range(len(columns)) if n == 0 or any(row[n][0] for row in cells)]
    widths = {n: _widest(columns[n], (row[n][0] for row in cells)) for n in used}
    left = _shrunk(columns, _kept(columns, widths, room - indent), room - indent)
    titles = [(columns[n].title, "bright_black" if n else "") for n in left]
    head = _line(titles, columns, left | {0: left[0] + indent})
    return [head, *(" " * indent + _line([row[n] for n in left], columns, left) for row in cells)]


def _kept(columns: Sequence[Column], widths: dict[int, int], room: int) -> dict[int, int]:
    """The columns for which there is room, with their widths: first what always stays, then by what matters most."""
    kept: set[int] = set()
    left = room + _GAP
    for n in sorted(widths, key=lambda n: (-columns[n].keep, n)):
        needed = _least(columns[n], widths[n]) + _GAP
        if columns[n].keep >= ALWAYS or needed <= left:
            kept.add(n)
            left -= needed
    return {n: width for n, width in widths.items() if n in kept}


def _widest(column: Column, texts: Iterable[str]) -> int:
    return max((terminal.measure(column.title), *(min(column.most, terminal.measure(text)) for text in texts)))


def _least(column: Column, width: int) -> int:
    return min(width, column.least) if column.least else width


def _shrunk(columns: Sequence[Column], widths: dict[int, int], room: int) -> dict[int, int]:
    """*widths*, narrowed until they fit: first those that may shrink, the least important before; then the widest."""
    fit = dict(widths)
    while (over := sum(fit.values()) + _GAP * (len(fit) - 1) - room) > 0:
        soft = [n for n in fit if columns[n].least and fit[n] > columns[n].least]
        chosen = min(soft, key=lambda n: columns[n].keep) if soft else max(fit, key=lambda n: fit[n])
        if fit[chosen] <= 1:
            break
        fit[chosen] = max(columns[chosen].least if soft else 1, fit[chosen] - over)
    return fit


def _line(row: Sequence[Cell], columns: Sequence[Column], widths: dict[int, int]) -> str:
    parts = []
    for (text, name), (n, width) in zip(row, widths.items(), strict=True):
        shown = terminal.cut(text, width)
        blank = " " * (width - terminal.measure(shown))
        parts.append(blank + colour(shown, name) if columns[n].right else colour(shown, name) + blank)
    return (" " * _GAP).join(parts).rstrip()
