"""What a notification says, before any channel gives it a form.

Everything in a Message is safe to show (`templating.safe`): one line each, bounded, no control characters. A channel
only escapes for its own markup.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from enum import StrEnum
from typing import Final

from sidecar.model.alerts import Alert, EndReason, severity_rank
from sidecar.model.labels import Labels
from sidecar.model.notifications import STORM, Notification, NotifyKind, Told
from sidecar.templating import facts, links, safe, times
from sidecar.templating.facts import Fact
from sidecar.templating.links import Command, Link

MOST_ALERTS: Final = 10
"""How many alerts of one notification are told in full; the rest are counted."""

_MOST_LABELS: Final = 20
_MOST_ANNOTATIONS: Final = 8
_MOST_NAMES: Final = 10
_LATE: Final = 60.0  # seconds from decision to telling from which on the delay is worth a word
_TEXTS: Final = ("summary", "message", "title", "description", "next_step")
_SUBJECTS: Final = ("check", "model", "target")


class Tone(StrEnum):
    """How a message looks at a glance."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    GOOD = "good"
    NEUTRAL = "neutral"  # over, but nobody can say that it is well


@dataclass(frozen=True, slots=True)
class Context:
    """What a message needs to know beside the notification. `now` is when it is sent, in seconds since the epoch."""

    now: float
    external_url: str = ""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Item:
    """One alert of a message, in the order in which every form tells it."""

    name: str
    severity: str
    state: str  # "FIRING", "RECOVERED after 10m", "CLOSED (no data)"
    subject: str  # what it is about: "check gateway"; may be empty
    summary: str  # empty at its end, when the facts tell what it said
    description: str
    next_step: str
    facts: tuple[Fact, ...]  # in the order in which a person asks
    labels: tuple[tuple[str, str], ...]
    links: tuple[Link, ...]
    commands: tuple[Command, ...]  # while it fires

    @property
    def title(self) -> str:
        return f"{self.name} ({self.severity})" if self.severity else self.name

    @property
    def heading(self) -> str:
        """What it is called among others: `FIRING: ClaudeDown (critical) – check gateway`."""
        return f"{self.state}: {self.title}" + (f" – {self.subject}" if self.subject else "")


@dataclass(frozen=True, slots=True)
class Message:
    """A notification in words."""

    id: str
    kind: NotifyKind
    tone: Tone
    severity: str  # the worst of its alerts'
    state: str
    headline: str
    lead: str  # why now, when that is not plain; may be empty
    items: tuple[Item, ...]
    more: str  # the alerts beyond MOST_ALERTS, counted by name; may be empty
    labels: tuple[tuple[str, str], ...]  # external labels: which cluster speaks

    @property
    def alone(self) -> bool:
        """Whether it is about one alert, whose title and state the headline tells already."""
        return len(self.items) == 1 and not self.more


def compose(notification: Notification, context: Context) -> Message:
    """*notification* in words, for any channel."""
    told = ranked(notification)
    local = times.zone(context.timezone)
    items = tuple(_told_once(_item(t, notification, context, local) for t in told[:MOST_ALERTS]))
    worst = safe.line(told[0].alert.severity, 40) if told else ""
    state = _state_of_all(notification, context, told)
    return Message(
        id=notification.id,
        kind=notification.kind,
        tone=_tone(notification, told),
        severity=worst,
        state=state,
        headline=safe.line(_headline(state, items, told, worst), 250),
        lead=_lead(notification, context),
        items=items,
        more=_more(told[MOST_ALERTS:]),
        labels=tuple(_shown_labels(context.external_labels)),
    )


def ranked(notification: Notification) -> list[Told]:
    """What is told in *notification*: first the MOST_ALERTS that are told in full, the worst first, then the rest.

    Of a storm each rule has one that is told in full before any has two: the rest of a kind is more of the same.
    """
    told = sorted(notification.alerts, key=_worst_first)
    firsts = {t.alert.name: t for t in reversed(told)}
    full = sorted(told, key=lambda t: (firsts[t.alert.name] is not t, *_worst_first(t)))[:MOST_ALERTS]
    chosen = {id(t) for t in full}
    return [*sorted(full, key=_worst_first), *(t for t in told if id(t) not in chosen)]


def _worst_first(told: Told) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    return severity_rank(told.alert.severity), told.alert.name, tuple(told.alert.labels.items())


def bare(notification: Notification, problem: str) -> Message:
    """The least that can be said of *notification*, when `compose` failed with *problem*."""
    names = safe.line(", ".join(t.alert.name for t in notification.alerts[:MOST_ALERTS]), 200)
    state = "FIRING" if notification.firing else "ENDED"
    lead = f"This message could not be written in full: {safe.line(problem)}"
    tone = Tone.CRITICAL if notification.firing else Tone.NEUTRAL
    return Message(notification.id, notification.kind, tone, "", state, f"{state}: {names}", lead, (), "", ())


def _headline(state: str, items: tuple[Item, ...], told: list[Told], severity: str) -> str:
    count = len(told)
    if count == 1:
        item = items[0]
        what = item.summary or item.subject
        return f"{state}: {item.title}" + (f" – {what}" if what else "")
    return f"{state}: {count} alerts" + (f" ({severity})" if severity else "") + f" – {_counted(told)}"


def _subject(alert: Alert) -> str:
    """What *alert* is about, when no summary says so: `check gateway`."""
    name = next((name for name in _SUBJECTS if name in alert.labels), "")
    return f"{name} {safe.line(alert.labels[name], 120)}" if name else ""


