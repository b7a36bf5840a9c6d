"""How commands that ask the daemon write: aligned, as wide as the terminal, coloured only there."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from sidecar.cli import terminal
from sidecar.model.durations import show
from sidecar.templating import safe

_NAMED: Final = 12
"""Names that are listed when none of them is near."""
_ROOM: Final = 16
"""Columns below which a text is cut instead of going on below: it would be a tower of words."""
_GLUE: Final = "\N{NO-BREAK SPACE}"

Cell = tuple[str, str]
"""A text, and the colour in which it stands; none when empty."""


def width() -> int:
    """Columns of the terminal; a pipe has as many as are needed."""
    return terminal.columns()


def colour(text: str, name: str) -> str:
    """*text* in that colour; where there are to be no colours, click takes it out again."""
    return click.style(text, fg=name) if name and text else text


def plain(text: Any, limit: int = 500) -> str:
    """Words of the daemon, or of whom it watches, made safe for a terminal."""
    return safe.line(str(text), limit)


def brief(number: str) -> str:
    """A number in an answer, as short as a person wants it."""
    value = float(number)
    return number if len(number) <= 10 or value != value else f"{value:.6g}"  # noqa: PLR0124 -- not a number


def about(labels: Mapping[str, str]) -> str:
    """What an alert with *labels* is about: its check, or else whatever tells it from others of its name."""
    rest = {name: text for name, text in labels.items() if name not in ("alertname", "severity")}
    return rest.get("check") or ", ".join(f"{name}={text}" for name, text in rest.items())


def counted(n: int, what: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def meant(name: str, names: Iterable[str]) -> str:
    """Which of *names* was probably meant by *name*; or what there is."""
    from difflib import get_close_matches

    known = sorted(set(names))
    near = get_close_matches(name, known, 1)
    if near:
        return f"did you mean {near[0]}?"
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"known: {', '.join(known[:_NAMED]) or 'none'}{more}"


def table(rows: Iterable[Sequence[str | Cell]], *, indent: int = 2, whole: bool = False) -> list[str]:
    """*rows* as lines, their columns aligned; the last column is cut where the terminal ends, or goes on below it."""
    cells = [[(cell, "") if isinstance(cell, str) else cell for cell in row] for row in rows]
    if not cells:
        return []
    columns = max(map(len, cells))
    widths = [max((terminal.measure(row[n][0]) for row in cells if n < len(row)), default=0) for n in range(columns)]
    return [line for row in cells for line in _lines(row, widths, indent, whole=whole)]


def _lines(row: Sequence[Cell], widths: Sequence[int], indent: int, *, whole: bool) -> Iterator[str]:
    before = indent + sum(width + 2 for width in widths[: len(row) - 1])
    room = width() - before
    if not whole or room < _ROOM or terminal.measure(row[-1][0]) <= room:
        yield _line(row, widths, indent)
        return
    text, name = row[-1]
    first, *rest = textwrap.wrap(text, room, break_on_hyphens=False)
    yield _line([*row[:-1], (first, name)], widths, indent)
    yield from (" " * before + colour(line, name) for line in rest)


def _line(row: Sequence[Cell], widths: Sequence[int], indent: int) -> str:
    parts, room = [" " * indent], width() - indent
    for n, (text, name) in enumerate(row):
        last = n == len(row) - 1
        shown = cut(text, max(8, room)) if last else terminal.pad(text, widths[n])
        parts.append(colour(shown, name) + ("" if last else "  "))
        room -= widths[n] + 2
    return "".join(parts).rstrip()


def cut(text: str, room: int) -> str:
    """*text* within so many columns."""
    return terminal.cut(text, room)


def moment(text: str | None) -> float | None:
    """Seconds since the epoch of a time in an answer."""
    return datetime.fromisoformat(text).timestamp() if text else None


def ago(text: str | None, now: float) -> str:
    """How long ago a time in an answer was."""
    at = moment(text)
    return "" if at is None else lasting(max(0.0, now - at))


def ahead(text: str | None, now: float) -> str:
    """A time in an answer, and how far away it is: `at 13:40:00 (in 4m)`."""
    at = moment(text)
    if at is None:
        return ""
    away = at - now
    return f"at {clock(text, now)} ({f'in {lasting(away)}' if away >= 0 else f'{lasting(-away)} ago'})"


def step(due: Mapping[str, Any], now: float) -> str:
    """What comes next: `next: reminder to mail at 13:40:00 (in 4m)`; without a time, `next for mail: nothing: …`."""
    what, channel, at = plain(due["what"]), plain(due["channel"], 60), ahead(due["at"], now)
    if channel and not at:
        return f"next for {channel}: {what}"
    return f"next: {what}{f' to {channel}' if channel else ''} {at}".rstrip()


def wrapped(text: str, mark: str = "", most: int | None = None, indent: int = 4, hanging: int = 0) -> list[str]:
    """*text* on as many lines as it needs, or at most so many, indented; those after the first by *hanging* more."""
    begin = f"{' ' * indent}{mark}"
    lines = textwrap.wrap(
        plain(text).replace("(in ", f"(in{_GLUE}"),
        width(),
        initial_indent=begin,
        subsequent_indent=" " * (len(begin) + hanging),
        break_on_hyphens=False,
        max_lines=most,
        placeholder=" …",
    )
    return [line.replace(_GLUE, " ") for line in lines]


def took(seconds: float) -> str:
    """How long something took, as short as it is precise: `35ms`, `1.24s`, `31s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.2f}s" if seconds < 9.995 else f"{seconds:.0f}s"


def clock(text: str | None, now: float) -> str:
    """A time in an answer as people here read it; with its day when that is another."""
    at = moment(text)
    return "" if at is None else clock_at(at, now)


def clock_at(at: float, now: float) -> str:
    """*at*, seconds since the epoch, as people here read it."""
    local = datetime.fromtimestamp(at, UTC).astimezone()
    same = local.date() == datetime.fromtimestamp(now, UTC).astimezone().date()
    return local.strftime("%H:%M:%S" if same else "%Y-%m-%d %H:%M:%S")


def lasting(seconds: float) -> str:
    """A duration in its two largest units: `3h57m`, `12s`."""
    for size in (86_400, 3600, 60):
        if seconds >= size:
            below = {86_400: 3600, 3600: 60, 60: 1}[size]
            return show(float(seconds // below * below))
    return show(float(round(seconds)))
