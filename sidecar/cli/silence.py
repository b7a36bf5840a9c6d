"""`sidecar silence`: alerts that open nothing and repeat nothing for a while."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from sidecar.cli import completing, screen
from sidecar.cli.ack import me
from sidecar.cli.client import Client, connected
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes
from sidecar.cli.times import Span
from sidecar.cli.wanted import Wanted, read
from sidecar.model.durations import show
from sidecar.model.matchers import Matcher, MatchOp

_STATES: Final = ("active", "pending", "expired")
_NAMED: Final = 5


@click.group()
def silence() -> None:
    """Silence alerts for a while. What was told before is still told to end."""


@silence.command(
    short_help="Silence alerts by name, conditions on labels, or both.",
    epilog=notes(
        "sidecar silence add ClaudeDown",
        "sidecar silence add ClaudeDown 'check=~gw-.*' --for 2h --comment 'moving house'",
        json="the silence: {id, state, matchers, starts_at, ends_at, created_by, comment}.",
    ),
)
@click.argument("alert", nargs=-1, required=True, shell_complete=completing.alerts)
@click.option("--for", "duration", type=Span(), default=3600.0, show_default="1h", help="How long.")
@click.option("--comment", default="", help="Why.")
@click.option("--by", default=me, show_default="who you are here", help="Who says so.")
@connected
def add(client: Client, alert: Sequence[str], duration: float, comment: str, by: str, *, as_json: bool) -> None:
    """Silence the alerts that ALERT means: a name, conditions on labels, or both."""
    wanted = read(alert)
    if wanted.fingerprint:
        raise click.UsageError(
            "got a fingerprint, expected a name or conditions on labels; for one alert see `sidecar ack`"
        )
    named = (Matcher("alertname", MatchOp.EQ, wanted.name),) if wanted.name else ()
    match = "{" + ",".join(_written(matcher) for matcher in (*named, *wanted.matchers)) + "}"
    asked = {"match": match, "duration": str(duration), "created_by": by, "comment": comment}
    found = client.answer("/api/v1/silences", asked, method="POST")["data"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['id']}  for {show(duration)}: {_what(found)}")
    click.echo(_meant(client, wanted))
    click.echo(f"Back: sidecar silence expire {found['id'][:8]}")


@silence.command("list", epilog=notes("sidecar silence list", "sidecar silence list --all", json="a list of silences."))
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@connected
def list_(client: Client, *, everything: bool, as_json: bool) -> None:
    """Show what is silent now, and what will be."""
    found = [one for one in client.data("/api/v1/silences")["silences"] if everything or one["state"] != "expired"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in screen.table(map(_row, sorted(found, key=_order)), indent=0, whole=True):
        click.echo(line)
    if not found:
        click.echo("nothing is silenced")


@silence.command(epilog=notes("sidecar silence expire 7c1f0b1e", json="the silence, as it is now."))
@click.argument("id_", metavar="ID", shell_complete=completing.silences)
@connected
def expire(client: Client, id_: str, *, as_json: bool) -> None:
    """End a silence now. What still fires is told at once that its silence ended."""
    full = [one["id"] for one in client.data("/api/v1/silences")["silences"] if one["id"].startswith(id_)]
    if len(full) > 1:
        raise WrongError(f"{id_!r} is the beginning of {len(full)} silences, expected more of it")
    found = client.answer(f"/api/v1/silences/{full[0] if full else id_}", method="DELETE")["data"]
    click.echo(json.dumps(found, indent=2) if as_json else f"{found['id']}  ended: {_what(found)}")


def _meant(client: Client, wanted: Wanted) -> str:
    """Which alerts it is about right now."""
    alerts = client.data("/api/v1/alerts")["alerts"]
    now = [one["labels"] for one in alerts if one["state"] == "firing" and wanted.fits(one["labels"], "")]
    if not now:
        return "Nothing fires that it means; what comes will be silent."
    names = [f"{labels.get('alertname', '')} {screen.about(labels)}" for labels in now]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"Silent now: {screen.plain(', '.join(names[:_NAMED]))}{more}."


def _order(one: Mapping[str, Any]) -> tuple[int, str]:
    """What holds stands above what will, and that above what is over."""
    return (_STATES.index(one["state"]), str(one["ends_at"]))


def _row(one: Mapping[str, Any]) -> Sequence[str | screen.Cell]:
    now = time.time()
    words = {
        "pending": f"from {screen.clock(one['starts_at'], now)}",
        "expired": f"ended {screen.clock(one['ends_at'], now)}",
    }
    until = (
        f"until {screen.clock(one['ends_at'], now)} (in {screen.lasting((screen.moment(one['ends_at']) or now) - now)})"
    )
    return (one["id"][:8], one["state"], words.get(one["state"], until), _what(one))


def _written(matcher: Matcher) -> str:
    return f"{matcher.name}{matcher.op.value}{json.dumps(matcher.value)}"


def _what(found: Mapping[str, Any]) -> str:
    said = f" ({screen.plain(found['comment'])})" if found["comment"] else ""
    return f"{screen.plain(', '.join(found['matchers']))} by {screen.plain(found['created_by'])}{said}"
