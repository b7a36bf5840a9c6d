"""`sidecar ack`: say that somebody works on an alert."""

import getpass
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from sidecar.cli import completing, screen
from sidecar.cli.client import Client, connected
from sidecar.cli.groups import notes
from sidecar.cli.wanted import read


def me() -> str:
    """Who asks, as the machine knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        return "somebody"


@click.command(
    epilog=notes(
        "sidecar ack ClaudeDown",
        "sidecar ack ClaudeDown check=gateway --comment 'on it'",
        "sidecar ack 1f2e3d4c --undo",
        json="[{fingerprint, labels}] of the alerts that were meant.",
    )
)
@click.argument("alert", nargs=-1, required=True, shell_complete=completing.alerts)
@click.option("--by", default=me, show_default="who you are here", help="Who works on it.")
@click.option("--comment", default="", help="What is known so far; it stands in the alert's timeline.")
@click.option("--undo", is_flag=True, help="Nobody works on it any more.")
@connected
def ack(client: Client, alert: Sequence[str], by: str, comment: str, *, undo: bool, as_json: bool) -> None:
    """Say that somebody works on ALERT: no reminders of it until it ends. Its end is told all the same.

    ALERT is a rule's name, the beginning of a fingerprint, or conditions on labels. Exit code 1 if none such fires.
    """
    wanted = read(alert)
    firing = [one for one in client.data("/api/v1/alerts")["alerts"] if one["state"] == "firing"]
    chosen = [one for one in firing if wanted.fits(one["labels"], one["fingerprint"])]
    for one in chosen:
        path = f"/api/v1/alerts/{one['fingerprint']}/ack"
        if undo:
            client.answer(path, method="DELETE")
        else:
            client.answer(path, {"by": by, "comment": comment}, method="POST")
    if as_json:
        click.echo(
            json.dumps([{"fingerprint": one["fingerprint"], "labels": one["labels"]} for one in chosen], indent=2)
        )
    else:
        for line in _said(chosen, by, undo=undo):
            click.echo(line)
    if not chosen:
        names = ", ".join(sorted({screen.plain(one["labels"].get("alertname", "")) for one in firing}))
        if not as_json:
            click.echo(f"no alert that fires is meant by {wanted}; firing: {names or 'nothing'}", err=True)
        raise click.exceptions.Exit(1)


def _said(chosen: Sequence[Mapping[str, Any]], by: str, *, undo: bool) -> Iterator[str]:
    """Which alerts it was, what follows, and how to take it back."""
    for one in chosen:
        name, about = screen.plain(one["labels"].get("alertname", "")), screen.plain(screen.about(one["labels"]), 80)
        done = "not acknowledged any more" if undo else f"acknowledged by {by}"
        yield f"{name}  {about}  [{one['fingerprint'][:8]}]: {done}"
    if chosen and undo:
        yield "Reminders go on as the rule says."
    elif chosen:
        yield f"No reminders until the end, which is told. Back: sidecar ack {chosen[0]['fingerprint'][:8]} --undo"
