"""`sidecar rules`: check and test rule files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from sidecar import config as configuration
from sidecar.model.errors import ConfigError, Mistake
from sidecar.rules import unittests
from sidecar.rules.compiled import Alerting, RuleSet
from sidecar.rules.files import Source, load_rules
from sidecar.rules.unittests import Failure

FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...")


@click.group(short_help="Check and test rule files.")
def rules() -> None:
    """Check and test rule files: Prometheus' format, with a few fields of ours."""


@rules.command(epilog="Example: sidecar rules check my-rules.yml availability")
@FILES
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def check(files: Sequence[str], *, as_json: bool) -> None:
    """Name every mistake in FILEs or shipped packs at once, each with its line; exit 2 if there is one."""
    try:
        found = load_rules([Source(tuple(_read(name) for name in files))])
    except ConfigError as exc:
        _mistakes(exc, as_json=as_json)
    counts = [(group.file, group.name, len(group.rules)) for group in found.groups]
    if as_json:
        groups = [{"file": file, "group": name, "rules": count} for file, name, count in counts]
        click.echo(json.dumps({"ok": True, "mistakes": [], "groups": groups}, indent=2))
        return
    for file, name, count in counts:
        click.echo(f"{file}: group {name}: {count} {'rule' if count == 1 else 'rules'}, fine")
    for note in _notes(found):
        click.echo(f"note: {note}")


@rules.command(epilog="Example: sidecar rules test rules/tests/*.yml")
@FILES
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def test(files: Sequence[str], *, as_json: bool) -> None:
    """Run unit tests in promtool's format; exit 1 if an expectation is not met, 2 if a file cannot be used."""
    results: dict[str, list[Failure]] = {}
    try:
        for name in files:
            file, text = _read(name)
            tests, document = unittests.read(text, file)
            found = load_rules([Source(tuple(_rule_files(tests.rule_files, Path(file), document.file)))])
            results[file] = unittests.run(tests, document, found)
    except ConfigError as exc:
        _mistakes(exc, as_json=as_json)
    failed = [failure for failures in results.values() for failure in failures]
    if as_json:
        listed = [{"file": f.file, "line": f.line, "test": f.test, "message": f.message} for f in failed]
        click.echo(json.dumps({"ok": not failed, "failures": listed}, indent=2))
    else:
        for file, failures in results.items():
            for failure in failures:
                click.echo(str(failure))
            click.echo(f"{file}: {'FAILED' if failures else 'SUCCESS'}")
    if failed:
        raise click.exceptions.Exit(1)


def _read(name: str) -> tuple[str, str]:
    """Name and text of a file, or of a shipped pack."""
    path = Path(name)
    packs = configuration.packs()
    try:
        if name in packs and not path.is_file():
            return f"pack {name}", packs[name].read_text("utf-8")
        return str(path), path.read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(Mistake(name, 0, "", f"is not UTF-8 text: {exc}; expected a YAML file")) from exc
    except OSError as exc:
        known = ", ".join(sorted(packs))
        raise ConfigError(
            Mistake(name, 0, "", f"cannot be read: {exc.strerror}; expected a file, or one of the packs: {known}")
        ) from exc


def _rule_files(patterns: Sequence[str], test: Path, file: str) -> list[tuple[str, str]]:
    """The rule files that a test names, from its folder."""
    out: dict[str, tuple[str, str]] = {}
    for pattern in patterns:
        whole = (test.parent / pattern).absolute()
        found = sorted(map(str, Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))))
        if not found:
            raise ConfigError(Mistake(file, 0, "rule_files", f"got {pattern!r}, which names no file"))
        out |= {name: _read(name) for name in found}
    return list(out.values())


def _notes(found: RuleSet) -> list[str]:
    """What is no mistake and yet worth knowing."""
    return [
        f"{rule.file}:{rule.line}: {rule.name} has no severity; channels that choose by it will not hear of it"
        for rule in found.rules
        if isinstance(rule, Alerting) and "severity" not in rule.spec.labels
    ]


def _mistakes(error: ConfigError, *, as_json: bool) -> NoReturn:
    if as_json:
        listed = [{"file": m.file, "line": m.line, "key": m.key, "message": m.message} for m in error.mistakes]
        click.echo(json.dumps({"ok": False, "mistakes": listed}, indent=2))
    else:
        click.echo(str(error), err=True)
    raise click.exceptions.Exit(2) from error
