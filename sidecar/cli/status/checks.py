"""The checks: which are down, since when and why; how long they take."""

import math
from collections.abc import Sequence
from typing import Final

import click

from sidecar.cli import screen, terminal
from sidecar.cli.query import BARS
from sidecar.cli.status.blocks import Block, Rank, Section
from sidecar.cli.status.looking import Known
from sidecar.cli.tables import Column, fitted

COLOURS: Final = {"up": "green", "down": "red", "unknown": "yellow"}
_MARKS: Final = {"up": "✓", "down": "✗", "unknown": "?"}
_SUCCESS: Final = "success"
_FAILURE: Final = "failure"
_ORDER: Final = {"down": 0, "unknown": 1, "up": 2}
_COLUMNS: Final = (
    Column("CHECKS", most=42, least=20),
    Column("state"),
    Column("", keep=60),
    Column("last probe", keep=50),
    Column("probes", keep=30),
    Column("up 24h", keep=40, right=True),
)
_WIDE: Final = (*_COLUMNS, Column("why", keep=70, most=400, least=40), Column("target", keep=10, least=20))
_ROOM_FOR_WHY: Final = 160
"""Columns from which on the reason stands beside its check; below that, under it."""
_WITH_WORDS: Final = 10
"""Checks that are not up, of which each has its reason below it; of more, it stands cut beside them."""
_LEAST: Final = 16  # columns of a reason below which it says nothing
_PROBES: Final = ((160, 30), (110, 20), (70, 10))


def ordered(checks: Sequence[Known]) -> list[Known]:
    """What is wrong stands above what is well, and what is critical above what is not."""
    return sorted(checks, key=lambda check: (_ORDER.get(check["state"], 0), not check.get("critical")))


def section(checks: Sequence[Known], now: float, most: int | None) -> Section:
    """The checks, *most* of those that are up at most."""
    known = ordered(checks)
    if not known:
        return Section("CHECKS", (Block(("  no checks: nothing is probed",), Rank.UNSURE),))
    wrong = [check for check in known if check["state"] != "up"]
    fine = known[len(wrong) :]
    room = None if most is None else max(0, most - len(wrong))
    shown, rest = (
        [*wrong[:most], *fine[:room]],
        [*wrong[most or len(wrong) :], *(fine[room:] if room is not None else ())],
    )
    wide = screen.width() >= _ROOM_FOR_WHY
    rows = [_row(check, now, wide=wide) for check in shown]
    title, *lines = fitted(_WIDE if wide else _COLUMNS, rows, screen.width())
    below = not wide and len(wrong) <= _WITH_WORDS
    blocks = tuple(_block(check, line, wide=wide, below=below) for check, line in zip(shown, lines, strict=True))
    return Section(title, blocks, "check", tuple(check["state"] for check in rest))


def _block(check: Known, line: str, *, wide: bool, below: bool) -> Block:
    """The check's row; its reason stands in it where that is wide, below it, or cut beside it."""
    if wide:
        return Block((line,), _rank(check), kind=check["state"])
    short = (_beside(line, _why(check)),)
    if not below:
        return Block(short, _rank(check), kind=check["state"])
    return Block((line, *screen.wrapped(_why(check), most=2)), _rank(check), (short,), kind=check["state"])


def _beside(line: str, why: str) -> str:
    room = screen.width() - terminal.measure(click.unstyle(line)) - 2
    return f"{line}  {screen.cut(why, room)}" if why and room >= _LEAST else line


def probes() -> int:
    """How many of the last probes have room to be shown; 0 where there is none."""
    return next((n for room, n in _PROBES if screen.width() >= room), 0)


def bars(recent: Sequence[Known]) -> str:
    """The last probes, a sign for each: a bar as high as it took long, or the mark of one that failed.

    The lowest bar is nothing, not the quickest probe: what differs by little looks alike.
    """
    high = max((probe["seconds"] for probe in recent if probe["outcome"] == _SUCCESS), default=0.0)
    return "".join(_bar(probe, high) for probe in recent)


def uptime(check: Known) -> str:
    """The share of the last day for which it was up; 100 % is said only when it is."""
    ratio = check.get("uptime", {}).get("24h", {}).get("ratio")
    if ratio is None:
        return ""
    return f"{math.floor(ratio * 10_000) / 100:g}%"


def _bar(probe: Known, high: float) -> str:
    if probe["outcome"] != _SUCCESS:
        return _MARKS["down" if probe["outcome"] == _FAILURE else "unknown"]
    return BARS[min(len(BARS) - 1, int(probe["seconds"] / high * (len(BARS) - 1)))] if high else BARS[0]


def _row(check: Known, now: float, *, wide: bool) -> list[str | screen.Cell]:
    state = check["state"]
    colour = COLOURS.get(state, "")
    row: list[str | screen.Cell] = [
        (f"{_MARKS.get(state, '?')} {screen.plain(check['name'], 60)}", colour),
        (f"{state} {screen.ago(check['since'], now)}".strip(), colour),
        "critical" if check.get("critical") else "",
        _last(check, now),
        bars(check.get("recent", ())),
        uptime(check),
    ]
    return [*row, _why(check), screen.plain(check.get("target", ""), 200)] if wide else row


def _last(check: Known, now: float) -> str:
    probe = check["last"]
    if probe is None:
        return ""
    undecided = any(one["outcome"] == "unknown" for one in check.get("recent", ())[-1:])
    what = screen.took(probe["seconds"]) if probe["ok"] else "no verdict" if undecided else "failed"
    ago = screen.ago(probe["at"], now)
    return f"{what}, now" if ago == "0s" else f"{what}, {ago} ago"


def _why(check: Known) -> str:
    return screen.plain(check["reason"]) if check["state"] != "up" else ""


def _rank(check: Known) -> Rank:
    match check["state"]:
        case "up":
            return Rank.GOOD
        case "down":
            return Rank.BROKEN if check.get("critical") else Rank.BAD
        case _:
            return Rank.UNSURE
