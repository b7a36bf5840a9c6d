"""`sidecar rules export` and `sidecar rules import`: the same rules for Prometheus, and back."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sidecar.cli.groups import notes
from sidecar.cli.rules.reading import find, read, refuse, sources
from sidecar.model.errors import ConfigError, Mistake
from sidecar.rules import exporting, importing, writing
from sidecar.rules.files import Source, load_rules
from sidecar.yamlfile import load


@click.command(
    short_help="Print the rules for Prometheus.",
    epilog=notes(
        "sidecar rules export availability > rules.yml",
        "sidecar rules export --config sidecar.yml --format prometheusrule | kubectl apply -f -",
        json="the same file as JSON, which is YAML, too.",
    ),
)
@sources
@click.option(
    "--format",
    "form",
    type=click.Choice(["prometheus", "prometheusrule"]),
    default="prometheus",
    help="A rule file, or a resource of the Prometheus operator.",
)
@click.option("--name", default="", help="Name of the resource; the first file's without it.")
@click.option("--namespace", default="", help="Namespace of the resource.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of the resource; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def export(
    files: Sequence[str],
    packs: Sequence[str],
    config: Path | None,
    *,
    form: str,
    name: str,
    namespace: str,
    labels: Sequence[str],
    as_json: bool,
) -> None:
    """Print the rules for Prometheus: overrides applied, vars filled in, our fields as annotations `sidecar_…`."""
    if form == "prometheus" and (name or namespace or labels):
        raise click.UsageError("--name, --namespace and --label are of a resource; add --format prometheusrule")
    if odd := [label for label in labels if not label.partition("=")[0] or "=" not in label]:
        raise click.UsageError(f"got the label {odd[0]!r}, expected NAME=VALUE")
    try:
        rules = find(files, packs, config).rules
        if form == "prometheus":
            value = exporting.prometheus(rules)
        else:
            given = dict(label.split("=", 1) for label in labels)
            name = name or Path(next(iter([*files, *packs, str(config or "")]))).stem
            value = exporting.prometheus_rule(rules, name, namespace=namespace, labels=given)
    except ConfigError as exc:
        refuse(exc, 2, as_json=as_json)
    click.echo(_written(value, as_json=as_json), nl=False)


@click.command(
    "import",
    short_help="Print rules of Prometheus as a rule file of ours.",
    epilog=notes(
        "sidecar rules import rules-of-prometheus.yml > rules.yml",
        "kubectl get prometheusrule -o yaml | sidecar rules import - > rules.yml",
        json="the same file as JSON, which is YAML, too.",
    ),
)
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def import_(file: str, *, as_json: bool) -> None:
    """Print the rule file or PrometheusRule in FILE, or `-`, as a rule file of ours; what was exported comes back."""
    try:
        name, text = _given() if file == "-" else read(file)
        value, notes = importing.imported(load(text, name))
        written = writing.dump(value)
        load_rules([Source(((f"{name}, as imported", written),))])
    except ConfigError as exc:
        refuse(exc, 1, as_json=as_json)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(_written(value, as_json=True) if as_json else written, nl=False)


def _written(value: Any, *, as_json: bool) -> str:
    return json.dumps(value, indent=2) + "\n" if as_json else writing.dump(value)


def _given() -> tuple[str, str]:
    if sys.stdin is None:
        raise ConfigError(Mistake("standard input", 0, "", "is closed; expected YAML, or the name of a file"))
    try:
        return "standard input", sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(Mistake("standard input", 0, "", f"is not UTF-8 text: {exc}; expected YAML")) from exc
