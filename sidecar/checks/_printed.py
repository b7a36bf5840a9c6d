"""Numbers that a program prints: Nagios' performance data, and Prometheus' text."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sidecar.model import families
from sidecar.model.families import PROBE_VALUE
from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Kind

OURS: Final = ("sidecar_", "probe_", "claude_", "process_", "heartbeat_", "scrape_", "ALERTS")
"""How the names begin that programs may not use: they would speak in our name."""
_CATALOGUE: Final = frozenset(
    f"{family.name}{part}"
    for family in vars(families).values()
    if isinstance(family, Family)
    for part in (("_bucket", "_sum", "_count") if family.kind is Kind.HISTOGRAM else ("",))
)
"""Nor those of our own metrics."""
TAKEN: Final = frozenset({"check", "type", "target", "critical", "pod", "instance", "job", "window"})
"""Labels that say whose series it is."""
_LONGEST: Final = 200  # characters of a label's value
_MOST_LABELS: Final = 16

# 'a label'=1.5ms;warn;crit;min;max; the quotes may go where there is no blank, and a quote in it comes twice.
_PERFDATA: Final = re.compile(
    r"(?:'((?:[^'\n]|'')+)'|([^\s'=|;]+))=([-+]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"([A-Za-zµ%]*)(?=[;\s]|$)"
)
_SAMPLE: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})?[ \t]+[-+0-9.eEa-zA-Z]+(?:[ \t]+-?[0-9.]+)?")

_UNITS: Final[Mapping[str, float]] = {
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "%": 0.01,
    **{unit: 1024.0**power for power, prefix in enumerate("_kmgtpe") for unit in (f"{prefix}b", f"{prefix}ib")},
    "b": 1.0,
}
"""Nagios' units in base units: seconds, ratios and bytes. Plugins count their kilobytes by 1,024."""


@dataclass
class Printed:
    """What was taken, and how much was left out because it is not for us."""

    most: int
    taken: dict[tuple[str, Labels], float] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    refused: int = 0

    def take(self, family: Family, labels: Mapping[str, str], value: float, reserved: Collection[str] = ()) -> None:
        """One number, if there is room and its name is free."""
        legal = len(labels) <= _MOST_LABELS and all(len(text) <= _LONGEST for text in labels.values())
        ours = family is not PROBE_VALUE and (family.name.startswith(OURS) or family.name in _CATALOGUE)
        free = not (ours or (TAKEN | set(reserved)) & set(labels) or math.isnan(value))
        key = (family.name, Labels(labels)) if legal and free else None
        if key is None or (key not in self.taken and len(self.taken) >= self.most):
            self.refused += 1
        else:
            self.families[family.name] = family
            self.taken[key] = value

    def __iter__(self) -> Iterator[tuple[Family, Labels, float]]:
        return ((self.families[name], labels, value) for (name, labels), value in self.taken.items())


def looks_like_metrics(text: str) -> bool:
    """Whether *text* is Prometheus' text, at first sight: nothing but samples and comments."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    samples = [line for line in lines if not line.startswith("#")]
    return bool(samples) and all(_SAMPLE.fullmatch(line) for line in samples)


def perfdata(text: str, found: Printed) -> None:
    """Take the performance data of a plugin's output as `probe_value{name}`, in base units.

    It stands behind the first bar of the first line, and behind the next bar in any later line and all after it.
    """
    first, _, rest = text.partition("\n")
    data = first.partition("|")[2] + "\n" + rest.partition("|")[2]
    for quoted, plain, number, unit in _PERFDATA.findall(data):
        name = quoted.replace("''", "'") if quoted else plain
        value = float(number.replace(",", ".")) * _UNITS.get(unit.lower(), 1.0)
        found.take(PROBE_VALUE, {"name": name}, value)


def metrics(text: str, found: Printed, reserved: Collection[str] = ()) -> None:
    """Take the samples of Prometheus' text, with the values that they have: a program that ends counts nothing on.

    Raises ValueError when it is no such text. Labels named in *reserved* are not free.
    """
    from prometheus_client.parser import text_string_to_metric_families

    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    printed = Family(sample.name, Kind.UNTYPED, "Printed by a command.")
                    found.take(printed, sample.labels, float(sample.value), reserved)
    except Exception as exc:
        # The parser raises whatever its slices and splits raise.
        raise ValueError(str(exc) or type(exc).__name__) from exc
