"""Rules as they are evaluated: checked, overridden, compiled."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from sidecar.model.alerts import RuleKey
from sidecar.promql import Query
from sidecar.rules.model import AlertingRule, RecordingRule
from sidecar.templating.gotemplate import Template

MAX_SETTLING: Final = 900.0
"""Seconds after which a restored alert is judged, however far its rule looks back."""

Templates = tuple[tuple[str, Template], ...]


@dataclass(frozen=True, slots=True)
class Alerting:
    """An alerting rule. Two are equal when the same was written."""

    key: RuleKey
    spec: AlertingRule
    file: str
    line: int = field(compare=False)
    query: Query = field(compare=False, repr=False)
    subject: tuple[Query, ...] = field(compare=False, repr=False)
    samples: Query | None = field(compare=False, repr=False)
    labels: Templates = field(compare=False, repr=False)
    annotations: Templates = field(compare=False, repr=False)
    limit: int = 0
    written: AlertingRule | None = field(default=None, compare=False, repr=False)  # as its file has it, if overridden

    @property
    def name(self) -> str:
        return self.spec.alert

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Names of the alerts whose firing explains this one."""
        return self.spec.depends_on

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self.query,) if self.samples is None else (self.query, self.samples)

    @property
    def writes(self) -> str:
        """The name of the series that this rule yields."""
        return "ALERTS"

    @property
    def looks_back(self) -> float:
        """Seconds that the rule looks back on purpose."""
        return max(map(_looks_back, self.queries))

    @property
    def settling(self) -> float:
        """Seconds from the start of the daemon until the samples reach back as far as the rule looks."""
        return min(self.looks_back, MAX_SETTLING)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule. Two are equal when the same was written."""

    key: RuleKey
    spec: RecordingRule
    file: str
    line: int = field(compare=False)
    query: Query = field(compare=False, repr=False)
    limit: int = 0

    @property
    def name(self) -> str:
        return self.spec.record

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self.query,)

    @property
    def writes(self) -> str:
        """The name of the series that this rule yields."""
        return self.spec.record


CompiledRule = Alerting | Recording


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together; `name` is unique in the daemon."""

    name: str
    file: str
    interval: float
    rules: tuple[CompiledRule, ...]

    @property
    def reads(self) -> frozenset[str] | None:
        """Every metric name that a rule reads; None when that cannot be known."""
        names: set[str] = set()
        for rule in self.rules:
            for query in rule.queries:
                if query.reads is None:
                    return None
                names |= query.reads
        return frozenset(names)

    @property
    def writes(self) -> frozenset[str]:
        """Every metric name that a rule yields."""
        return frozenset(rule.writes for rule in self.rules)


@dataclass(frozen=True)
class RuleSet:
    """All rules of a configuration, in the order of their files."""

    groups: tuple[Group, ...] = ()

    @property
    def rules(self) -> Iterator[CompiledRule]:
        return (rule for group in self.groups for rule in group.rules)

    @property
    def alerting(self) -> tuple[Alerting, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, Alerting))

    @cached_property
    def by_key(self) -> Mapping[RuleKey, Alerting]:
        """The alerting ones by their keys."""
        return {rule.key: rule for rule in self.alerting}

    @property
    def reach(self) -> float:
        """How many seconds back the samples must go for every rule to see all that it asks for."""
        return max((query.reach_ms for rule in self.rules for query in rule.queries), default=0) / 1000


_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`', re.DOTALL)
_BACK: Final = re.compile(r"\[|\boffset\b|@")


def _looks_back(query: Query) -> float:
    """Seconds that *query* looks back on purpose: ranges and offsets; the lookback of an instant selector is none."""
    return query.reach_ms / 1000 if _on_purpose(query.text) else 0.0


@lru_cache(maxsize=1024)  # asked of every rule in every turn
def _on_purpose(text: str) -> bool:
    return _BACK.search(_QUOTED.sub("", text)) is not None
