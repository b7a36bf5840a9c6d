"""`sidecar rules test`: unit tests of rules in promtool's format."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from sidecar.cli import progress
from sidecar.cli.groups import notes
from sidecar.cli.rules.reading import read, refuse
from sidecar.model.errors import ConfigError, Mistake
from sidecar.rules import unittests
from sidecar.rules.files import Source, load_rules
from sidecar.rules.unittests import Failure


@click.command(
    short_help="Run unit tests in promtool's format.",
    epilog=notes(
        "sidecar rules test tests/my-rules.yml",
        "sidecar rules test tests/*.yml --json",
        json="{ok, failures: [{file, line, test, message}]}; of files that cannot be used {ok, mistakes}.",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def test(files: Sequence[str], *, as_json: bool) -> None:
    """Run unit tests in promtool's format; exit 1 if an expectation is not met, 2 if a file cannot be used."""
    results: dict[str, list[Failure]] = {}
    try:
        with progress.waiting("testing rules") as shown:
            for n, name in enumerate(files, 1):
                shown.say(f"testing rules, {n} of {len(files)}: {name}")
                file, text = read(name)
                tests, document = unittests.read(text, file)
                found = load_rules([Source(tuple(_rule_files(tests.rule_files, Path(file), document.file)))])
                results[file] = unittests.run(tests, document, found)
    except ConfigError as exc:
        refuse(exc, 2, as_json=as_json)
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


def _rule_files(patterns: Sequence[str], test: Path, file: str) -> list[tuple[str, str]]:
    """The rule files that a test names, from its folder."""
    out: dict[str, tuple[str, str]] = {}
    for pattern in patterns:
        whole = (test.parent / pattern).absolute()
        found = sorted(map(str, Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))))
        if not found:
            raise ConfigError(Mistake(file, 0, "rule_files", f"got {pattern!r}, which names no file"))
        out |= {name: read(name) for name in found}
    return list(out.values())
