"""`sidecar config`: check, show or describe the configuration."""

import json
from pathlib import Path

import click

from sidecar import config as configuration
from sidecar.model.errors import ConfigError

FILE = click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")


@click.group(short_help="Check, show or describe the configuration.")
def config() -> None:
    """Check, show or describe the configuration."""


@config.command(epilog="Example: sidecar config check sidecar.yml")
@FILE
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def check(file: Path, *, as_json: bool) -> None:
    """Name every mistake in FILE at once, each with its line; exit 2 if there is one."""
    try:
        found = configuration.read(file)
    except ConfigError as exc:
        if as_json:
            click.echo(json.dumps({"ok": False, "mistakes": [_fields(m) for m in exc.mistakes]}, indent=2))
        else:
            click.echo(str(exc), err=True)
            click.echo(f"{len(exc.mistakes)} mistake{'s' * (len(exc.mistakes) != 1)} in the configuration", err=True)
        raise click.exceptions.Exit(2) from exc
    if as_json:
        click.echo(json.dumps({"ok": True, "mistakes": [], **configuration.counts(found)}, indent=2))
        return
    counts = configuration.counts(found)
    click.echo(f"{file}: fine: " + ", ".join(f"{n} {what if n != 1 else what[:-1]}" for what, n in counts.items()))
    for line in configuration.advice(found):
        click.echo(f"{file}: note: {line}")


@config.command(epilog="Example: sidecar config show sidecar.yml")
@FILE
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def show(file: Path, *, as_json: bool) -> None:
    """Print what the daemon would run with: file, environment and defaults together, secrets hidden."""
    click.echo(configuration.show(configuration.read(file), as_json=as_json), nl=False)


@config.command(epilog="Example: sidecar config schema > sidecar.schema.json")
def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    click.echo(json.dumps(configuration.schema(), indent=2))


def _fields(mistake: configuration.Mistake) -> dict[str, str | int]:
    return {"file": mistake.file, "line": mistake.line, "key": mistake.key, "message": mistake.message}
