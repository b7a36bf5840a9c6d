"""Small graphics as SVG, without a style or a script, so that a strict policy lets them be."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from markupsafe import Markup

_WIDTH: Final = 120.0
_HEIGHT: Final = 28.0
_TICK: Final = 20.0
_GAP: Final = 0.3
"""Of a tick's width, between two of them."""
SHAPES: Final = {"up": (0.0, 1.0), "down": (0.0, 1.0), "unknown": (0.4, 0.2)}
"""Where a tick begins and how high it is, as shares of the strip: an unknown is low, and a failure is cut in two."""


def sparkline(values: Sequence[float | None], label: str) -> Markup:
    """*values*, evenly spaced and the oldest first, as a line over an area; None is a gap.

    *label* says in words what is to be seen. Without two values there is nothing to draw: an empty text.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    highest = max(known) or 1.0
    step = _WIDTH / (len(values) - 1)
    points = [
        None if value is None else (n * step, _HEIGHT - 1.5 - (_HEIGHT - 4) * value / highest)
        for n, value in enumerate(values)
    ]
    runs = list(_runs(points))
    line = "".join(_path(run) for run in runs)
    area = "".join(f"{_path(run)}V{_HEIGHT:g}H{run[0][0]:.1f}Z" for run in runs if len(run) > 1)
    return _svg(_WIDTH, _HEIGHT, "spark", label, f'<path class="area" d="{area}"/><path class="line" d="{line}"/>')


def strip(outcomes: Sequence[str], label: str, room: int = 60) -> Markup:
    """*outcomes*, the oldest first, one of `up`, `down`, `unknown` each, as ticks that end at the right.

    There is *room* for so many; what is older is left out. Told apart by shape as well as by colour.
    """
    shown = list(outcomes)[-room:]
    if not shown:
        return Markup("")
    width = _WIDTH / room
    paths: dict[str, list[str]] = {word: [] for word in SHAPES}
    for n, word in enumerate(shown):
        left = (room - len(shown) + n) * width
        paths.setdefault(word, []).append(_tick(word, left, width * (1 - _GAP)))
    drawn = "".join(f'<path class="{word}" d="{"".join(ticks)}"/>' for word, ticks in paths.items() if ticks)
    return _svg(_WIDTH, _TICK, "strip", label, drawn)


def bar(parts: Mapping[str, float], label: str) -> Markup:
    """*parts*, by name, one behind the other as shares of their sum; names are the classes `part-0`, `part-1`, …."""
    total = sum(parts.values())
    if total <= 0:
        return Markup("")
    left, drawn = 0.0, []
    for n, seconds in enumerate(parts.values()):
        width = _WIDTH * seconds / total
        drawn.append(f'<rect class="part-{n % 7}" x="{left:.2f}" y="0" width="{width:.2f}" height="8"/>')
        left += width
    return _svg(_WIDTH, 8.0, "bar", label, "".join(drawn))


def _tick(word: str, left: float, width: float) -> str:
    top, height = SHAPES.get(word, SHAPES["unknown"])
    whole = f"M{left:.2f} {_TICK * top:g}h{width:.2f}v{_TICK * height:g}h-{width:.2f}z"
    if word != "down":
        return whole
    half = _TICK * 0.36
    return "".join(f"M{left:.2f} {y:g}h{width:.2f}v{half:g}h-{width:.2f}z" for y in (0, _TICK - half))


def _runs(points: Sequence[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    for there, run in groupby(points, key=lambda point: point is not None):
        if there:
            yield [point for point in run if point is not None]


def _path(run: Sequence[tuple[float, float]]) -> str:
    head, *rest = run
    return f"M{head[0]:.1f} {head[1]:.1f}" + ("".join(f"L{x:.1f} {y:.1f}" for x, y in rest) or "h.01")


def _svg(width: float, height: float, name: str, label: str, drawn: str) -> Markup:
    # `drawn` is made of numbers and of our own words; `label` is the only text of others.
    return Markup(
        '<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {:g} {:g}" preserveAspectRatio="none">{}</svg>'
    ).format(name, label, width, height, Markup(drawn))  # noqa: S704 -- see above
