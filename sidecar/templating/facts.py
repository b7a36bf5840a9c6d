"""What is known about an alert, in the order in which a person asks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo

from sidecar.model.alerts import Alert, EndReason
from sidecar.model.notifications import Notification, NotifyKind, Told, Trend
from sidecar.templating import safe, strips, times


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, with its name."""

    name: str
    value: str
    strip: str = ""  # characters of one width that stand before the value

    @property
    def text(self) -> str:
        """All of it, where every character has one width."""
        return f"{self.strip} ({self.value})" if self.strip and self.value else self.strip or self.value


def of(told: Told, notification: Notification, now: float, local: tzinfo) -> tuple[Fact, ...]:
    """Names and values: `Value` → `4.2 > 3 (412 samples)`; times in UTC and *local*."""
    if notification.firing:
        return tuple(_firing(told, notification, now, local))
    return tuple(_ended(told, notification, local))


def value_words(alert: Alert) -> str:
    """The value against the threshold, with the observations behind it: `p95 4.2 > 3 (p95 of 412)`."""
    quantile = _quantile(alert)
    figure = safe.number(alert.value)
    if math.isnan(alert.value):
        return f"{figure} (alerts on {safe.line(alert.condition, 80)})" if alert.condition else figure
    words = " ".join(filter(None, (quantile, figure, safe.line(alert.condition, 80))))
    if alert.samples is None:
        return words
    count = safe.number(alert.samples)
    if quantile:
        return f"{words} ({quantile} of {count})"
    return f"{words} ({count} sample{'' if count == '1' else 's'})"


def trend_text(trend: Trend) -> str:
    """How a value got where it is, in one line: `▁▁▂▅█ (min 0.8, max 4.2)`."""
    return Fact("", strips.legend(trend), strips.drawn(trend)).text


def summary(alert: Alert) -> str:
    """What *alert* says of itself in a few words, in the present tense of its firing; may be empty."""
    note = alert.annotations
    return safe.line(note.text("summary") or note.text("message") or note.text("title"))


def end_words(alert: Alert) -> str:
    """Why *alert* ended: recovered only if it did."""
    match alert.end_reason:
        case EndReason.RECOVERED:
            return "recovered"
        case EndReason.NO_DATA:
            return "closed: no data"
        case EndReason.REMOVED:
            return "closed: no longer watched"
        case EndReason.REPLACED:
            by = safe.line(alert.replaced_by, 40)
            return f"closed: replaced by {by}" if by else "closed: replaced"
        case None:
            return "closed"


def _firing(told: Told, notification: Notification, now: float, local: tzinfo) -> Iterator[Fact]:
    alert = told.alert
    fired_at = alert.fired_at if alert.fired_at is not None else notification.created_at
    if _has_figure(alert):
        yield Fact("Value", value_words(alert))
    yield from _trend(told)
    yield from _blame(told)
    yield from _evidence(told, "Last probe")
    if not _at_once(alert, fired_at):
        yield Fact("Failing since", times.instant(alert.active_at, local))
    lasts = f", for {times.span(now - fired_at)}" if now - fired_at >= 1 else ""
    yield Fact("Firing since", times.instant(fired_at, local) + lasts)
    if notification.kind is NotifyKind.REMINDER:
        yield from _peak(alert)
    yield from _history(told)


def _ended(told: Told, notification: Notification, local: tzinfo) -> Iterator[Fact]:
    alert = told.alert
    fired_at = alert.fired_at if alert.fired_at is not None else told.opened_at
    ended_at = alert.ended_at if alert.ended_at is not None else notification.created_at
    at_once, late = _at_once(alert, fired_at), notification.kind is NotifyKind.CLOSED
    yield Fact("Why it ended", end_words(alert))
    if late:
        fired, ended = times.clock(fired_at, ended_at), times.clock(ended_at, ended_at)
        yield Fact("In short", f"fired {fired}, {end_words(alert)} {ended}, told late")
    failed = "" if at_once else f" (failing for {times.span(ended_at - alert.active_at)})"
    yield Fact("Lasted", times.span(ended_at - fired_at) + failed)
    yield from _peak(alert)
    if _has_figure(alert) and not math.isnan(alert.value):
        yield Fact("Last value", f"{value_words(alert)}, while firing")
    yield from _trend(told)
    if said := summary(alert):
        yield Fact("While firing", said)
    if late:
        yield from _blame(told)
        yield from _evidence(told, "Last failed probe")
    if not at_once:
        yield Fact("Failing since", times.instant(alert.active_at, local))
    yield Fact("Fired", times.instant(fired_at, local))
    yield Fact("Ended", times.instant(ended_at, local))
    yield from _history(told)


def _has_figure(alert: Alert) -> bool:
    """Whether the value says anything: under `== 0` it is 0 and was never worse."""
    return not alert.condition.startswith("==") or math.isnan(alert.value)


def _at_once(alert: Alert, fired_at: float) -> bool:
    """Whether it fired as soon as it failed, so that both times would say the same."""
    return abs(fired_at - alert.active_at) <= 1


def _evidence(told: Told, name: str) -> Iterator[Fact]:
    if told.evidence:
        yield Fact(name, safe.line(told.evidence))


def _trend(told: Told) -> Iterator[Fact]:
    if told.trend is not None:
        yield Fact(strips.reach(told.trend), strips.legend(told.trend), strips.drawn(told.trend))


def _blame(told: Told) -> Iterator[Fact]:
    if told.blame is not None:
        yield Fact("Whose fault", safe.line(str(told.blame), 400))


def _peak(alert: Alert) -> Iterator[Fact]:
    if _has_figure(alert) and alert.peak is not None and not math.isnan(alert.peak):
        condition = safe.line(alert.condition, 80)
        yield Fact("Peak", f"{safe.number(alert.peak)}" + (f" (alerts on {condition})" if condition else ""))


def _history(told: Told) -> Iterator[Fact]:
    if told.flips:
        yield Fact("Flips", f"ended {'once' if told.flips == 1 else f'{told.flips} times'} since the opening before")
    if told.alert.note:
        yield Fact("Note", safe.line(told.alert.note))


def _quantile(alert: Alert) -> str:
    """Which percentile the value is: by its rule, or as its label says."""
    quantile = alert.quantile
    try:
        quantile = float(alert.labels.text("quantile")) if quantile is None else quantile
    except ValueError:
        return ""
    return f"p{quantile * 100:g}" if 0 <= quantile <= 1 else ""
