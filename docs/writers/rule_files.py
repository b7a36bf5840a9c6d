"""The page about the fields of rule files."""

from collections.abc import Iterator

from sidecar.rules.model import AlertingRule, Override, RecordingRule, RuleGroup
from writers.markdown import MADE
from writers.models import section


def page() -> Iterator[str]:
    """Every field of groups, rules and overrides."""
    yield "# Rule files"
    yield ""
    yield f"{MADE} How to write, test and tune rules: [Rules](../rules.md). What is shipped: [alerts](alerts.md)."
    yield from section("Groups", RuleGroup)
    yield from section("Alerting rules", AlertingRule)
    yield from section("Recording rules", RecordingRule)
    yield from section("`override:` in the configuration", Override)
