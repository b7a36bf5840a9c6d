"""`sidecar notify preview`: who would hear of an alert, and in which words."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from sidecar.alerts.facts import Circumstances, Policy
from sidecar.channels import Channel
from sidecar.cli import completing, files, screen, terminal
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes
from sidecar.cli.notify import sample as samples
from sidecar.cli.notify.sample import Sample
from sidecar.cli.notify.testing import Ctx
from sidecar.clock import SystemClock
from sidecar.config import Config
from sidecar.model.alerts import Alert
from sidecar.model.notifications import NotifyKind
from sidecar.rules.compiled import Alerting
from sidecar.rules.evaluation import Surroundings
from sidecar.services import probing
from sidecar.templating import safe
from sidecar.templating.plain import label_text

_KINDS: Final = [kind.value for kind in NotifyKind]


def _labels(_: click.Context, __: click.Parameter, value: Sequence[str]) -> Mapping[str, str]:
    for text in value:
        name, equals, _rest = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"got {text!r}, expected NAME=VALUE, such as check=gateway")
    return {name: text for name, _, text in (one.partition("=") for one in value)}


@click.command(
    short_help="Show who would hear of an alert, and in which words.",
    epilog=notes(
        "sidecar notify preview ClaudeDown",
        "sidecar notify preview ClaudeDown sidecar.yml --label check=claude --kind resolve",
        json="[{alert, rule, kind, labels, annotations, value, channels: [{name, type, told, why_not, text, sent}]}].",
    ),
)
@click.argument("alertname", metavar="ALERTNAME", shell_complete=completing.rules)
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME",
    help="Only this channel; repeatable.",
    shell_complete=completing.channels,
)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", callback=_labels, help="A label of the series.")
@click.option("--value", type=float, help="What the expression yields; beyond the threshold when left out.")
@click.option("--kind", type=click.Choice(_KINDS), default="opening", show_default=True, help="Which message.")
@click.option("--json", "as_json", is_flag=True, help="JSON, with what each channel is sent as it is sent.")
def preview(
    alertname: str,
    file: Path,
    *,
    channels: Sequence[str],
    labels: Mapping[str, str],
    value: float | None,
    kind: str,
    as_json: bool,
) -> None:
    """Show which channels of FILE would hear of ALERTNAME, and what each of them would be sent.

    Nothing is sent, and no daemon is asked: labels, values and what the texts' queries find are examples. Silences,
    acknowledgements and cooldowns are not considered. Exit code 1 if nobody would hear of it.
    """
    found = files.read(file)
    known = [channel.name for channel in found.channels]
    if unknown := [name for name in channels if name not in known]:
        raise WrongError(f"no channel {unknown[0]!r} in {file}; {screen.meant(unknown[0], known)}")
    chosen = [channel for channel in found.channels if not channels or channel.name in channels]
    rules = [rule for rule in found.rules.alerting if rule.name == alertname]
    if not rules:
        names = (rule.name for rule in found.rules.alerting)
        raise WrongError(f"no alerting rule {alertname!r} in {file}; {screen.meant(alertname, names)}")
    ctx = Ctx.of(found.settings, SystemClock())
    look = _Preview(found, NotifyKind(kind), ctx, ctx.clock.time())
    shown = [look.of(rule, look.sample(rule, labels, value), chosen) for rule in rules]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo("\n\n".join(map(_text, shown)))
    if not any(told["told"] for one in shown for told in one["channels"]):
        raise click.exceptions.Exit(1)


@dataclass(frozen=True, slots=True)
class _Preview:
    """Messages of one kind, as the configuration *found* has them."""

    found: Config
    kind: NotifyKind
    ctx: Ctx
    now: float

    def sample(self, rule: Alerting, given: Mapping[str, str], value: float | None) -> Sample:
        watched = [probing.labels(check, self.found.settings.pod) for check in self.found.checks]
        return samples.sample(rule, watched, given, value)

    def of(self, rule: Alerting, element: Sample, channels: Sequence[Channel]) -> dict[str, Any]:
        """The alert that *rule* makes of *element*, and what becomes of it at each of *channels*."""
        around = Surroundings(self.ctx.external_labels, self.ctx.external_url)
        alert = samples.alert(rule, element, self.kind, self.now, around)
        return {
            "alert": rule.name,
            "rule": f"{rule.file}:{rule.line}",
            "kind": self.kind.value,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "value": element.value,
            "channels": [self._at(channel, rule, alert) for channel in channels],
        }

    def _at(self, channel: Channel, rule: Alerting, alert: Alert) -> dict[str, Any]:
        why = self._why_not(channel, rule, alert)
        row: dict[str, Any] = {"name": channel.name, "type": channel.type, "told": not why, "why_not": why}
        if not why:
            message = samples.notification(alert, channel.name, self.kind, self.now)
            draft = channel.draft(message, self.ctx)
            row |= {"text": draft.text, "sent": draft.sent}
        return row

    def _why_not(self, channel: Channel, rule: Alerting, alert: Alert) -> str:
        listeners = {each.name: each for each in self.found.channels}
        policy = Policy(rule.spec.channels, rule.spec.cooldown, rule.spec.repeat)
        facts = Circumstances(listeners, {rule.key: policy}).facts(alert, channel.name, self.now)
        if facts.unrouted:
            return facts.unrouted
        if self.kind is NotifyKind.RESOLVE and not facts.send_resolved:
            return "the channel does not take resolves"
        if self.kind is NotifyKind.REMINDER and facts.repeat <= 0:
            return "the rule is not repeated"
        return ""


def _text(shown: Mapping[str, Any]) -> str:
    title = screen.wrapped(
        f"{shown['alert']} of {shown['rule']}: {shown['kind']}, with made-up data", indent=0, hanging=2
    )
    head = [
        title[0].replace(shown["alert"], click.style(shown["alert"], bold=True), 1),
        *title[1:],
        *screen.wrapped(label_text(shown["labels"].items()), "labels: ", indent=2),
        f"  value:  {safe.number(shown['value'])}",
    ]
    if not shown["channels"]:
        head.append("  nobody is told: there are no channels")
    return "\n\n".join(["\n".join(head), *map(_channel_text, shown["channels"])])


def _channel_text(row: Mapping[str, Any]) -> str:
    name = f"{row['name']} ({row['type']})"
    if not row["told"]:
        return f"{name}: {click.style('not told', fg='yellow')}, {row['why_not']}"
    said = row["text"].rstrip().splitlines()
    # What is JSON is shown as it is sent: a break within a text would make it another.
    whole = not terminal.is_narrow() or said[:1] == ["{"]
    lines = [f"  {line}".rstrip() for line in said] if whole else [short for line in said for short in _folded(line)]
    return "\n".join([f"{name}: {click.style('told', fg='green')}", *lines])


def _folded(line: str) -> list[str]:
    """*line* as it stands in a message, on as many lines as it needs here."""
    begin = "  " + line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line.strip(), terminal.columns(), initial_indent=begin, subsequent_indent=begin, break_on_hyphens=False
    ) or [""]
