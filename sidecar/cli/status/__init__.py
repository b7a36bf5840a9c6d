"""`sidecar status`: what a running daemon knows, on one screen."""

import json

import click

from sidecar.cli import terminal
from sidecar.cli.client import Client, connected
from sidecar.cli.groups import notes
from sidecar.cli.status import checks, page, watching
from sidecar.cli.status.looking import is_fine, look
from sidecar.cli.times import Span

_MOST = 30
"""Checks on a terminal without --all; a pipe gets every one."""


@click.command(
    epilog=notes(
        "sidecar status",
        "sidecar status --watch",
        "sidecar status --window 1h --json",
        "sidecar status --url unix:///run/sidecar.sock",
        json="{summary, checks, alerts, waiting, silences}, each as the API has it under /api/v1/, waiting being the "
        'messages that wait; with --watch one such object a line, or {"error": …} while there is no answer.',
    )
)
@click.option(
    "--window",
    type=click.Choice(["1m", "5m", "1h"]),
    default="5m",
    show_default=True,
    help="Of what is counted.",
)
@click.option("--all", "everything", is_flag=True, help="Every check, also those that are up.")
@click.option("--watch", is_flag=True, help="Go on until q or Ctrl-C, on a screen of its own.")
@click.option("--every", type=Span(), default=2.0, show_default="2s", help="With --watch: from one look to the next.")
@connected
def status(client: Client, window: str, every: float, *, everything: bool, watch: bool, as_json: bool) -> None:
    """Health, checks, alerts with their next step, and percentiles of a running daemon.

    Exit code 1 if a check is down, an alert fires, or health is not known.
    """
    if watch:
        fine = watching.watch(client, window, every, as_json=as_json)
    else:
        known = look(client, window, checks.probes())
        fine = is_fine(known)
        most = None if everything or not terminal.is_terminal() else _MOST
        click.echo(json.dumps(known, indent=2) if as_json else "\n".join(page.lines(known, client.url, most=most)))
    if not fine:
        raise click.exceptions.Exit(1)
