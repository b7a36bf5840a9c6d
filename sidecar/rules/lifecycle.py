"""Prometheus' half of an alert's life: pending, firing, ended."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.rules.compiled import Alerting
from sidecar.rules.evaluation import EVALUATION_ERROR, Element, Evaluation, corresponds, origin_of

RETENTION: Final = 900.0
"""Seconds for which an ended alert is kept."""
MAX_DOWNTIME: Final = 3600.0
"""Seconds of downtime after which a pending alert is forgotten."""
MAX_SEEN: Final = 1000
"""How many elements of a subject a rule with `on_no_data: alert` remembers."""

_TICK: Final = 0.0005  # times are compared to the millisecond
SETTLING, NO_DATA, KEPT = "settling", "no data", "keep_firing_for"

Settled = Callable[[Labels], bool]
"""Whether an alert with these labels can be judged: its checks have a state, its rule's windows are full."""


@dataclass(frozen=True, slots=True)
class Active:
    """An alert, and what it takes to judge it."""

    alert: Alert
    origin: frozenset[Labels] = frozenset()  # the subject's elements behind it; empty when not known
    restored: bool = False  # from before a restart, and not seen since
    paused_at: float | None = None  # since then `for` stands still, until the condition is seen to hold again
    about: str = ""  # "error" or "silence": an alert about the rule, not about an element

    @property
    def on(self) -> bool:
        """Whether it is pending or firing."""
        return self.alert.state is not AlertState.ENDED


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one rule from turn to turn."""

    actives: Mapping[Labels, Active] = field(default_factory=dict)  # by their labels, the ended ones too
    seen: tuple[Labels, ...] = ()  # elements of the subject that had data; kept for `on_no_data: alert`
    answered: bool = False  # the subject had data since the rule was loaded

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Every alert of the rule."""
        return tuple(active.alert for active in self.actives.values())

    @property
    def watched(self) -> bool:
        """Whether there is an alert to judge."""
        return any(active.on for active in self.actives.values())


def advance(
    rule: Alerting, memory: Memory, evaluation: Evaluation, now: float, *, settled: Settled = lambda _: True
) -> tuple[Memory, tuple[Alert, ...]]:
    """The rule's memory and all its alerts after *evaluation*.

    Until they are *settled*, alerts from before a restart are not judged: an empty window is no recovery.
    """
    true = _true(rule, memory, evaluation, settled=settled)
    actives: dict[Labels, Active] = {}
    for labels, active in memory.actives.items():
        if labels in true:
            continue
        judged = _judge(rule, active, evaluation, now, settled=settled)
        if judged is not None:
            actives[labels] = judged
    for labels, (element, about) in true.items():
        actives[labels] = _on(rule, memory.actives.get(labels), element, about, now)
    seen = memory.seen
    if evaluation.present and rule.spec.on_no_data == "alert":
        seen = tuple(dict.fromkeys((*seen, *sorted(evaluation.present, key=str))))[-MAX_SEEN:]
    memory = Memory(actives, seen, memory.answered or bool(evaluation.present))
    return memory, memory.alerts


def _true(
    rule: Alerting, memory: Memory, evaluation: Evaluation, *, settled: Settled
) -> Mapping[Labels, tuple[Element, str]]:
    """What counts as true in this turn, by the labels of the alert."""
    if evaluation.error:
        failure = evaluation.failure
        return {failure.labels: (failure, "error")} if failure else {}
    true = {element.labels: (element, "") for element in evaluation.elements}
    if rule.spec.on_no_data != "alert":
        return true
    for labels, active in memory.actives.items():
        if active.restored and not settled(labels):
            continue  # an empty window is no lack of data, either
        if active.on and not active.about and labels not in true and _no_data(rule, active, evaluation):
            alert = active.alert
            true[labels] = (Element(labels, math.nan, alert.annotations, None, active.origin, NO_DATA), "")
    known = {origin for active in memory.actives.values() if active.on for origin in active.origin}
    for origin, element in evaluation.vanished.items():
        if origin not in known and settled(element.labels):
            true.setdefault(element.labels, (element, ""))
    silent = evaluation.silent
    if silent and not memory.answered and settled(silent.labels) and not any(not about for _, about in true.values()):
        true[silent.labels] = (silent, "silence")
    return true


