"""Names that events may use."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from sidecar.ingest.rejecting import Rejected, shown
from sidecar.model import families
from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Kind
from sidecar.store import Reason
from sidecar.store.live import names

REPORTED: Final[Mapping[str, Family]] = {
    family.name: family
    for family in (
        families.CLAUDE_REQUESTS,
        families.CLAUDE_DURATION,
        families.CLAUDE_FIRST_TOKEN,
        families.CLAUDE_TOKENS_PER_SECOND,
        families.CLAUDE_ACTIVE,
        families.CLAUDE_TOKENS,
        families.CLAUDE_COST,
        families.CLAUDE_STOP_REASONS,
        families.CLAUDE_RETRIES,
        families.CLAUDE_BREAKER,
        families.CLAUDE_RATELIMIT_LIMIT,
        families.CLAUDE_RATELIMIT_REMAINING,
        families.CLAUDE_RATELIMIT_RESET,
    )
}
"""Metrics of ours that a gateway may report, by name: its traffic is counted beside the probes'."""

_OURS: Final = frozenset(
    name for family in vars(families).values() if isinstance(family, Family) for name in names(family)
) - frozenset(name for family in REPORTED.values() for name in names(family))
_PREFIXES: Final = ("sidecar_", "probe_", "heartbeat_", "ALERTS", "scrape_")
_SUFFIXES: Final = ("_quantile", "_window_count")
_LABELS: Final = frozenset(
    {"le", "quantile", "window", "pod", "instance", "job", "check", "critical", "sender", "alertname", "alertstate"}
)
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MOST: Final = 16  # labels of one event
_LONGEST: Final = 200  # characters of a name or a value


def free(name: str, recorded: Collection[str] = ()) -> bool:
    """Whether events may have the metric *name*; rules record *recorded*."""
    if name in REPORTED:
        return True
    if name in _OURS or name == "up" or name in recorded or name.startswith((*_PREFIXES, "claude_")):
        return False
    return ":" not in name and not name.endswith(_SUFFIXES)


def metric(name: object, recorded: Collection[str] = ()) -> str:
    """*name* as a metric's name; raises Rejected."""
    if not isinstance(name, str) or not name:
        raise Rejected(Reason.MALFORMED, f"got name = {shown(name)}, expected the metric's name")
    if len(name) > _LONGEST:
        raise Rejected(Reason.NAME, f"got a name of {len(name)} characters, expected at most {_LONGEST}")
    if not _NAME.fullmatch(name):
        better = re.sub(r"[^a-zA-Z0-9_]", "_", name[:60])
        raise Rejected(
            Reason.NAME, f"got the name {shown(name)}, expected letters, digits and underscores, such as {better!r}"
        )
    if free(name, recorded):
        return name
    if name.startswith("claude_"):
        known = ", ".join(sorted(REPORTED))
        raise Rejected(Reason.RESERVED, f"the name {name!r} is the daemon's own; of `claude_…` you may report {known}")
    raise Rejected(Reason.RESERVED, f"the name {name!r} is the daemon's own or a rule's; send it under another name")


def kind_of_reported(name: str, kind: Kind) -> Family | None:
    """The family of ours that *name* is, if it is one; raises Rejected when it is of another kind."""
    family = REPORTED.get(name)
    if family is not None and family.kind is not kind:
        raise Rejected(Reason.KIND, f"got {name!r} as a {kind}, expected a {family.kind}")
    return family


def labels(raw: Any, *, taken: Collection[str] = ()) -> Labels:
    """What an event says in `labels`, which cannot be those in *taken* either; raises Rejected."""
    if raw is None:
        return Labels()
    if not isinstance(raw, dict):
        raise Rejected(Reason.MALFORMED, f"got labels = {shown(raw)}, expected an object of names and texts")
    if len(raw) > _MOST:
        raise Rejected(Reason.LABELS, f"got {len(raw)} labels, expected at most {_MOST}")
    return Labels({_label(name, taken): _value(name, value) for name, value in raw.items()})


def _label(name: str, taken: Collection[str]) -> str:
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise Rejected(Reason.NAME, f"got the label {shown(name)}, expected a name of letters, digits and underscores")
    if name in _LABELS or name.startswith("__"):
        raise Rejected(Reason.RESERVED, f"the label {name!r} is the daemon's own; send it under another name")
    if name in taken:
        raise Rejected(Reason.RESERVED, f"the label {name!r} is set from the event itself; leave it out of `labels`")
    return name


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        value = f"{value:g}" if isinstance(value, float) else str(value)
    if not isinstance(value, str):
        raise Rejected(Reason.LABELS, f"got {shown(value)} for the label {name!r}, expected a text")
    if len(value) > _LONGEST:
        raise Rejected(
            Reason.LABELS, f"got {len(value)} characters for the label {name!r}, expected at most {_LONGEST}"
        )
    return value
