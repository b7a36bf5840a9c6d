"""`sidecar check`: probe once and say what happened."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from sidecar import config
from sidecar.checks import Check
from sidecar.cli import completing
from sidecar.clock import SystemClock
from sidecar.model.checks import ProbeResult, Verdict
from sidecar.outbound import Outbound
from sidecar.services import probing

_WORDS: Final = {
    Verdict.SUCCESS: click.style("ok     ", fg="green"),
    Verdict.FAILURE: click.style("FAILED ", fg="red", bold=True),
    Verdict.UNKNOWN: click.style("unknown", fg="yellow"),
}


@click.command(epilog="Example: sidecar check sidecar.yml claude gateway")
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.argument("names", nargs=-1, shell_complete=completing.checks)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per check, for machines.")
def check(file: Path, names: Sequence[str], *, as_json: bool) -> None:
    """Probe every check in FILE once, or those with NAMES, at any hour; exit 1 if one failed.

    Paid checks are paid for: each is one real request.
    """
    checks = config.read(file).checks
    known = {check.name for check in checks}
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"no check {unknown[0]!r}; known: {', '.join(sorted(known)) or 'none'}")
    chosen = [check for check in checks if not names or check.name in names]
    if not chosen:
        raise click.UsageError(f"{file} has no checks; see the README for an example")
    failed = asyncio.run(_probe(chosen, as_json=as_json))
    if failed:
        raise click.exceptions.Exit(1)


async def _probe(checks: Sequence[Check], *, as_json: bool) -> int:
    """Probe *checks* side by side, print each as it ends, and count those that failed."""
    clock, outbound = SystemClock(), Outbound()
    width = max(len(check.name) for check in checks)

    async def probe(check: Check) -> bool:
        ctx = probing.Recording(clock, outbound)
        result = await probing.probe_once(check, ctx)
        click.echo(json.dumps(_fields(check, result)) if as_json else _line(check, result, width))
        return result.verdict is not Verdict.FAILURE

    try:
        return [*await asyncio.gather(*map(probe, checks))].count(False)
    finally:
        await outbound.close()


def _line(check: Check, result: ProbeResult, width: int) -> str:
    notes = "  ".join(f"{name}={value}" for name, value in result.notes.items())
    first = f"{_WORDS[result.verdict]} {check.name:{width}}  {result.duration * 1000:7.0f} ms  {check.target}"
    if result.ok:
        return f"{first}  {notes}".rstrip()
    indent = " " * (width + 9)
    return f"{first}\n{indent}{result.error_type or result.reason}: {result.message}" + (
        f"\n{indent}{notes}" if notes else ""
    )


def _fields(check: Check, result: ProbeResult) -> dict[str, Any]:
    return {
        "check": check.name,
        "type": check.type,
        "target": check.target,
        "ok": result.ok,
        "verdict": result.verdict,
        "seconds": round(result.duration, 6),
        "error_type": result.error_type,
        "reason": result.reason,
        "message": result.message,
        "notes": dict(result.notes),
    }
