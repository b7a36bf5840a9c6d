"""`sidecar status`: what a running daemon knows, on one screen."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from sidecar.cli import screen
from sidecar.cli.client import Client, NoAnswer, connected

_COLOURS: Final = {
    "healthy": "green",
    "up": "green",
    "degraded": "yellow",
    "unknown": "yellow",
    "pending": "yellow",
    "critical": "red",
    "down": "red",
    "firing": "red",
}
_MARKS: Final = {"up": "✓", "down": "✗", "unknown": "?"}
_EVERY: Final = 2.0
"""Seconds from one look to the next with --watch."""
_SHOWN: Final = ("0.5", "0.95", "0.99")

_ORDER: Final = {"down": 0, "unknown": 1, "up": 2}
_WITH_WORDS: Final = 10
"""How many alerts are shown with all their words; `sidecar explain` has those of the others."""

Known = Mapping[str, Any]


@click.command(epilog="Examples: sidecar status    sidecar status --watch    sidecar status --window 1h --json")
@click.option(
    "--window", type=click.Choice(["1m", "5m", "1h"]), default="5m", show_default=True, help="Of percentiles."
)
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@connected
def status(client: Client, window: str, *, watch: bool, as_json: bool) -> None:
    """Health, checks, alerts with their next step, and percentiles of a running daemon.

    Exit code 1 if a check is down, an alert fires, or health is not known.
    """
    if watch:
        _watch(client, window, as_json=as_json)
        return
    known = look(client, window)
    click.echo(json.dumps(known, indent=2) if as_json else "\n".join(lines(known, client.url)))
    if not is_fine(known):
        raise click.exceptions.Exit(1)


def look(client: Client, window: str) -> Known:
    """Everything that is shown; raises NoAnswer."""
    return {
        "summary": client.data("/api/v1/summary", {"window": window}),
        "checks": client.data("/api/v1/checks"),
        "alerts": client.data("/api/v1/alerts")["alerts"],
    }


def is_fine(known: Known) -> bool:
    """Whether nothing is down, nothing fires, and health is known."""
    summary = known["summary"]
    return summary["health"] == "healthy" and not summary["checks"]["down"] and not summary["alerts"]["firing"]


def lines(known: Known, url: str) -> Iterator[str]:
    """The screen."""
    summary, now = known["summary"], screen.moment(known["summary"]["at"]) or 0.0
    counts = ", ".join(f"{n} {state}" for state, n in summary["checks"].items() if n) or "none"
    health = screen.colour(f"● {summary['health']}", _COLOURS.get(summary["health"], ""))
    yield f"{health}   checks: {counts}   {screen.clock(summary['at'], now)}   {url}"
    checks = sorted(known["checks"], key=lambda check: _ORDER.get(check["state"], 0))
    yield from _section("CHECKS", screen.table(_check(check, now) for check in checks), "no checks")
    alerts = [
        line for n, alert in enumerate(known["alerts"]) for line in _alert(alert, now, with_words=n < _WITH_WORDS)
    ]
    yield from _section("ALERTS", alerts, "nothing is pending, nothing fires")
    claude = list(_claude(summary))
    if claude:
        yield from _section(f"CLAUDE in the last {summary['window']}", claude, "")
    waiting = [queue for queue in summary["outbox"] if queue["waiting"]]
    if waiting:
        rows = [
            (
                queue["channel"],
                f"{queue['waiting']:.0f} waiting",
                f"the oldest for {screen.lasting(queue['oldest_seconds'])}",
            )
            for queue in waiting
        ]
        yield from _section("MESSAGES", screen.table(rows), "")


def _section(title: str, body: Sequence[str], otherwise: str) -> Iterator[str]:
    yield ""
    yield title
    yield from body or [f"  {otherwise}"]


def _check(check: Known, now: float) -> Sequence[str | screen.Cell]:
    state = check["state"]
    since = screen.ago(check["since"], now)
    return (
        (f"{_MARKS.get(state, '?')} {screen.plain(check['name'], 60)}", _COLOURS.get(state, "")),
        f"{state} {since}".strip(),
        screen.plain(check["last"]["text"] if state == "up" and check["last"] else check["reason"]),
    )


def _alert(alert: Known, now: float, *, with_words: bool) -> Iterator[str]:
    labels = {name: text for name, text in alert["labels"].items() if name not in ("alertname", "severity")}
    about = labels.get("check") or ", ".join(f"{name}={text}" for name, text in labels.items())
    told = [channel["channel"] for channel in alert["channels"] if channel["open"]]
    who = f"told: {', '.join(told)}" if told else "nobody is told"
    head = f"{alert['state'].upper()} {alert['severity']}".strip()
    rule, whom = screen.plain(alert["rule"], 60), screen.plain(about, 80)
    row: list[str | screen.Cell] = [(head, _COLOURS.get(alert["state"], "")), rule, whom]
    state = screen.plain(f"{alert['text']}; {who}  [{alert['fingerprint'][:8]}]")
    if len(f"  {head}  {rule}  {whom}  {state}") <= screen.width():
        yield from screen.table([[*row, state]])
    else:  # whoever acknowledges it needs the fingerprint
        yield from screen.table([row])
        yield from screen.wrapped(state)
    if not with_words:
        return
    blame = f" ({alert['verdict'].replace('_', ' ')})" if alert["verdict"] else ""
    for text in (alert["annotations"].get("summary", ""), alert["evidence"] and alert["evidence"] + blame):
        yield from screen.wrapped(text)
    if alert["next_step"]:
        yield from screen.wrapped(alert["next_step"], "→ ")
    for step in alert["next"][:3]:
        yield screen.cut(f"    {screen.step(step, now)}", screen.width())


def _claude(summary: Known) -> Iterator[str]:
    rows: list[Sequence[str]] = [("model", "", "p50", "p95", "p99", "samples", "source", "")]
    several = len({found["labels"].get("target") for found in summary["percentiles"]}) > 1
    for found in summary["percentiles"]:
        kind = "first token" if "first_token" in found["metric"] else "answer"
        quantiles = (_seconds(found["quantiles"].get(name)) for name in _SHOWN)
        labels = found["labels"]
        model = screen.plain(labels.get("model", ""), 60)
        target = (
            screen.plain(labels.get("target", "").partition("://")[2] or labels.get("target", "")) if several else ""
        )
        rows.append((model, kind, *quantiles, f"{found['samples']:.0f}", labels.get("source", ""), target))
    if len(rows) > 1:
        yield from screen.table(rows)
    for count in summary["requests"]:
        labels = count["labels"]
        if labels.get("outcome") != "ok":
            why = f"{labels.get('outcome', '')} {labels.get('error_type', '')}".strip()
            yield f"  {count['count']:.0f} requests {why} ({screen.plain(labels.get('model', ''), 60)})"
    cost = sum(count["count"] for count in summary["cost_dollars"])
    if cost:
        yield f"  cost: ${cost:.4f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}s" if value < 100 else f"{value:.0f}s"


def _watch(client: Client, window: str, *, as_json: bool) -> None:
    """Show it again and again; a daemon that is away for a while is waited for."""
    while True:
        try:
            known = look(client, window)
            text = json.dumps(known) if as_json else "\n".join(lines(known, client.url))
        except NoAnswer as exc:
            text = json.dumps({"error": exc.message}) if as_json else f"● {exc.message}"
        if not as_json and sys.stdout.isatty():
            click.clear()
        click.echo(text)
        time.sleep(_EVERY)
