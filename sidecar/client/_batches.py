"""Events as lines of JSON."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Event:
    """Something that happened, as the caller said it."""

    type: str
    at: float  # by the monotonic clock
    name: str = ""
    value: float = 1.0
    labels: Labels = ()
    fields: Mapping[str, Any] | None = None  # of a request, or a circuit breaker


@dataclass(frozen=True)
class Batch:
    """Lines that are sent together, and again as they are: their ids tell the sidecar what it has counted."""

    lines: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"\n".join(self.lines) + b"\n"

    def halves(self) -> list["Batch"]:
        """Two batches instead of one that is too large."""
        middle = len(self.lines) // 2
        return [Batch(lines) for lines in (self.lines[:middle], self.lines[middle:]) if lines]


class Writer:
    """Makes batches; *prefix* makes ids this process' own."""

    def __init__(self, prefix: str, metas: Mapping[str, Mapping[str, Any]]) -> None:
        self._prefix = prefix
        self._metas = metas
        self._count = 0

    def batch(self, events: Iterable[Event]) -> tuple[Batch, int]:
        """*events* as lines, and how many cannot be written.

        What counts up is added, and of a gauge the last value is kept; all others are told one by one.
        """
        lines, told, invalid = [], set[str](), 0
        for event in _together(events):
            try:
                lines.append(self._line(event, told))
            except (TypeError, ValueError, RecursionError):
                invalid += 1
        return Batch(tuple(lines)), invalid

    def _line(self, event: Event, told: set[str]) -> bytes:
        self._count += 1
        found: dict[str, Any] = {"type": event.type, "id": f"{self._prefix}-{self._count}"}
        if event.fields is not None:
            found |= event.fields
        else:
            if not math.isfinite(event.value):
                raise ValueError("no finite number")
            found |= {"name": event.name, "value": event.value}
            if event.name not in told:  # the sidecar may have begun anew since the last batch
                told.add(event.name)
                found |= self._metas.get(event.name, {})
        if event.labels:
            found["labels"] = dict(event.labels)
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _together(events: Iterable[Event]) -> Iterable[Event]:
    found: dict[Any, Event] = {}
    for number, event in enumerate(events):
        key: Any = (event.type, event.name, event.labels) if event.type in ("counter", "gauge") else number
        before = found.get(key)
        if before is not None and event.type == "counter":
            found[key] = replace(before, value=before.value + event.value)
        else:
            found[key] = event
    return found.values()
