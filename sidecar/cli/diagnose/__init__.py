"""`sidecar diagnose`: whether everything that the daemon needs works from here."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from sidecar.cli import files, progress, screen
from sidecar.cli.diagnose import local, remote
from sidecar.cli.diagnose.findings import Finding, Verdict, fail, ok
from sidecar.cli.diagnose.places import Place, Way, ways
from sidecar.cli.groups import notes
from sidecar.clock import SystemClock
from sidecar.config import Config
from sidecar.model.errors import ConfigError, Mistake
from sidecar.outbound import Outbound
from sidecar.secrets import SecretError

_COLOURS: Final = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAIL: "red"}
_INDENT: Final = 21  # where a finding's words begin


@click.command(
    epilog=notes(
        "sidecar diagnose",
        "sidecar diagnose sidecar.yml",
        json="[{part, subject, verdict: OK|NOTE|FAIL, text, next_step}].",
    )
)
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
def diagnose(file: Path, *, as_json: bool) -> None:
    """Try from here what the daemon with FILE will need: names, TLS, proxies, keys, clock, disk.

    Nothing costs money and nobody is told anything. Exit code 1 if something fails.
    """
    try:
        found = files.read(file)
    except ConfigError as exc:
        step = f"correct {file}; `sidecar config check {file}` says the same"
        findings = [fail("configuration", _place(mistake), _what(mistake), step) for mistake in exc.mistakes]
        if as_json:
            click.echo(json.dumps([finding.document() for finding in findings], indent=2))
        else:
            _show_all(findings)
        raise click.exceptions.Exit(1) from exc
    findings = asyncio.run(_examine(found, file, as_json=as_json))
    failed = sum(finding.verdict is Verdict.FAIL for finding in findings)
    if as_json:
        click.echo(json.dumps([finding.document() for finding in findings], indent=2))
    else:
        examined = screen.counted(len(findings), "finding")
        click.echo("\neverything works from here" if not failed else f"\n{failed} of {examined} failed")
    if failed:
        raise click.exceptions.Exit(1)


async def _examine(found: Config, file: Path, *, as_json: bool) -> list[Finding]:
    """Examine everything side by side; each is shown as soon as those before it are."""
    findings = []
    outbound = Outbound(network=found.settings.network)
    try:
        with progress.waiting("asking everybody whom the daemon will call") as shown:
            async for finding in examine(found, file, outbound):
                findings.append(finding)
                for line in () if as_json else _lines(finding):
                    shown.echo(line)
    finally:
        await outbound.close()
    return findings


async def examine(found: Config, file: Path, outbound: Outbound) -> AsyncIterator[Finding]:
    """Every finding, in an order that does not depend on who answers first."""
    clock, heard = SystemClock(), remote.Heard()
    away = ways([*found.checks, *found.channels], outbound.network)
    work: list[Coroutine[Any, Any, Finding]] = [
        *(remote.resolved(place) for place in _doors(away)),
        *(remote.reached(way, outbound, clock, heard) for way in away),
        *(remote.key(check, names, outbound, clock) for check, names in remote.keys(found.checks)),
    ]
    tasks = [asyncio.create_task(each) for each in work]
    rules = sum(len(group.rules) for group in found.rules.groups)
    counts = ((len(found.checks), "check"), (len(found.channels), "channel"), (rules, "rule"))
    yield ok("configuration", str(file), ", ".join(screen.counted(n, what) for n, what in counts))
    for finding in (
        *local.read_secrets([*found.checks, *found.channels, found.settings.http]),
        local.database(found.settings.database),
        await asyncio.to_thread(local.listening, found.settings.http.listen),
        *local.proxies(away),
    ):
        yield finding
    for task in tasks:
        yield await task
    yield heard.finding()


def _doors(away: list[Way]) -> list[Place]:
    """Where connections really go, each host once."""
    found: dict[str, Place] = {}
    for way in away:
        with suppress(ValueError, SecretError):  # told where proxies are examined
            door = way.door()
            found.setdefault(door.host, door)
    return list(found.values())


def _show_all(findings: list[Finding]) -> None:
    for finding in findings:
        for line in _lines(finding):
            click.echo(line)


def _lines(finding: Finding) -> Iterator[str]:
    """A finding; on a terminal its words stand beside one another, without one they are on one line."""
    subject = f"{finding.subject}: " if finding.subject else ""
    text = screen.plain(subject + finding.text, 400)
    first, *rest = screen.wrapped(text, indent=_INDENT) or [""]
    yield f"{screen.colour(f'{finding.verdict:4}', _COLOURS[finding.verdict])}  {finding.part:13}  {first.strip()}"
    yield from rest
    yield from screen.wrapped(screen.plain(finding.next_step, 400), "→ ", indent=_INDENT)


def _place(mistake: Mistake) -> str:
    return f"{mistake.file}:{mistake.line}" if mistake.line else mistake.file


def _what(mistake: Mistake) -> str:
    return f"{mistake.key}: {mistake.message}" if mistake.key else mistake.message
