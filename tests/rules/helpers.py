"""Rules and samples for tests."""

from collections.abc import Mapping
from typing import Any

import yaml

from sidecar.model.alerts import Alert
from sidecar.model.samples import STALE
from sidecar.rules.compiled import Alerting, Group, RuleSet
from sidecar.rules.engine import Engine, Turn
from sidecar.rules.files import Source, load_rules
from sidecar.rules.memory import Samples
from sidecar.rules.notation import series


def rules(*items: Mapping[str, Any], **group: Any) -> RuleSet:
    """One group `g` of *items*."""
    text = yaml.safe_dump({"groups": [{"name": "g", "rules": list(items), **group}]}, width=1000)
    return load_rules([Source((("rules.yml", text),))])


def alerting(expr: str = "x > 1", **fields: Any) -> Alerting:
    """The alerting rule A."""
    (rule,) = rules({"alert": "A", "expr": expr, **fields}).alerting
    return rule


class World:
    """A group, its engine and its samples; time is given by hand."""

    def __init__(self, found: RuleSet, now: float = 1000.0) -> None:
        self.rules = found
        self.engine = Engine(found, now)
        self.samples = Samples()
        self.emitted: list[Any] = []

    @property
    def group(self) -> Group:
        return self.engine.rules.groups[0]

    def set(self, at: float, **values: float | None) -> None:
        """Set series by metric name; None ends one."""
        for name, value in values.items():
            self.put(name, at, value)

    def put(self, name: str, at: float, value: float | None) -> None:
        """Set the series *name*, written as `x{a="b"}`."""
        self.samples.add(series(name), round(at * 1000), STALE if value is None else value)

    def emit(self, batch: Any) -> None:
        self.emitted.append(batch)
        self.samples.emit(batch)

    def turn(self, at: float, *, ready: bool = True) -> Turn:
        return self.engine.turn(self.group, self.samples, at, self.emit, ready=lambda _: ready)

    def alerts(self, at: float, *, ready: bool = True) -> list[str]:
        """A turn, and every alert as `name{labels} state`, in short."""
        self.turn(at, ready=ready)
        return self.shown()

    def shown(self) -> list[str]:
        return sorted(map(brief, self.engine.alerts))


def brief(alert: Alert) -> str:
    """`A{a=1} firing`, with the reason of an end and the note."""
    labels = ",".join(f"{name}={value}" for name, value in alert.labels.without("alertname").items())
    words = [f"{alert.name}{{{labels}}}" if labels else alert.name, alert.state.value]
    words += [alert.end_reason.value] if alert.end_reason else []
    words += [f"({alert.note})"] if alert.note else []
    return " ".join(words)
