"""`sidecar explain`: why an alert fired, or did not, and what comes next."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import click

from sidecar.cli import completing, screen
from sidecar.cli.client import Client, Refused, connected
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes
from sidecar.cli.query import series
from sidecar.cli.times import Time
from sidecar.cli.wanted import Wanted, read
from sidecar.model.durations import show

_ALERTS: Final = 5
"""How many alerts are explained at once; of more, the names."""
_EXCEPTED = "(does not fire: the rest of the rule takes it out) "
_ELEMENTS: Final = 10
_SEEN_PAST: Final = 25
_REMEMBERED: Final = 3600.0  # seconds for which the daemon surely keeps samples

Known = Mapping[str, Any]


@click.command(
    epilog=notes(
        "sidecar explain ClaudeDown",
        "sidecar explain ClaudeDown check=gateway --at 03:10",
        "sidecar explain 1f2e3d4c",
        json="{at, past, alerts: [{fingerprint, labels, alert, timeline, next}], more, rules: [the rule as "
        "/api/v1/rules has it, with values]}.",
    )
)
@click.argument("alert", nargs=-1, required=True, shell_complete=completing.alerts)
@click.option("--at", type=Time(), help="What was the case then: 09:40, 2026-05-01T09:40, 10m ago.")
@connected
def explain(client: Client, alert: Sequence[str], at: float | None, *, as_json: bool) -> None:
    """Why ALERT fired or did not, whom it was told to, and what comes next.

    ALERT is a rule's name, the beginning of a fingerprint, or conditions on labels (check=gateway, severity!=info).
    Exit code 1 if it fires.
    """
    wanted = read(alert)
    found = look(client, wanted, at)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo("\n".join(lines(found)))
    if any(story["alert"] and story["alert"]["state"] == "firing" for story in found["alerts"]) and at is None:
        raise click.exceptions.Exit(1)


def look(client: Client, wanted: Wanted, at: float | None) -> dict[str, Any]:
    """The stories of the alerts that are meant, and what their rules say at that time; WrongError if there are none."""
    now = time.time() if at is None else at
    known = {alert["fingerprint"]: alert["labels"] for alert in client.data("/api/v1/history", {"limit": "1000"})}
    active = client.data("/api/v1/alerts", {"ended": "true"})["alerts"]
    labels = known | {alert["fingerprint"]: alert["labels"] for alert in active}
    # Those that are there first, then the latest of those that were.
    order = [alert["fingerprint"] for alert in active] + list(known)
    chosen = [one for one in dict.fromkeys(order) if wanted.fits(labels[one], one)]
    if not chosen and len(wanted.fingerprint) == 16:
        chosen = [wanted.fingerprint]
    stories = [_story(client, one, at) for one in chosen[: _ALERTS if at is None else _SEEN_PAST]]
    if at is not None:  # those that fired then come first
        stories = sorted(stories, key=lambda story: not _fired(story["timeline"]))[:_ALERTS]
    names = {story["labels"].get("alertname", "") for story in stories} | {wanted.name}
    rules = _rules(client, [name for name in names if name])
    if not stories and not rules:
        raise WrongError(_unknown(client, wanted))
    return {
        "at": now,
        "past": at is not None,
        "alerts": stories,
        "more": len(chosen) - len(stories),
        "rules": [dict(rule) | {"values": _values(client, rule, at)} for rule in rules],
    }


def _story(client: Client, fingerprint: str, at: float | None) -> dict[str, Any]:
    try:
        story: dict[str, Any] = client.data(f"/api/v1/alerts/{fingerprint}/timeline")
    except Refused as exc:
        raise WrongError(exc.message) from exc
    if at is not None:
        story["timeline"] = [line for line in story["timeline"] if (screen.moment(line["at"]) or 0.0) <= at]
        story["next"] = []
    return story


def _fired(timeline: Sequence[Known]) -> bool:
    """Whether an alert with that story fires, or is about to, at its end."""
    states = [line["detail"] for line in timeline if line["event"] == "state"]
    return bool(states) and not states[-1].startswith("ended")


def _rules(client: Client, names: Sequence[str]) -> list[Known]:
    if not names:
        return []
    parameters = [("type", "alert"), ("exclude_alerts", "true"), *(("rule_name[]", name) for name in names)]
    groups = client.data("/api/v1/rules", parameters)["groups"]
    return [{**rule, "group": group["name"], "file": group["file"]} for group in groups for rule in group["rules"]]


def _values(client: Client, rule: Known, at: float | None) -> list[dict[str, Any]]:
    """What the rule judges, as it is at that time; an element is `excepted` if it meets the condition in vain."""
    found = []
    for subject in rule["subject"] or [rule["query"]]:
        try:
            found.append({"expr": subject, "error": "", **_query(client, subject, at)})
        except Refused as exc:
            found.append({"expr": subject, "error": exc.message, "resultType": "", "result": []})
    if len(rule["subject"]) == 1 and rule["condition"] and not found[0]["error"]:
        excepted = _excepted(client, rule, at)
        found[0]["result"] = [
            {**each, "excepted": _identity(each) in excepted} if found[0]["resultType"] == "vector" else each
            for each in found[0]["result"]
        ]
    return found


def _query(client: Client, expr: str, at: float | None) -> Known:
    known: Known = client.data("/api/v1/query", {"query": expr} | ({} if at is None else {"time": str(at)}))
    return known


def _excepted(client: Client, rule: Known, at: float | None) -> set[frozenset[tuple[str, str]]]:
    """What meets the condition and yet does not fire: `unless`, or another part, takes it out."""
    try:
        answers = [_query(client, expr, at) for expr in (f"({rule['subject'][0]}) {rule['condition']}", rule["query"])]
    except Refused:
        return set()
    if any(answer["resultType"] != "vector" for answer in answers):
        return set()
    met, fires = ({_identity(each) for each in answer["result"]} for answer in answers)
    return met - fires if fires <= met else set()  # with other labels they cannot be compared


def _identity(element: Known) -> frozenset[tuple[str, str]]:
    return frozenset((name, text) for name, text in element["metric"].items() if name != "__name__")


def _unknown(client: Client, wanted: Wanted) -> str:
    groups = client.data("/api/v1/rules", {"type": "alert", "exclude_alerts": "true"})["groups"]
    names = sorted({rule["name"] for group in groups for rule in group["rules"]})
    close = get_close_matches(wanted.name, names, n=3) if wanted.name else []
    which = f"did you mean {' or '.join(close)}?" if close else f"rules: {', '.join(names[:12]) or 'none'}"
    return f"no alert and no rule fits {str(wanted)!r}; {which}"


def lines(found: Known) -> Iterator[str]:
    """The explanation in words."""
    rules: dict[str, list[Known]] = {}
    for rule in found["rules"]:
        rules.setdefault(rule["name"], []).append(rule)
    for number, story in enumerate(found["alerts"]):
        if number:
            yield ""
        yield from _explained(story, found)
        for rule in rules.pop(story["labels"].get("alertname", ""), ()):
            yield from _judged(rule, found)
    if found["more"]:
        yield ""
        yield f"and {found['more']} more; name one by its fingerprint or by labels"
    for name, others in rules.items():
        yield f"{name} {'did' if found['past'] else 'does'} not fire, and has not in the time that is remembered."
        for rule in others:
            yield from _judged(rule, found)


def _explained(story: Known, found: Known) -> Iterator[str]:
    now, alert = found["at"], story["alert"]
    labels = {name: text for name, text in story["labels"].items() if name != "alertname"}
    shown = series({"__name__": story["labels"].get("alertname", "unnamed alert"), **labels})
    yield from screen.wrapped(f"{shown}  [{story['fingerprint']}]", indent=0, hanging=2)
    if found["past"]:
        yield f"  {screen.clock_at(now, time.time())}: {_then(story['timeline'])}"
    elif alert:
        state = screen.colour(alert["text"], "red" if alert["state"] == "firing" else "yellow")
        fires = f" (fires if {alert['condition']})" if alert["condition"] else ""
        value = f", value {screen.brief(alert['value'])}{fires}"
        samples = f", of {alert['samples']:.0f} samples" if alert["samples"] is not None else ""
        yield f"  now: {state}{value if alert['state'] != 'ended' else ''}{samples}"
        blame = alert.get("blame") or alert["verdict"].replace("_", " ")  # another version may have the word alone
        for word, text in (("evidence", alert["evidence"]), ("whose fault", blame), ("next step", alert["next_step"])):
            if text and alert["state"] != "ended":
                yield from screen.wrapped(f"{word}: {text}", indent=2, hanging=2)
    else:
        yield "  now: over"
    yield from screen.table(
        ((screen.clock(line["at"], time.time()), screen.plain(_happened(line))) for line in story["timeline"]),
        indent=4,
        whole=True,
    )
    for step in story["next"]:
        yield from screen.wrapped(screen.step(step, time.time()), indent=2, hanging=2)


def _happened(line: Known) -> str:
    """A line of the story; where somebody was not told, until when that was to be so."""
    until = f" (until {screen.clock(line['due'], time.time())})" if line["event"] == "nothing" and line["due"] else ""
    return f"{line['text']}{until}"


def _then(timeline: Sequence[Known]) -> str:
    states = [line for line in timeline if line["event"] == "state"]
    return f"{states[-1]['text']} since {screen.clock(states[-1]['at'], time.time())}" if states else "nothing yet"


def _judged(rule: Known, found: Known) -> Iterator[str]:
    """What the rule looks at, and how far it is from its threshold."""
    held = f", for {show(rule['duration'])}" if rule["duration"] else ""
    query = screen.plain(" ".join(rule["query"].split()), 400)
    yield from screen.wrapped(f"rule: {query}{held}   ({rule['file']}:{rule['line']})", indent=2, hanging=2)
    if rule["lastError"]:
        failing = screen.wrapped(f"its evaluation fails: {rule['lastError']}", indent=2, hanging=2)
        yield from (screen.colour(line, "red") for line in failing)
    when = "then" if found["past"] else "now"
    for values in rule["values"]:
        threshold = f", fires if {rule['condition']}" if rule["condition"] else ""
        yield from screen.wrapped(f"{when}: {screen.plain(values['expr'], 300)}{threshold}", indent=2, hanging=2)
        if values["error"]:
            yield from screen.wrapped(values["error"], hanging=2)
        elif not values["result"] and time.time() - found["at"] > _REMEMBERED:
            yield "    not known any more: samples are remembered for about an hour"
        elif not values["result"]:
            yield f"    no data: no series has a value {when}, so there is nothing to compare"
        else:
            yield from _elements(values)


def _elements(values: Known) -> Iterator[str]:
    if values["resultType"] != "vector":
        yield f"    {screen.plain(values['result'][1])}"
        return
    rows = [
        (screen.brief(each["value"][1]), f"{_EXCEPTED if each.get('excepted') else ''}{series(each['metric'])}")
        for each in values["result"]
    ]
    yield from screen.table(rows[:_ELEMENTS], indent=4, whole=True)
    if len(rows) > _ELEMENTS:
        yield f"    and {len(rows) - _ELEMENTS} more"