def _lead(notification: Notification, context: Context) -> str:
    sentences = []
    if notification.kind is NotifyKind.REMINDER and any(t.reason == "silence ended" for t in notification.alerts):
        sentences.append("The silence ended, and this is still firing.")
    if notification.kind is NotifyKind.CLOSED:
        sentences.append("It was over before this could be delivered.")
    if notification.group_key.startswith(f"{STORM}-"):
        sentences.append(f"{len(notification.alerts)} at once, told together.")
    late = context.now - notification.created_at
    if late >= _LATE:
        at = times.clock(notification.created_at, context.now)
        sentences.append(f"Told late: decided at {at}, delivered {times.span(late)} after.")
    return " ".join(sentences)


def _more(told: list[Told]) -> str:
    if not told:
        return ""
    return f"and {len(told)} more: {_counted(told)}"


def _counted(told: list[Told]) -> str:
    """The alerts' names, the worst first: `ClaudeDown ×3, ClaudeSlow`."""
    counts = Counter(safe.line(t.alert.name, 80) for t in sorted(told, key=_worst_first))
    named = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in list(counts.items())[:_MOST_NAMES])
    return named + (", …" if len(counts) > _MOST_NAMES else "")


def next_step(told: Told) -> str:
    """What to do, as the rule says, or else as the failed probe does; may be empty."""
    return safe.line(told.alert.annotations.text("next_step") or told.advice, 800)


def _told_once(items: Iterable[Item]) -> Iterator[Item]:
    """*items*; what one before of the same name said in the same words is not said again."""
    said: set[tuple[str, str]] = set()
    for item in items:
        texts = item.summary, item.description, item.next_step
        summary, description, next_step = ("" if (item.name, text) in said else text for text in texts)
        said.update((item.name, text) for text in texts)
        yield replace(item, summary=summary, description=description, next_step=next_step)


def _item(told: Told, notification: Notification, context: Context, local: tzinfo) -> Item:
    alert = told.alert
    note = alert.annotations
    well = not notification.firing and alert.end_reason is EndReason.RECOVERED
    return Item(
        name=safe.line(alert.name, 100) or "(no alertname)",
        severity=safe.line(alert.severity, 40),
        state=_state(notification.kind, alert, context.now),
        subject=_subject(alert),
        # In the present tense of the opening: at the end it would say what is no longer so.
        summary=facts.summary(alert) if notification.firing else "",
        # For whoever hears of it only now, it is told all the same.
        description="" if notification.kind is NotifyKind.RESOLVE else safe.line(note.text("description"), 1500),
        next_step="" if well else next_step(told),  # nothing is left to be done
        facts=(*facts.of(told, notification, context.now, local), *_other_annotations(note)),
        labels=tuple(_shown_labels(alert.labels.without("alertname", "severity"))),
        links=tuple(links.links(alert, context.external_url)),
        commands=tuple(links.commands(alert)) if notification.firing else (),
    )


def _state(kind: NotifyKind, alert: Alert, now: float) -> str:
    match kind:
        case NotifyKind.OPENING:
            return "FIRING"
        case NotifyKind.REMINDER:
            since = f" for {times.span(now - alert.fired_at)}" if alert.fired_at is not None else ""
            return f"STILL FIRING{since}"
        case NotifyKind.RESOLVE | NotifyKind.CLOSED:
            prefix = "FIRED AND " if kind is NotifyKind.CLOSED else ""
            if alert.end_reason is EndReason.RECOVERED:
                return f"{prefix}RECOVERED{_after(alert)}"
            _, _, why = facts.end_words(alert).partition(": ")
            return f"{prefix}CLOSED" + (f" ({why})" if why else "")


def _after(alert: Alert) -> str:
    if alert.ended_at is None or alert.fired_at is None:
        return ""
    return f" after {times.span(alert.ended_at - alert.fired_at)}"


def _state_of_all(notification: Notification, context: Context, told: list[Told]) -> str:
    """The state that all alerts share, or the word that holds for each of them."""
    states = {_state(notification.kind, t.alert, context.now) for t in told}
    if len(states) == 1:
        return states.pop()
    recovered = all(t.alert.end_reason is EndReason.RECOVERED for t in told)
    match notification.kind:
        case NotifyKind.REMINDER:
            return "STILL FIRING"
        case NotifyKind.CLOSED:
            return "FIRED AND RECOVERED" if recovered else "FIRED AND CLOSED"
        case NotifyKind.RESOLVE if recovered:
            return "RECOVERED"
        case _:
            return "CLOSED"  # not all of them recovered


def _tone(notification: Notification, told: list[Told]) -> Tone:
    if not notification.firing:
        recovered = all(t.alert.end_reason is EndReason.RECOVERED for t in told)
        return Tone.GOOD if recovered else Tone.NEUTRAL
    rank = severity_rank(told[0].alert.severity) if told else 3
    return Tone.CRITICAL if rank <= 1 else Tone.WARNING if rank == 2 else Tone.INFO


def _shown_labels(labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for i, (name, value) in enumerate(labels.items()):
        if i == _MOST_LABELS:
            yield "…", f"{len(labels) - i} more"
            return
        yield safe.line(name, 60), safe.line(value, 120)


def _other_annotations(annotations: Labels) -> Iterator[Fact]:
    """Annotations that have no place of their own."""
    known = {*_TEXTS, *(name for names in links.ANNOTATIONS.values() for name in names)}
    others = [name for name in annotations if name not in known and not name.startswith(("sidecar_", "__"))]
    for name in others[:_MOST_ANNOTATIONS]:
        yield Fact(safe.line(name, 60), safe.line(annotations[name]))
    for text in links.ANNOTATIONS:
        for value in links.texts(annotations, text):
            if not safe.url(value):
                yield Fact(text, safe.line(value))  # a place in words: "see the wiki, page Claude"
