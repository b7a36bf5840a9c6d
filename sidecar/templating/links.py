"""Where to go from a message: pages to open, and commands to paste."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.model.alerts import Alert
from sidecar.model.labels import Labels
from sidecar.templating import safe

ANNOTATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Runbook": ("runbook_url", "runbook"),
    "Dashboard": ("dashboard_url", "dashboard"),
}
"""Annotations that are links, by what they are called in a message."""

SILENCED_FOR: Final = "2h"
_LONGEST: Final = 300
_NAME: Final = re.compile(r"[A-Za-z_][\w:.\-]*")
# What a shell, Slack or HTML would change or obey stays out: an altered command would silence another alert.
_PLAIN: Final = re.compile(r"(?![ =~])[\w .:/%+,=~;|()\[\]{}*?$#^-]*(?<! )", re.ASCII)
_BARE: Final = re.compile(r"[\w.:/%+,-]*", re.ASCII)  # what no shell reads as more than it says
_IDENTITY: Final = ("alertname", "severity")
_OF_THE_CHECK: Final = ("type", "target", "critical")  # its name says as much


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    url: str  # http or https, escaped


@dataclass(frozen=True, slots=True)
class Command:
    text: str
    line: str  # for a shell; printable ASCII, without quotes other than its own


def links(alert: Alert, external_url: str) -> Iterator[Link]:
    """The pages about *alert*: its own first, then those that its annotations name."""
    if page := alert_url(external_url, alert):
        yield Link("Alert", page)
    for text in ANNOTATIONS:
        if url := annotated(alert.annotations, text):
            yield Link(text, url)


def alert_url(external_url: str, alert: Alert) -> str:
    """The status page's page of *alert*; empty without an `external_url`."""
    return safe.url(f"{external_url.rstrip('/')}/alerts/{alert.fingerprint}") if external_url else ""


def annotated(annotations: Labels, text: str) -> str:
    """The link that is called *text* in a message, as far as there is one that may be followed."""
    return next((url for value in texts(annotations, text) if (url := safe.url(value))), "")


def texts(annotations: Labels, text: str) -> list[str]:
    """What the annotations say that are for the link *text*."""
    return [annotations[name] for name in ANNOTATIONS[text] if name in annotations]


def commands(alert: Alert) -> Iterator[Command]:
    """What to paste into a shell about *alert*, while it fires."""
    if line := ack(alert):
        yield Command("Acknowledge", line)
    if line := silence(alert):
        yield Command(f"Silence for {SILENCED_FOR}", line)


def ack(alert: Alert) -> str:
    """Says that somebody works on *alert*; empty in the rare case that its fingerprint could be a rule's name."""
    fingerprint = alert.fingerprint
    return f"sidecar ack {fingerprint}" if any(char.isdigit() for char in fingerprint) else ""


def silence(alert: Alert) -> str:
    """Silences *alert* and nothing else of its rule; empty when its labels cannot be written in one line safely."""
    if not _NAME.fullmatch(alert.name):
        return ""
    names = list(silenced(alert.labels))
    if not all(_PLAIN.fullmatch(alert.labels[name]) and _NAME.fullmatch(name) for name in names):
        return ""
    words = [_quoted(f"{name}={alert.labels[name]}") for name in names]
    line = " ".join(["sidecar silence add", f"alertname={alert.name}", *words, "--for", SILENCED_FOR])
    return line if len(line) <= _LONGEST else ""


def silenced(labels: Labels) -> Iterable[str]:
    """The names of the labels, beside the rule's name, that tell an alert from the others of its rule."""
    known = (*_IDENTITY, *(_OF_THE_CHECK if "check" in labels else ()))
    return [name for name in labels if name not in known]


def _quoted(word: str) -> str:
    name, _, value = word.partition("=")
    return word if _BARE.fullmatch(value) else f"'{name}={value}'"
