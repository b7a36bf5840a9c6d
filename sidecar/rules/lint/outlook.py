"""What lint knows beside the rules: which series there are, and who listens."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from sidecar.model import families
from sidecar.model.samples import Family, Kind
from sidecar.rules.lint import gateways
from sidecar.rules.model import DEFAULT_INTERVAL

_OURS: Final = ("sidecar_", "probe_", "heartbeat_", "claude_", "scrape_", "ALERTS")
"""How names begin that no application may use for its own."""
CHECKS: Final = ("probe_", "sidecar_check_", "heartbeat_")
"""How the names of series begin that belong to one check, and say so in the label `check`."""


def catalogue() -> dict[str, Kind]:
    """Every series that the daemon writes by itself or reads from a gateway that is known: its name, and what it is."""
    found = dict(gateways.series())
    for family in vars(families).values():
        if not isinstance(family, Family):
            continue
        if family.kind is Kind.HISTOGRAM:
            found |= {f"{family.name}{part}": Kind.COUNTER for part in ("_bucket", "_sum", "_count")}
            if family.percentiles:
                found |= {f"{family.name}_quantile": Kind.SUMMARY, f"{family.name}_window_count": Kind.GAUGE}
        else:
            found[family.name] = family.kind
    return found


@dataclass(frozen=True, slots=True)
class Outlook:
    """What lint knows beside the rules.

    `tick`: seconds between two samples of a series. `metrics`: names, or patterns such as `myapp_*`, that applications
    send or that are scraped. `channels`: each channel with the severities that it takes, all when there are none;
    None when nobody knows the channels.
    """

    tick: float = DEFAULT_INTERVAL
    metrics: Collection[str] = ()
    channels: Mapping[str, Collection[str]] | None = None
    kinds: Mapping[str, Kind] = field(default_factory=catalogue)
    recorded: frozenset[str] = frozenset()

    def kind(self, name: str) -> Kind | None:
        """What the series *name* is, None when that is not known; by its name where that says it."""
        if name in self.kinds:
            return self.kinds[name]
        if name in self.recorded:
            return Kind.GAUGE
        return Kind.COUNTER if name.endswith("_total") else None

    def produced(self, name: str) -> bool:
        """Whether somebody writes the series *name*."""
        if name in self.kinds or name in self.recorded:
            return True
        return not self.ours(name) and any(fnmatchcase(name, pattern) for pattern in self.metrics)

    def ours(self, name: str) -> bool:
        """Whether the series *name* could only be the daemon's own."""
        return name.startswith(_OURS)
