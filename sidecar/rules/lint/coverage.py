"""Which checks are watched by no rule: they are probed, and nobody is told."""

from collections.abc import Iterable, Mapping
from typing import Final

from sidecar.model.labels import Labels
from sidecar.promql import ast
from sidecar.promql.parse import parse
from sidecar.rules.compiled import Alerting, RuleSet

_STATES: Final = ("sidecar_check_up", "probe_success", "probe_failures_total")
_ALL: Final = ("sidecar_health_status",)


def unwatched(rules: RuleSet, checks: Mapping[str, Labels]) -> tuple[str, ...]:
    """The names of those *checks* (by name, with the labels of their series) whose state no alerting rule judges."""
    selectors = list(_judged(rules.alerting))
    if any(selector.name in _ALL for selector in selectors):
        return ()
    states = [selector for selector in selectors if selector.name in _STATES or not selector.name]
    return tuple(name for name, labels in checks.items() if not any(_takes(one, labels) for one in states))


def _judged(rules: Iterable[Alerting]) -> Iterable[ast.Selector]:
    """The selectors of what *rules* judge; what only narrows a condition is none of them."""
    for rule in rules:
        for subject in rule.subject:
            yield from (node for node in ast.walk(parse(subject.text)) if isinstance(node, ast.Selector))


def _takes(selector: ast.Selector, labels: Labels) -> bool:
    """Whether *selector* takes series with *labels*; what it asks of further labels is its own affair."""
    for matcher in selector.matchers:
        if matcher.name == ast.NAME:
            if not selector.name and not any(matcher.matches(labels.with_(__name__=name)) for name in _STATES):
                return False
        elif matcher.name in labels and not matcher.matches(labels):
            return False
    return True
