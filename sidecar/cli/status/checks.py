"""The checks: which are down, since when and why; how long they take."""

import math
from collections.abc import Sequence
from typing import Final

from sidecar.cli import screen
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
    shown = [*wrong[:most], *fine[: None if most is None else max(0, most - len(wrong))]]
    wide = screen.width() >= _ROOM_FOR_WHY
    rows = [_row(check, now, wide=wide) for check in shown]
    title, *lines = fitted(_WIDE if wide else _COLUMNS, rows, screen.width())
    blocks = tuple(
        Block((line, *(() if wide else _below(check))), _rank(check), ((line,),))
        for check, line in zip(shown, lines, strict=True)
    )
    return Section(title, blocks, "check", len(known) - len(shown))


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
        _last(check["last"], now),
        bars(check.get("recent", ())),
        uptime(check),
    ]
    return [*row, _why(check), screen.plain(check.get("target", ""), 200)] if wide else row


def _last(probe: Known | None, now: float) -> str:
    if probe is None:
        return ""
    what = screen.took(probe["seconds"]) if probe["ok"] else "failed"
    ago = screen.ago(probe["at"], now)
    return f"{what}, now" if ago == "0s" else f"{what}, {ago} ago"


def _why(check: Known) -> str:
    return screen.plain(check["reason"]) if check["state"] != "up" else ""


def _below(check: Known) -> list[str]:
    return screen.wrapped(_why(check), most=2)


def _rank(check: Known) -> Rank:
    match check["state"]:
        case "up":
            return Rank.GOOD
        case "down":
            return Rank.BROKEN if check.get("critical") else Rank.BAD
        case _:
            return Rank.UNSURE
