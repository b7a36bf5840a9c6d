"""The page about the alerts that are shipped."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from sidecar import config
from sidecar.cli.notify.sample import sample
from sidecar.model import durations
from sidecar.model.labels import Labels
from sidecar.rules.compiled import Alerting
from sidecar.rules.evaluation import words
from sidecar.rules.files import Source, load_rules
from sidecar.rules.model import AlertingRule
from sidecar.templating.annotations import Facts
from writers.markdown import MADE, block, code, heading, line, table
from writers.models import flow


def page() -> Iterator[str]:
    """Every rule of every pack, as its file has it."""
    yield "# Shipped alerts"
    yield ""
    yield f"{MADE} What to do when one fires: [runbooks](../runbooks.md). Change one without copying it:"
    yield "[`override:`](rule-files.md#override-in-the-configuration). `sidecar rules show` shows what is in effect."
    yield ""
    yield "The texts are examples: their labels and numbers are made up. Real ones say more, by what they look up."
    yield ""
    yield from table(("pack", "is about"), ((f"[{name}](#{name})", _about(name)) for name in packs()))
    for name, rules in packs().items():
        yield from heading(name)
        yield _about(name)
        yield ""
        yield from block("yaml configuration", f"rules:\n  - pack: {name}")
        yield ""
        alerts = [rule for rule in rules if "alert" in rule]
        yield from table(
            ("alert", "severity", "for", "vars"),
            (
                (
                    f"[{rule['alert']}](#{rule['alert'].lower()})",
                    str(rule.get("severity", "")),
                    durations.show(AlertingRule.model_validate(rule).for_),
                    ", ".join(f"{key}: {flow(value)}" for key, value in rule.get("vars", {}).items()),
                )
                for rule in alerts
            ),
        )
        for rule in rules:
            yield from _rule(rule)


def packs() -> Mapping[str, list[Mapping[str, Any]]]:
    """The rules of each pack, in the order of its file."""
    found = {name: yaml.safe_load(file.read_text("utf-8")) for name, file in sorted(config.packs().items())}
    return {name: [rule for group in file["groups"] for rule in group["rules"]] for name, file in found.items()}


def _about(name: str) -> str:
    """What the pack says of itself at its beginning."""
    comment = re.match(r"(?:#.*\n)+", config.packs()[name].read_text("utf-8"))
    lines = [part.removeprefix("#").strip() for part in comment[0].splitlines()] if comment else []
    return line(" ".join(lines[: lines.index("")] if "" in lines else lines))


def names() -> list[str]:
    """Every alert that is shipped, in the order of the packs."""
    return [str(rule["alert"]) for rules in packs().values() for rule in rules if "alert" in rule]


def _rule(rule: Mapping[str, Any]) -> Iterator[str]:
    """One rule: its expression, then what it says."""
    yield from heading(str(rule.get("alert") or rule["record"]), 3)
    if "alert" in rule:
        yield f"Do: [runbook](../runbooks.md#{rule['alert'].lower()})."
        yield ""
    yield from block("promql", str(rule["expr"]))
    more = {key: value for key, value in rule.items() if key not in ("alert", "record", "expr", "annotations")}
    if more:
        yield ""
        yield ", ".join(code(f"{key}: {_value(key, value)}") for key, value in more.items()) + "."
    if "alert" in rule:
        yield ""
        yield from _texts(str(rule["alert"]))


def _texts(name: str) -> Iterator[str]:
    """What its messages say, of an element that is made up; what the texts look up is not found."""
    rule = _compiled()[name]
    found = sample(rule, (), {})
    facts = Facts(found.labels, found.value, Labels(), "", lambda _: ())
    _, annotations = words(rule, found.labels, facts)
    for key, title in (("summary", "Headline"), ("description", "Says"), ("next_step", "Next step")):
        yield f"- {title}: {line(annotations[key])}"


@cache
def _compiled() -> Mapping[str, Alerting]:
    sources = [Source(((name, file.read_text("utf-8")),)) for name, file in config.packs().items()]
    return {rule.name: rule for rule in load_rules(sources).alerting}


def _value(key: str, value: Any) -> str:
    return flow(_one_line(value)) if key == "samples" else flow(value)


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