def _on(rule: Alerting, before: Active | None, element: Element, about: str, now: float) -> Active:
    """The alert of something that is true."""
    if before is not None and before.on:
        alert = replace(
            before.alert,
            active_at=_resumed(before, now),
            value=element.value,
            annotations=element.annotations,
            samples=element.samples,
            quantile=rule.query.quantile,
            peak=worse(rule.query.condition, before.alert.peak, element.value),
            keep_firing_since=None,
            note=element.note,
        )
    else:
        alert = Alert(
            rule=rule.key,
            labels=element.labels,
            state=AlertState.PENDING,
            active_at=now,
            value=element.value,
            annotations=element.annotations,
            peak=worse(rule.query.condition, None, element.value),
            condition=rule.query.condition,
            samples=element.samples,
            quantile=rule.query.quantile,
            note=element.note,
        )
    if alert.state is AlertState.PENDING and now - alert.active_at >= rule.spec.for_ - _TICK:
        alert = replace(alert, state=AlertState.FIRING, fired_at=now)
    return Active(alert, element.origin or (before.origin if before and before.on else frozenset()), about=about)


def _resumed(active: Active, now: float) -> float:
    """When the alert became active, less the time in which nobody could know whether its condition held."""
    alert = active.alert
    if alert.state is AlertState.PENDING and active.paused_at is not None:
        return alert.active_at + max(0.0, now - active.paused_at)
    return alert.active_at


def _judge(rule: Alerting, active: Active, evaluation: Evaluation, now: float, *, settled: Settled) -> Active | None:
    """An alert that is not true in this turn; None when nothing is left of it."""
    alert = active.alert
    if alert.state is AlertState.ENDED:
        ended_at = alert.ended_at if alert.ended_at is not None else now
        return active if now - ended_at <= RETENTION else None
    if evaluation.error:
        return active
    successor = _successor(rule, active, evaluation) if active.restored else None
    if active.restored and successor is None and not settled(alert.labels):
        return replace(active, alert=replace(alert, note=SETTLING))
    if alert.state is AlertState.PENDING:
        return None
    if successor is not None:
        return ended(active, EndReason.REPLACED, now, successor.fingerprint())
    no_data = not active.about and _no_data(rule, active, evaluation)
    if no_data and rule.spec.on_no_data == "keep":
        return replace(active, alert=replace(alert, note=NO_DATA))
    since = now if alert.keep_firing_since is None else alert.keep_firing_since
    if now - since < rule.spec.keep_firing_for - _TICK:
        return replace(active, alert=replace(alert, keep_firing_since=since, note=KEPT))
    return ended(active, EndReason.NO_DATA if no_data else EndReason.RECOVERED, now)


def _successor(rule: Alerting, active: Active, evaluation: Evaluation) -> Labels | None:
    """The alert that says the same under other labels, because the rule's or the check's were changed meanwhile."""
    ours = ("alertname", *(name for name, _ in rule.labels))
    own = active.alert.labels.without(*ours)
    for element in evaluation.elements:
        its = element.labels.without(*ours)
        if its == own or (own not in (evaluation.present or ()) and corresponds(own, its)):
            return element.labels
    return None


def _no_data(rule: Alerting, active: Active, evaluation: Evaluation) -> bool:
    """Whether the subject returned what is behind the alert before, and does not now."""
    if evaluation.present is None:
        return False
    if active.origin:
        return not active.origin & evaluation.present
    own = active.alert.labels.without("alertname", *(name for name, _ in rule.labels))
    return not origin_of(own, evaluation.present)


def ended(active: Active, reason: EndReason, now: float, replaced_by: str = "") -> Active:
    """*active*, over."""
    alert = replace(
        active.alert,
        state=AlertState.ENDED,
        ended_at=now,
        end_reason=reason,
        replaced_by=replaced_by,
        keep_firing_since=None,
        note="",
    )
    return replace(active, alert=alert, restored=False)


def worse(condition: str, before: float | None, value: float) -> float | None:
    """The worse of two values on the side that the rule's comparison calls worse; NaN is none."""
    if math.isnan(value):
        return before
    if before is None:
        return value
    return min(before, value) if condition.startswith("<") else max(before, value)


def due(rule: Alerting, memory: Memory, now: float) -> float | None:
    """When the next `for` or `keep_firing_for` runs out, after *now*; None when none runs."""
    times = []
    for active in memory.actives.values():
        alert = active.alert
        if alert.state is AlertState.PENDING:
            times.append(alert.active_at + rule.spec.for_)
        elif alert.state is AlertState.FIRING and alert.keep_firing_since is not None:
            times.append(alert.keep_firing_since + rule.spec.keep_firing_for)
    return min((time for time in times if time > now), default=None)


