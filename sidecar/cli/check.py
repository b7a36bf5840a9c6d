"""`sidecar check`: probe once and say what happened."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from sidecar.checks import Check
from sidecar.cli import completing, files, progress, screen, terminal
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes
from sidecar.clock import SystemClock
from sidecar.model.checks import ProbeResult, Verdict
from sidecar.outbound import Outbound
from sidecar.services import probing

_WORDS: Final = {
    Verdict.SUCCESS: click.style("ok     ", fg="green"),
    Verdict.FAILURE: click.style("FAILED ", fg="red", bold=True),
    Verdict.UNKNOWN: click.style("unknown", fg="yellow"),
}


_INDENT: Final = 8  # where names begin
_LEAST: Final = 12  # columns of a name or a target below which it says nothing
_BESIDE: Final = 16  # columns of verdict and duration


@click.command(
    epilog=notes(
        "sidecar check",
        "sidecar check sidecar.yml claude gateway",
        json="one object a line: {check, type, target, ok, verdict, seconds, error_type, reason, message, notes}.",
    )
)
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.argument("names", nargs=-1, shell_complete=completing.checks)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per check, for machines.")
def check(file: Path, names: Sequence[str], *, as_json: bool) -> None:
    """Probe every check in FILE once, or those with NAMES, at any hour; exit 1 if one failed.

    Paid checks are paid for: each is one real request.
    """
    checks = files.read(file).checks
    known = {check.name for check in checks}
    if unknown := [name for name in names if name not in known]:
        raise WrongError(f"no check {unknown[0]!r} in {file}; {screen.meant(unknown[0], known)}")
    chosen = [check for check in checks if not names or check.name in names]
    if not chosen:
        raise WrongError(f"{file} has no checks; `sidecar demo --print-config` has examples")
    failed = asyncio.run(_probe(chosen, as_json=as_json))
    if failed:
        raise click.exceptions.Exit(1)


async def _probe(checks: Sequence[Check], *, as_json: bool) -> int:
    """Probe *checks* side by side, print each as it ends, and count those that failed."""
    clock, outbound = SystemClock(), Outbound()
    longest = max(len(check.name) for check in checks)
    width = min(longest, max(_LEAST, terminal.columns() - _BESIDE)) if terminal.is_narrow() else longest
    left = [check.name for check in checks]

    async def probe(check: Check) -> bool:
        ctx = probing.Recording(clock, outbound)
        result = await probing.probe_once(check, ctx)
        left.remove(check.name)
        shown.say(_waiting(left, len(checks)))
        shown.echo(json.dumps(_fields(check, result)) if as_json else "\n".join(_lines(check, result, width)))
        return result.verdict is not Verdict.FAILURE

    try:
        with progress.waiting(_waiting(left, len(checks))) as shown:
            return [*await asyncio.gather(*map(probe, checks))].count(False)
    finally:
        await outbound.close()


def _waiting(left: Sequence[str], every: int) -> str:
    return f"probing, {every - len(left)} of {every} done; waiting for {', '.join(left)}"


def _lines(check: Check, result: ProbeResult, width: int) -> Iterator[str]:
    """What the probe came to, why, what to do, and what it noted; without a terminal all of it on one line."""
    noted = "  ".join(f"{name}={_brief(value)}" for name, value in result.notes.items() if name != "next_step")
    why = "" if result.ok else f"{result.error_type or result.reason}: {screen.plain(result.message)}"
    advice = str(result.notes.get("next_step") or "")
    name = terminal.pad(screen.cut(check.name, width), width)
    first = f"{_WORDS[result.verdict]} {name}  {screen.took(result.duration):>6}"
    target = screen.plain(check.target)
    if not terminal.is_narrow():
        yield "  ".join(filter(None, (first, target, why, advice and f"→ {advice}", noted)))
        return
    room = terminal.columns() - _INDENT - width - 10
    yield f"{first}  {screen.cut(target, room)}" if room >= _LEAST else first
    for text, mark in ((why, ""), (advice, "→ "), (noted, "")):
        yield from screen.wrapped(text, mark, indent=_INDENT)


def _brief(value: str | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else value


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
