"""Lint: what is legal in a rule file and still probably not meant.

Each finding has a code of `CODES`. Lint says only what is most likely true: where an expression leaves open which
labels or series there will be, it is silent.
"""

from collections.abc import Collection
from dataclasses import replace

from sidecar.rules.compiled import Alerting, Recording, RuleSet
from sidecar.rules.lint import conditions, numbers, series, words
from sidecar.rules.lint.coverage import unwatched
from sidecar.rules.lint.finding import CODES, Finding
from sidecar.rules.lint.outlook import Outlook

__all__ = ["CODES", "Finding", "Outlook", "lint", "unwatched"]


def lint(rules: RuleSet, outlook: Outlook | None = None, ignore: Collection[str] = ()) -> tuple[Finding, ...]:
    """Every finding about *rules* whose code is not one of *ignore*, in the order of files and lines."""
    outlook = outlook or Outlook()
    recorded = frozenset(rule.writes for rule in rules.rules if isinstance(rule, Recording))
    outlook = replace(outlook, recorded=outlook.recorded | recorded)
    found: dict[Finding, None] = {}
    for group in rules.groups:
        for rule in group.rules:
            found |= dict.fromkeys(series.findings(rule, outlook))
            found |= dict.fromkeys(numbers.unused(rule))
            if isinstance(rule, Alerting):
                found |= dict.fromkeys(conditions.findings(rule, outlook))
                found |= dict.fromkeys(numbers.findings(rule, group, outlook))
                found |= dict.fromkeys(words.findings(rule, outlook))
    found |= dict.fromkeys(numbers.duplicates(rules))
    return tuple(sorted(finding for finding in found if finding.code not in ignore))
