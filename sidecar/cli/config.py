"""`sidecar config`: check, show or describe the configuration."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import yaml

from sidecar import config as configuration
from sidecar import plugins
from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.cli import files
from sidecar.cli.diagnose.places import secrets
from sidecar.cli.groups import notes
from sidecar.cli.rules import reading
from sidecar.config.showing import effective
from sidecar.model.errors import ConfigError
from sidecar.rules.compiled import Alerting
from sidecar.rules.lint import lint
from sidecar.secrets import SecretError

FILE = click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")


@click.group(short_help="Check, show or describe the configuration.")
def config() -> None:
    """Check, show or describe the configuration."""


@config.command(
    short_help="Name every mistake at once, each with its line.",
    epilog=notes(
        "sidecar config check",
        "sidecar config check sidecar.yml --json",
        json="{ok, mistakes: [{file, line, key, message}], notes, checks, channels, rules}; the last three are counts.",
    ),
)
@FILE
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def check(file: Path, *, as_json: bool) -> None:
    """Name every mistake in FILE at once, each with its line; exit 2 if there is one."""
    try:
        found = files.read(file)
    except ConfigError as exc:
        if as_json:
            mistakes = [{"file": m.file, "line": m.line, "key": m.key, "message": m.message} for m in exc.mistakes]
            click.echo(json.dumps({"ok": False, "mistakes": mistakes}, indent=2))
        else:
            click.echo(str(exc), err=True)
            click.echo(_count(len(exc.mistakes), "mistake") + "; the daemon would not start", err=True)
        raise click.exceptions.Exit(2) from exc
    counts = {
        "checks": len(found.checks),
        "channels": len(found.channels),
        "rules": sum(len(group.rules) for group in found.rules.groups),
    }
    notes = _notes(found)
    if as_json:
        click.echo(json.dumps({"ok": True, "mistakes": [], "notes": notes} | counts, indent=2))
        return
    click.echo(f"{file}: fine: " + ", ".join(_count(n, what.removesuffix("s")) for what, n in counts.items()))
    for note in notes:
        click.echo(f"{file}: note: {note}")


@config.command(
    short_help="Print what the daemon would run with, secrets hidden.",
    epilog=notes("sidecar config show", "sidecar config show sidecar.yml --json", json="the same mapping as JSON."),
)
@FILE
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def show(file: Path, *, as_json: bool) -> None:
    """Print what the daemon would run with: file, environment and defaults together, secrets hidden."""
    found = files.read(file)
    values = effective(found.settings, found.checks, found.channels)
    click.echo(json.dumps(values, indent=2) if as_json else yaml.safe_dump(values, sort_keys=False).rstrip())


@config.command(epilog=notes("sidecar config schema > sidecar.schema.json"))
def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    top = configuration.Settings.model_json_schema()
    for key, package, base in (("checks", "sidecar.checks", Check), ("channels", "sidecar.channels", Channel)):
        top["properties"][key]["items"] = _any_of(package, base, top.setdefault("$defs", {}))
    click.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | top, indent=2))


def _any_of(package: str, base: type[Check] | type[Channel], definitions: dict[str, Any]) -> dict[str, Any]:
    """Every installed type of *package*, told apart by `type`."""
    choices = []
    for name in plugins.names(package):
        try:
            found = plugins.find(package, name, base).model_json_schema(ref_template="#/$defs/{model}")
        except plugins.PluginError:
            continue  # its driver is not installed
        definitions.update(found.pop("$defs", {}))
        definitions[f"{package}.{name}"] = found
        choices.append({"$ref": f"#/$defs/{package}.{name}"})
    return {"oneOf": choices}


def _notes(found: configuration.Config) -> list[str]:
    """What is legal and still probably not meant."""
    notes = []
    if not found.checks:
        notes.append("`checks` is empty: nothing is probed")
    if not found.channels:
        notes.append("`channels` is empty: nobody is told")
    if not found.settings.rules:
        notes.append("`rules` is empty: nothing is worth telling; try `rules: [{pack: availability}]`")
    if not found.settings.database:
        notes.append("`database` is empty: a restart forgets what was told")
    if found.checks and not any(item.critical for item in found.checks):
        notes.append("no check is `critical: true`: /health answers 503 only while every check is unknown")
    networks = {item.name: item.network for item in found.checks} | {item.name: item.network for item in found.channels}
    notes += [f"{name}: {note}" for name, network in networks.items() if network for note in network.notes]
    return [*notes, *_about_secrets(found), *_about_rules(found)]


def _about_secrets(found: configuration.Config) -> Iterator[str]:
    """The files of secrets that are not here; the daemon starts without most of them, and they may be mounted there."""
    named: tuple[Check | Channel, ...] = (*found.checks, *found.channels)
    parts = [("", found.settings), *((f"{one.name}.", one) for one in named)]
    for prefix, part in parts:
        for path, secret in secrets(part):
            try:
                secret.reveal()
            except SecretError as exc:
                yield f"{prefix}{path}: {exc}"


def _about_rules(found: configuration.Config) -> Iterator[str]:
    """What lint has to say of rules that were written or changed here, and the checks that no rule judges."""
    rules = reading.of(found)
    changed = {(rule.file, rule.name) for rule in found.rules.rules if isinstance(rule, Alerting) and rule.written}
    # Events may bring any series that is not ours: `sidecar rules check` is where one says which there are.
    for finding in lint(found.rules, replace(rules.outlook, metrics=("*",))):
        if not reading.is_pack(finding.file) or (finding.file, finding.rule) in changed:
            yield str(finding)
    if found.settings.rules:
        yield from map(reading.unjudged, rules.unwatched)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