def restore(saved: Iterable[Alert], downtime: float, now: float) -> Memory:
    """The memory of a rule whose alerts were *saved* before a *downtime* that ends now.

    Pending alerts lose the downtime, and are forgotten after an hour of it; firing ones are kept whatever it was.
    Neither is judged until it is settled. Ended ones are kept as long as they would have been.
    """
    actives: dict[Labels, Active] = {}
    for alert in saved:
        if alert.state is AlertState.PENDING and downtime <= MAX_DOWNTIME:
            moved = replace(alert, active_at=alert.active_at + downtime, note=SETTLING)
            actives[alert.labels] = Active(moved, restored=True, paused_at=now, about=_about(alert))
        elif alert.state is AlertState.FIRING:
            since = alert.keep_firing_since
            kept = replace(alert, keep_firing_since=None if since is None else since + downtime, note=SETTLING)
            actives[alert.labels] = Active(kept, restored=True, about=_about(alert))
        elif alert.state is AlertState.ENDED and now - (alert.ended_at or 0.0) <= RETENTION:
            actives[alert.labels] = Active(alert)
    return Memory(actives)


def _about(alert: Alert) -> str:
    return "error" if alert.labels.text("reason") == EVALUATION_ERROR else ""


def shift(memory: Memory, seconds: float) -> Memory:
    """*memory* after *seconds* in which nobody looked: running clocks lose that time."""
    actives = {}
    for labels, active in memory.actives.items():
        alert = active.alert
        if alert.state is AlertState.PENDING:
            alert = replace(alert, active_at=alert.active_at + seconds)
        elif alert.keep_firing_since is not None:
            alert = replace(alert, keep_firing_since=alert.keep_firing_since + seconds)
        actives[labels] = replace(active, alert=alert)
    return replace(memory, actives=actives)


def unsettled(memory: Memory) -> Memory:
    """*memory* whose alerts are not judged before their rule is settled again."""
    actives = {labels: replace(active, restored=active.on) for labels, active in memory.actives.items()}
    return replace(memory, actives=actives)


def blinded(memory: Memory, now: float, blind: Callable[[Labels], bool]) -> Memory:
    """*memory* at *now*, of whose alerts those about what we are *blind* for wait until they are settled again."""
    actives = dict(memory.actives)
    for labels, active in memory.actives.items():
        if active.on and blind(labels):
            paused = now if active.alert.state is AlertState.PENDING and active.paused_at is None else active.paused_at
            actives[labels] = replace(active, restored=True, paused_at=paused)
    return replace(memory, actives=actives)


def rebased(memory: Memory, seconds: float, now: float) -> Memory:
    """*memory* after the clock stepped by *seconds*: every time moves along, and none lies after *now*."""

    def moved(time: float | None) -> float | None:
        return None if time is None else min(time + seconds, now)

    actives = {}
    for labels, active in memory.actives.items():
        alert = active.alert
        actives[labels] = replace(
            active,
            paused_at=now if alert.state is AlertState.PENDING else None,
            alert=replace(
                alert,
                active_at=min(alert.active_at + seconds, now),
                fired_at=moved(alert.fired_at),
                ended_at=moved(alert.ended_at),
                keep_firing_since=moved(alert.keep_firing_since),
            ),
        )
    return replace(memory, actives=actives)


def moved(memory: Memory, rule: RuleKey) -> Memory:
    """*memory* of a rule that is called *rule* now."""
    actives = {
        labels: replace(active, alert=replace(active.alert, rule=rule)) for labels, active in memory.actives.items()
    }
    return replace(memory, actives=actives)


def removed(
    memory: Memory,
    now: float,
    gone: Callable[[Labels], bool] = lambda _: True,
    reason: EndReason = EndReason.REMOVED,
) -> tuple[Memory, tuple[Alert, ...]]:
    """*memory* after what *gone* names (by an alert's labels or an element's) left the configuration, for *reason*."""
    actives: dict[Labels, Active] = {}
    for labels, active in memory.actives.items():
        if not active.on or not (gone(labels) or (active.origin and all(map(gone, active.origin)))):
            actives[labels] = active
        elif active.alert.firing:
            actives[labels] = ended(active, reason, now)
    memory = replace(memory, actives=actives, seen=tuple(one for one in memory.seen if not gone(one)))
    return memory, memory.alerts
