"""The alerts: what fires, whom it was told to, what to do, what comes next; and what is silenced."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from sidecar.cli import screen
from sidecar.cli.status.blocks import Block, Rank, Section
from sidecar.cli.status.looking import Known
from sidecar.cli.tables import Column, fitted

Untold = Collection[tuple[str, str]]
"""Alerts, by fingerprint, and channels that have not heard of them yet."""

_COLOURS: Final = {"firing": "red", "pending": "yellow"}
_SEVERITIES: Final = ("critical", "error", "warning", "info")
_WITH_WORDS: Final = 10
"""How many alerts are shown with all their words; `sidecar explain` has those of the others."""
_EVIDENCE: Final = 240
_ARROW: Final = "→ "
_STEPS: Final = 2
_FIRST: Final = 3
"""Alerts that stay on the screen as long as anything does."""


def section(alerts: Sequence[Known], now: float, waiting: Sequence[Known] = ()) -> Section:
    """Those that fire above those that are about to, the worst first; *waiting* are the messages on their way."""
    known = sorted(alerts, key=_order)
    untold = {
        (one["fingerprint"], message["channel"])
        for message in waiting
        if message["kind"] == "opening"
        for one in message["alerts"]
    }
    blocks = tuple(_block(alert, now, n, untold) for n, alert in enumerate(known))
    return Section("ALERTS", blocks or (Block(("  nothing is pending, nothing fires",), Rank.MORE),), "alert")


def silences(found: Sequence[Known], now: float) -> Section:
    """What holds now, and what will."""
    columns = (
        Column("SILENCES"),
        Column(),
        Column(most=200, least=20),
        Column(keep=50, most=200, least=10),
    )
    title, *rows = fitted(columns, [_silence(one, now) for one in found], screen.width())
    return Section(title, tuple(Block((row,), Rank.MORE) for row in rows), "silence")


def _silence(one: Known, now: float) -> Sequence[str]:
    begun = one["state"] == "active"
    when = f"until {screen.clock(one['ends_at'], now)}" if begun else f"from {screen.clock(one['starts_at'], now)}"
    who = f"by {one['created_by']}" + (f": {one['comment']}" if one["comment"] else "")
    return (screen.plain(one["id"][:8]), when, screen.plain(", ".join(one["matchers"])), screen.plain(who))


def _order(alert: Known) -> tuple[bool, int, float]:
    severity = alert["severity"]
    worst = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return (alert["state"] != "firing", worst, screen.moment(alert.get("fired_at")) or 0.0)


def _block(alert: Known, now: float, n: int, untold: Untold) -> Block:
    head = tuple(_head(alert, untold))
    words = tuple(_words(alert, now)) if n < _WITH_WORDS else ()
    rank = Rank.UNSURE if alert["state"] != "firing" else Rank.BROKEN if n < _FIRST else Rank.BAD
    advice = tuple(screen.wrapped(alert["next_step"], _ARROW, most=2))
    shorter = ((*head, *advice), head, head[:1]) if words else (head[:1],)
    return Block((*head, *words), rank, shorter, kind=alert["state"])


def _who(alert: Known, untold: Untold) -> str:
    """Whom it was told to, and to whom the message that opens it is still on its way."""
    meant = [channel["channel"] for channel in alert["channels"] if channel["open"]]
    coming = [channel for channel in meant if (alert["fingerprint"], channel) in untold]
    told = ", ".join(channel for channel in meant if channel not in coming)
    if not meant:
        return "nobody is told"
    return f"told: {told or 'nobody yet'}" + (f", on its way to {', '.join(coming)}" if coming else "")


def _head(alert: Known, untold: Untold) -> Iterator[str]:
    who = _who(alert, untold)
    head = f"{alert['state'].upper()} {alert['severity']}".strip()
    rule, whom = screen.plain(alert["rule"], 60), screen.plain(screen.about(alert["labels"]), 80)
    row: list[str | screen.Cell] = [(head, _COLOURS.get(alert["state"], "")), rule, whom]
    state = screen.plain(f"{alert['text']}; {who}  [{alert['fingerprint'][:8]}]")
    if len(f"  {head}  {rule}  {whom}  {state}") <= screen.width():
        yield from screen.table([[*row, state]])
    else:  # whoever acknowledges it needs the fingerprint
        yield from screen.table([row])
        yield from screen.wrapped(state)


def _words(alert: Known, now: float) -> Iterator[str]:
    blame = f" ({alert['verdict'].replace('_', ' ')})" if alert["verdict"] else ""
    evidence = f"{screen.plain(alert['evidence'], _EVIDENCE)}{blame}" if alert["evidence"] else ""
    for text in (alert["annotations"].get("summary", ""), evidence):
        yield from screen.wrapped(text, most=3)
    if alert["next_step"]:
        yield from screen.wrapped(alert["next_step"], _ARROW)
    for step in alert["next"][:_STEPS]:
        yield from screen.wrapped(screen.step(step, now), hanging=2)
