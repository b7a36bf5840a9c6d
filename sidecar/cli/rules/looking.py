"""`sidecar rules list` and `sidecar rules show`: the rules in effect."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from sidecar.cli import screen, tables
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes
from sidecar.cli.rules.reading import find, refuse, sources
from sidecar.cli.tables import Column
from sidecar.model import durations
from sidecar.model.errors import ConfigError
from sidecar.rules import exporting, writing
from sidecar.rules.compiled import Alerting, CompiledRule, Group, RuleSet

_COLUMNS: Final = (
    Column("RULE"),
    Column("GROUP", keep=20),
    Column("SEVERITY"),
    Column("FOR", keep=50),
    Column("CHANNELS", keep=30, least=12),
    Column("PLACE", keep=40, most=200),
)


@click.command(
    "list",
    short_help="One line for each rule.",
    epilog=notes(
        "sidecar rules list availability",
        "sidecar rules list --config sidecar.yml",
        json="[{rule, group, place, severity, for, channels}].",
    ),
)
@sources
@click.option("--json", "as_json", is_flag=True, help="A JSON list, for machines.")
def list_(files: Sequence[str], packs: Sequence[str], config: Path | None, *, as_json: bool) -> None:
    """One line for each rule: what it is called, how bad it is, how long it waits, whom it tells, where it stands."""
    rules = _find(files, packs, config, as_json=as_json)
    rows = [_row(group, rule) for group in rules.groups for rule in group.rules]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    cells = [[row[column.title.lower()] for column in _COLUMNS] for row in rows]
    for line in tables.fitted(_COLUMNS, cells, screen.width(), indent=0):
        click.echo(line)


@click.command(
    short_help="Print the rules as they are evaluated.",
    epilog=notes(
        "sidecar rules show availability",
        "sidecar rules show --config sidecar.yml --rule ClaudeDown",
        json="the same rule file as JSON: {groups: [{name, rules}]}.",
    ),
)
@sources
@click.option("--rule", "names", multiple=True, metavar="NAME", help="Only this rule; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def show(
    files: Sequence[str], packs: Sequence[str], config: Path | None, *, names: Sequence[str], as_json: bool
) -> None:
    """Print the rules as they are evaluated: overrides applied, vars filled in. It is a rule file itself."""
    rules = _find(files, packs, config, as_json=as_json)
    known = {rule.name for rule in rules.rules}
    if unknown := [name for name in names if name not in known]:
        raise WrongError(f"no rule {unknown[0]!r}; {screen.meant(unknown[0], known)}")
    value = exporting.ours(_only(rules, names) if names else rules)
    click.echo(json.dumps(value, indent=2) if as_json else writing.dump(value).rstrip())


def _find(files: Sequence[str], packs: Sequence[str], config: Path | None, *, as_json: bool) -> RuleSet:
    try:
        return find(files, packs, config).rules
    except ConfigError as exc:
        refuse(exc, 2, as_json=as_json)


def _row(group: Group, rule: CompiledRule) -> dict[str, str]:
    row = {"rule": rule.name, "group": group.name, "place": f"{rule.file}:{rule.line}"}
    if not isinstance(rule, Alerting):
        return row | {"severity": "", "for": "", "channels": ""}
    channels = ", ".join(rule.spec.channels) or "all"
    return row | {"severity": rule.spec.severity, "for": durations.show(rule.spec.for_), "channels": channels}


def _only(rules: RuleSet, names: Sequence[str]) -> RuleSet:
    """*rules* without all but those of *names*, and without groups that are empty then."""
    groups = (
        Group(group.name, group.file, group.interval, tuple(rule for rule in group.rules if rule.name in names))
        for group in rules.groups
    )
    return RuleSet(tuple(group for group in groups if group.rules))
