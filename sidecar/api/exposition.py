"""Current values as Prometheus' text and as OpenMetrics."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from sidecar.model.labels import Labels
from sidecar.model.samples import Family, HistogramValue, Kind

Value = float | HistogramValue
Live = Iterable[tuple[Family, list[tuple[Labels, Value]]]]
"""Current values by metric, as the store has them."""

HIDDEN: Final = frozenset({"ALERTS"})
"""Metrics that rules see and nobody scrapes: a Prometheus that did would have them twice."""
_SLICE: Final = 500
"""Lines that are built in one go, well under a millisecond or two of the event loop."""
_FORMATS: Final = 2
"""Formats that are remembered: one Prometheus asks for one, and nobody may fill the memory by asking for all."""
_Starts = dict[Family, dict[Labels, tuple[str, ...]]]
"""The beginnings of the lines, all but the numbers."""
_TEXT_TYPES: Final = {Kind.UNTYPED: "untyped"}


@dataclass(frozen=True, slots=True)
class Format:
    """What a scraper asked for."""

    openmetrics: bool
    escaping: str  # what becomes of names outside the old character set: underscores, dots, values or allow-utf-8
    content_type: str


def negotiate(accept: str) -> Format:
    """The format for an `Accept` header, as Prometheus' client chooses; anything odd gets the plainest text."""
    try:
        _, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no version
        _, content_type = choose_encoder("")
    parameters = [part.strip() for part in content_type.split(";")]
    asked = next((part.partition("=")[2] for part in parameters if part.startswith("escaping=")), "")
    known = asked in (openmetrics.ALLOWUTF8, openmetrics.UNDERSCORES, openmetrics.DOTS, openmetrics.VALUES)
    escaping = asked if known else openmetrics.UNDERSCORES
    is_openmetrics = parameters[0] == "application/openmetrics-text"
    version = "1.0.0" if is_openmetrics or "version=1.0.0" in parameters else "0.0.4"
    suffix = f"; escaping={escaping}" if asked else ""
    return Format(is_openmetrics, escaping, f"{parameters[0]}; version={version}; charset=utf-8{suffix}")


class Exposition:
    """Writes current values; remembers what does not change from one scrape to the next.

    *external* labels are added to every series that does not have a label of that name.
    """

    def __init__(self, external: Mapping[str, str] | None = None) -> None:
        self._external = dict(external or {})
        self._known: OrderedDict[Format, _Starts] = OrderedDict()

    async def text(self, live: Live, form: Format) -> bytes:
        """*live*, which is read at once, as a whole text; the event loop gets its turn every few hundred lines."""
        now = [(family, children) for family, children in live if family.name not in HIDDEN]
        known = self._remembered(form)
        lines: list[str] = []
        parts: list[bytes] = []
        for line in self._lines(now, form, known):
            lines.append(line)
            if len(lines) >= _SLICE:
                parts.append("".join(lines).encode())
                lines.clear()
                await asyncio.sleep(0)
        if form.openmetrics:
            lines.append("# EOF\n")
        parts.append("".join(lines).encode())
        for family in known.keys() - {family for family, _ in now}:
            del known[family]
        return b"".join(parts)

    def _remembered(self, form: Format) -> _Starts:
        known = self._known.setdefault(form, {})
        self._known.move_to_end(form)
        if len(self._known) > _FORMATS:
            self._known.popitem(last=False)
        return known

    def _lines(
        self, live: list[tuple[Family, list[tuple[Labels, Value]]]], form: Format, known: _Starts
    ) -> Iterator[str]:
        for family, children in live:
            yield _head(family, form)
            before = known.get(family, {})
            used = {}
            for labels, value in children:
                series = used[labels] = before.get(labels) or tuple(self._series(family, labels, form))
                if isinstance(value, HistogramValue):
                    numbers: Iterable[float] = (*value.counts, value.count, value.sum)
                    for start, number in zip(series, numbers, strict=True):
                        yield f"{start}{_number(number)}\n"
                else:
                    yield f"{series[0]}{_number(value)}\n"
            known[family] = used

    def _series(self, family: Family, labels: Labels, form: Format) -> Iterator[str]:
        """The beginnings of the lines of *family* with *labels*: all but the numbers."""
        shown = {**self._external, **labels}
        if family.kind is not Kind.HISTOGRAM:
            yield _start(family.name, shown, form)
            return
        for bound in (*family.buckets, float("inf")):
            yield _start(f"{family.name}_bucket", {**shown, "le": _number(bound)}, form)
        yield _start(f"{family.name}_count", shown, form)
        yield _start(f"{family.name}_sum", shown, form)


def _head(family: Family, form: Format) -> str:
    """HELP and TYPE."""
    name, kind = family.name, str(family.kind)
    help_ = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if form.openmetrics:
        help_ = help_.replace('"', r"\"")
        if family.kind is Kind.COUNTER:  # OpenMetrics' counters are named without their suffix
            name, suffix = name.removesuffix("_total"), name.endswith("_total")
            kind = kind if suffix else "unknown"
    else:
        kind = _TEXT_TYPES.get(family.kind, kind)
    shown = _metric_name(name, form)
    return f"# HELP {shown} {help_}\n# TYPE {shown} {kind}\n"


def _start(name: str, labels: Mapping[str, str], form: Format) -> str:
    pairs = ",".join(f'{_label_name(label, form)}="{_escaped(value)}"' for label, value in sorted(labels.items()))
    shown = _metric_name(name, form)
    if shown.startswith('"'):  # a name outside the old character set stands among the labels
        return f"{{{shown},{pairs}}} " if pairs else f"{{{shown}}} "
    return f"{shown}{{{pairs}}} " if pairs else f"{shown} "


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


# Prometheus' client decides about names and numbers; it has no types here.
_go_string: Callable[[float], str] = floatToGoString
_escape_metric_name: Callable[[str, str], str] = openmetrics.escape_metric_name
_escape_label_name: Callable[[str, str], str] = openmetrics.escape_label_name


def _number(value: float) -> str:
    return _go_string(value)


def _metric_name(name: str, form: Format) -> str:
    return _escape_metric_name(name, form.escaping)


def _label_name(name: str, form: Format) -> str:
    return _escape_label_name(name, form.escaping)
