"""How a value got where it is, in one line of characters."""

from typing import Final

from sidecar.model.notifications import Trend
from sidecar.templating import safe, times

BARS: Final = "▁▂▃▄▅▆▇█"
ON, PARTLY, OFF, GAP = "■", "◧", "□", "·"


def drawn(trend: Trend) -> str:
    """One character for each value: bars from the least to the most, squares for up and down, dots for none."""
    known = [value for value in trend.values if value is not None]
    if not known:
        return GAP * len(trend.values)
    if _is_binary(trend):
        return "".join(GAP if value is None else _square(value) for value in trend.values)
    least, most = min(known), max(known)
    return "".join(GAP if value is None else _bar(value, least, most) for value in trend.values)


def legend(trend: Trend) -> str:
    """What the characters mean: `min 0.8, max 4.2`."""
    known = [value for value in trend.values if value is not None]
    if not known:
        return ""
    if _is_binary(trend):
        partly = f", {PARTLY} both" if any(0 < value < 1 for value in known) else ""
        return f"{ON} up{partly}, {OFF} down" if trend.up else f"{ON} 1, {OFF} 0"
    return f"min {safe.number(min(known))}, max {safe.number(max(known))}"


def reach(trend: Trend) -> str:
    """How far back it goes: `Last 30m`."""
    return f"Last {times.span(trend.step * len(trend.values))}"


def _is_binary(trend: Trend) -> bool:
    return all(value in (None, 0.0, 1.0) or (trend.up and 0 < value < 1) for value in trend.values)


def _square(share: float) -> str:
    return PARTLY if 0 < share < 1 else ON if share else OFF


def _bar(value: float, least: float, most: float) -> str:
    # Halved first: the distance of two finite numbers may be beyond all.
    part = (value / 2 - least / 2) / (most / 2 - least / 2) if most / 2 > least / 2 else 0.0
    return BARS[min(len(BARS) - 1, int(part * len(BARS)))]
