"""The limits of the shipped rules, so that what a panel shows as bad is what alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from sidecar.config import packs
from sidecar.rules.files import Source, load_rules
from sidecar.rules.model import AlertingRule

_COLORS: Final = {"critical": "red", "warning": "orange", "info": "blue"}


@dataclass(frozen=True, slots=True)
class Limit:
    """A value beyond which something is wrong: *above* it, or below. The *alert* that says so may have none."""

    value: float
    color: str
    alert: str = ""
    above: bool = True


def above(alert: str, var: str) -> Limit:
    """The limit of *alert* that its rule names *var*."""
    return Limit(_value(alert, var), _color(alert), alert)


def below(alert: str, var: str) -> Limit:
    """As `above`, for rules about too little."""
    return Limit(_value(alert, var), _color(alert), alert, above=False)


def any_(color: str = "red") -> Limit:
    """Where a single one is one too many."""
    return Limit(1, color)


@cache
def rules() -> Mapping[str, AlertingRule]:
    """Every alert of the shipped packs by name."""
    files = tuple((name, pack.read_text("utf-8")) for name, pack in sorted(packs().items()))
    found = load_rules([Source(files)])
    return {rule.name: rule.spec for rule in found.rules if isinstance(rule.spec, AlertingRule)}


def _color(alert: str) -> str:
    return _COLORS[_rule(alert).severity]


def _value(alert: str, var: str) -> float:
    found = _rule(alert).vars
    if var not in found:
        raise ValueError(f"got the var {var!r} of {alert}, expected one of: {', '.join(found)}")
    return float(found[var])


def _rule(alert: str) -> AlertingRule:
    if alert not in rules():
        raise ValueError(f"got the alert {alert!r}, expected one of the shipped packs")
    return rules()[alert]
