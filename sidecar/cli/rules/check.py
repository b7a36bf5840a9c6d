"""`sidecar rules check`: every mistake, and what is legal and still probably not meant."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from sidecar.cli.groups import notes
from sidecar.cli.rules.reading import Found, find, refuse, sources, unjudged
from sidecar.model.errors import ConfigError
from sidecar.rules.lint import CODES, Finding, lint


def _codes(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        width = max(map(len, CODES))
        click.echo("\n".join(f"{code:{width}}  {text}" for code, text in CODES.items()))
        ctx.exit()


def _known(_: click.Context, __: click.Parameter, value: Sequence[str]) -> Sequence[str]:
    for code in value:
        if code not in CODES:
            raise click.BadParameter(f"got {code!r}, expected one of: {', '.join(CODES)}")
    return value


@click.command(
    short_help="Name every mistake, and what is probably not meant.",
    epilog=notes(
        "sidecar rules check availability",
        "sidecar rules check my-rules.yml --strict --metric 'myapp_*'",
        "sidecar rules check --config sidecar.yml",
        json="{ok, mistakes: [{file, line, key, message}], findings: [{file, line, rule, code, message}], unwatched, "
        "groups: [{file, group, rules}]}.",
    ),
)
@sources
@click.option("--strict", is_flag=True, help="Exit 1 if lint finds something, too.")
@click.option("--ignore", multiple=True, metavar="CODE", callback=_known, help="Say nothing of this kind; repeatable.")
@click.option("--metric", "metrics", multiple=True, metavar="PATTERN", help="A metric that applications send: myapp_*.")
@click.option("--codes", is_flag=True, is_eager=True, expose_value=False, callback=_codes, help="What lint looks for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def check(
    files: Sequence[str],
    packs: Sequence[str],
    config: Path | None,
    *,
    strict: bool,
    ignore: Sequence[str],
    metrics: Sequence[str],
    as_json: bool,
) -> None:
    """Name every mistake in FILEs at once, each with its line, and what is legal but probably not meant.

    Exit 1 on what the daemon would refuse; findings of lint alone exit 0 unless --strict.
    """
    try:
        found = find(files, packs, config)
    except ConfigError as exc:
        refuse(exc, 1, as_json=as_json)
    findings = lint(found.rules, replace(found.outlook, metrics=(*found.outlook.metrics, *metrics)), ignore)
    bad = strict and bool(findings or found.unwatched)
    if as_json:
        click.echo(json.dumps(_fields(found, findings, ok=not bad), indent=2))
    else:
        _say(found, findings)
    if bad:
        raise click.exceptions.Exit(1)


def _fields(found: Found, findings: Sequence[Finding], *, ok: bool) -> dict[str, object]:
    groups = [{"file": g.file, "group": g.name, "rules": len(g.rules)} for g in found.rules.groups]
    listed = [asdict(one) for one in findings]
    return {"ok": ok, "mistakes": [], "findings": listed, "unwatched": list(found.unwatched), "groups": groups}


def _say(found: Found, findings: Sequence[Finding]) -> None:
    odd = {one.file for one in findings}
    for group in found.rules.groups:
        count = f"{len(group.rules)} {'rule' if len(group.rules) == 1 else 'rules'}"
        click.echo(f"{group.file}: group {group.name}: {count}" + ("" if group.file in odd else ", fine"))
    for one in findings:
        click.echo(str(one))
    for name in found.unwatched:
        click.echo(f"note: {unjudged(name)}")
    if findings:
        click.echo(f"{len(findings)} {'finding' if len(findings) == 1 else 'findings'}; the daemon takes these rules")
