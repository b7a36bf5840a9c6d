"""The whole screen of `sidecar status`."""

from collections.abc import Iterator, Sequence
from typing import Final

from sidecar.cli import screen
from sidecar.cli.status import alerts, checks, numbers
from sidecar.cli.status.blocks import arranged
from sidecar.cli.status.looking import Known

_COLOURS: Final = {"healthy": "green", "degraded": "yellow", "unknown": "yellow", "critical": "red"}
_GAP: Final = "   "


def lines(known: Known, url: str, *, most: int | None = None, room: int | None = None) -> Iterator[str]:
    """The screen, of *room* lines at most, with *most* checks at most; of what there is no room for, how much it is."""
    summary, now = known["summary"], screen.moment(known["summary"]["at"]) or 0.0
    head = flowing(_head(summary, url, now))
    yield from head
    sections = (
        checks.section(known["checks"], now, most),
        alerts.section(known["alerts"], now, known.get("waiting", ())),
        alerts.silences(known.get("silences", ()), now),
        numbers.claude(summary),
        numbers.channels(summary),
    )
    yield from arranged(sections, None if room is None else room - len(head))


def flowing(parts: Sequence[screen.Cell]) -> list[str]:
    """*parts* beside one another, on as many lines as they need."""
    rows: list[list[screen.Cell]] = [[]]
    for part in parts:
        if rows[-1] and len(_GAP.join(text for text, _ in (*rows[-1], part))) + 2 > screen.width():
            rows.append([])
        rows[-1].append(part)
    joined = [
        _GAP.join(screen.colour(screen.cut(text, screen.width() - 2), name) for text, name in row) for row in rows
    ]
    return [joined[0], *(f"  {line}" for line in joined[1:])]


def _head(summary: Known, url: str, now: float) -> list[screen.Cell]:
    states = [(summary["checks"].get(state, 0), state) for state in ("down", "unknown", "up")]
    counts = ", ".join(f"{n} {state}" for n, state in states if n) or "none"
    told = [(summary.get("alerts", {}).get(state, 0), state) for state in ("firing", "pending")]
    firing = ", ".join(f"{n} {state}" for n, state in told if n)
    return [
        (f"● {summary['health']}", _COLOURS.get(summary["health"], "")),
        (f"checks: {counts}", ""),
        *([(f"alerts: {firing}", "")] if firing else []),
        (screen.clock(summary["at"], now), ""),
        (screen.plain(url, 200), ""),
    ]
