"""Promtool's way to write series in tests: `metric{label="x"}` and `0+10x5 _ stale`."""

import re
from typing import Final

from sidecar.model.errors import SidecarError
from sidecar.model.labels import Labels
from sidecar.model.samples import STALE
from sidecar.templating.gotemplate.parser import unquote

MAX_VALUES: Final = 100_000
"""How many values one series may have."""

_NUMBER: Final = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[iI]nf|[nN]a[nN])"
_VALUE: Final = re.compile(rf"(?P<start>[-+]?{_NUMBER})(?:(?P<step>[-+]{_NUMBER})?x(?P<times>\d+))?", re.ASCII)
_GAP: Final = re.compile(r"_(?:x(\d+))?", re.ASCII)
_LABEL: Final = re.compile(
    r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')\s*", re.ASCII
)
_METRIC: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(.*)\})?\s*", re.ASCII | re.DOTALL)


class NotationError(SidecarError):
    """A series or its values that cannot be read."""


def series(text: str) -> Labels:
    """The labels of `metric{label="x"}`, the metric's name being `__name__`."""
    found = _METRIC.fullmatch(text)
    if found is None or not text.strip():
        raise NotationError(f'got {text!r}, expected a series such as up{{job="gateway"}}')
    labels = {"__name__": found[1] or ""}
    rest = found[2] or ""
    while rest.strip():
        one = _LABEL.match(rest)
        behind = rest[one.end() :] if one else ""
        if one is None or (behind and not behind.startswith(",")):
            raise NotationError(f'got {rest.strip()[:60]!r} in {text[:80]!r}, expected label="value"')
        try:
            labels[one[1]] = unquote(one[2])
        except ValueError as exc:
            raise NotationError(f"got {one[2]} in {text[:80]!r}, expected a quoted text") from exc
        rest = behind[1:]
    return Labels(labels)


def values(text: str) -> list[float | None]:
    """The values of `1 2 _ stale 0+10x5`, one per interval; None where there is no sample."""
    out: list[float | None] = []
    for word in text.split():
        if word == "stale":
            out.append(STALE)
        elif gap := _GAP.fullmatch(word):
            out += [None] * _times(gap[1] or "1", word, len(out))
        elif found := _VALUE.fullmatch(word):
            start, step = float(found["start"]), float(found["step"] or "0")
            times = _times(found["times"] or "0", word, len(out))
            value = start
            out.append(value)
            for _ in range(times):
                value += step
                out.append(value)
        else:
            raise NotationError(f"got {word[:40]!r}, expected a number, a+bxN, axN, _, _xN or stale")
    return out


def _times(text: str, word: str, before: int) -> int:
    times = int(text[:9])
    if before + times > MAX_VALUES:
        raise NotationError(f"got {word[:40]!r}, expected at most {MAX_VALUES:,} values in a series")
    return times
