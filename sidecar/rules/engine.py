"""All rules of a configuration, and what is remembered of them from turn to turn."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.errors import SidecarError
from sidecar.model.families import ALERTS
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Emit, Family, Kind, Update
from sidecar.promql.querier import Querier
from sidecar.rules import lifecycle, succession
from sidecar.rules.compiled import Alerting, Group, Recording, RuleSet
from sidecar.rules.evaluation import Surroundings, crashed, evaluate, failed
from sidecar.rules.lifecycle import Memory


@dataclass(frozen=True, slots=True)
class Result:
    """What one rule came to in one turn."""

    key: RuleKey
    alerts: tuple[Alert, ...] = ()  # all that the rule holds now, the ended ones too
    changed: tuple[Alert, ...] = ()  # those of them that are not as they were
    dropped: tuple[Alert, ...] = ()  # those that it held before: pending that did not last, ended long ago
    error: str = ""
    broken: str = ""  # a text whose template failed


@dataclass(frozen=True, slots=True)
class Turn:
    """One evaluation of one group."""

    group: str
    at: float
    results: tuple[Result, ...] = ()

    @property
    def failures(self) -> tuple[tuple[RuleKey, str], ...]:
        """The rules that could not be evaluated, and why."""
        return tuple((result.key, result.error) for result in self.results if result.error)

    @property
    def changed(self) -> tuple[Alert, ...]:
        """Every alert that is not as it was."""
        return tuple(alert for result in self.results for alert in result.changed)

    @property
    def dropped(self) -> tuple[Alert, ...]:
        """Every alert that is no more."""
        return tuple(alert for result in self.results for alert in result.dropped)


def sources(group: Group) -> tuple[str, ...]:
    """Under whose name the series of each rule of *group* live; the same wherever in the group a rule stands."""
    seen: Counter[str] = Counter()
    names = []
    for rule in group.rules:
        seen[rule.key.name] += 1
        names.append(f"rules:{group.name}/{rule.key.name}#{seen[rule.key.name]}")
    return tuple(names)


class Engine:
    """Evaluates groups and owns the memory of every rule; *now* is when the samples begin."""

    def __init__(self, rules: RuleSet, now: float, around: Surroundings = Surroundings()) -> None:  # noqa: B008 -- frozen
        self.rules = rules
        self.started: float | None = now
        self.around = around
        self._memories: dict[RuleKey, Memory] = {rule.key: Memory() for rule in rules.alerting}
        self._owners: dict[Labels, RuleKey] = {}
        self._written: set[RuleKey] = set()  # rules whose alerts are among the samples since they began

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Every alert, the ended ones too."""
        return tuple(alert for memory in self._memories.values() for alert in memory.alerts)

    def memory(self, key: RuleKey) -> Memory:
        """What is remembered of the rule *key*."""
        return self._memories.get(key, Memory())

    def turn(
        self,
        group: Group,
        querier: Querier,
        at: float,
        emit: Emit,
        *,
        ready: Callable[[Labels], bool] = lambda _: True,
        blind: Callable[[Alerting, Labels], bool] = lambda _rule, _labels: False,
    ) -> Turn:
        """Evaluate *group* at *at*, in order; what a rule yields is emitted before the next one is evaluated.

        *ready* says whether the checks behind an alert with these labels have a state: until then what was before a
        restart stays. So does an alert of a rule with labels for which we are *blind*, whenever that began.
        """
        if self.started is None:
            self.started = at
        results: list[Result] = []
        for rule, source in zip(group.rules, sources(group), strict=True):
            if isinstance(rule, Recording):
                results.append(_record(rule, querier, at, emit, source))
            else:
                unseen = partial(blind, rule)
                self._blind(rule, at, unseen)
                full = at >= self.started + rule.settling and not self._looks_for_itself(rule)
                settled = partial(_settled, ready, unseen) if full else _never
                results.append(self._alert(rule, querier, at, emit, source, settled=settled))
        return Turn(group.name, at, self._succeeded(group, results, at))

    def _succeeded(self, group: Group, results: Iterable[Result], at: float) -> tuple[Result, ...]:
        """*results*, in which an alert that ended just as another rule took it over did not recover."""
        rules = {rule.key: rule for rule in group.rules if isinstance(rule, Alerting)}
        results = tuple(results)
        begun = [alert for result in results for alert in result.changed if alert.firing and alert.fired_at == at]
        return tuple(self._replaced(result, rules, begun, at) for result in results) if begun else results

    def _replaced(self, result: Result, rules: Mapping[RuleKey, Alerting], begun: list[Alert], at: float) -> Result:
        heirs: dict[Labels, Alert] = {}
        for alert in result.changed:
            if alert.end_reason is EndReason.RECOVERED and alert.ended_at == at:
                heir = next((one for one in begun if succession.takes_over(alert, one, rules)), None)
                if heir is not None:
                    heirs[alert.labels] = replace(alert, end_reason=EndReason.REPLACED, replaced_by=heir.name)
        if not heirs:
            return result
        memory = self._memories[result.key]
        ended = {labels: replace(memory.actives[labels], alert=alert) for labels, alert in heirs.items()}
        self._keep(result.key, replace(memory, actives={**memory.actives, **ended}))
        alerts, changed = (
            tuple(heirs.get(alert.labels, alert) for alert in told) for told in (result.alerts, result.changed)
        )
        return replace(result, alerts=alerts, changed=changed)

    def _alert(
        self, rule: Alerting, querier: Querier, at: float, emit: Emit, source: str, *, settled: lifecycle.Settled
    ) -> Result:
        before = self._memories[rule.key]
        found = evaluate(rule, querier, at, around=self.around, seen=before.seen, watched=before.watched)
        taken = next((e.labels for e in found.elements if self._owners.get(e.labels, rule.key) != rule.key), None)
        if taken is not None:
            owner = self._owners[taken]
            problem = f"yields the alert {taken}, which the rule {owner.name} of group {owner.group} has already"
            found = failed(rule, at, problem)
        after, alerts = lifecycle.advance(rule, before, found, at, settled=settled)
        self._keep(rule.key, after)
        updates = tuple(map(_update, filter(_is_on, alerts)))
        if updates or before.watched:
            emit(Batch(source, at, updates, write=True, whole=True))
        self._written.add(rule.key)
        return _result(rule.key, before, after, found.error, found.broken)

    def _looks_for_itself(self, rule: Alerting) -> bool:
        """Whether *rule* asks for what fires, as in `x > 10 or (x > 8 and ALERTS{…})`, and cannot find its own yet."""
        return rule.key not in self._written and any(
            query.reads is None or ALERTS.name in query.reads for query in rule.queries
        )

    def _blind(self, rule: Alerting, at: float, blind: Callable[[Labels], bool]) -> None:
        if self._memories[rule.key].watched:
            self._memories[rule.key] = lifecycle.blinded(self._memories[rule.key], at, blind)

    def _keep(self, key: RuleKey, memory: Memory) -> None:
        for labels, active in self._memories.get(key, Memory()).actives.items():
            if active.on:
                self._owners.pop(labels, None)
        for labels, active in memory.actives.items():
            if active.on:
                self._owners[labels] = key
        self._memories[key] = memory

    def due(self, group: Group, now: float) -> float | None:
        """When a `for` or `keep_firing_for` of *group* runs out next; the group wants a turn then."""
        times = (
            lifecycle.due(rule, self._memories[rule.key], now) for rule in group.rules if isinstance(rule, Alerting)
        )
        return min((time for time in times if time is not None), default=None)

    def restore(
        self, saved: Iterable[Alert], downtime: float, now: float, gone: Callable[[Labels], bool] = lambda _: False
    ) -> tuple[Alert, ...]:
        """Take up alerts from before a *downtime* that ends now; the answer are those whose rule is no more, ended.

        *gone* names what is not watched any more, by an alert's labels without its rule's: such alerts end, too.
        """
        rules = self.rules.by_key
        by_rule: dict[RuleKey, list[Alert]] = {}
        for alert in saved:
            key = succession.home(alert, self.rules.alerting)
            by_rule.setdefault(key, []).append(replace(alert, rule=key))
        orphans: list[Alert] = []
        for key, alerts in by_rule.items():
            memory = lifecycle.restore(alerts, downtime, now)
            if key in rules:
                self._keep(key, lifecycle.removed(memory, now, _behind(rules[key], gone))[0])
            else:
                orphans += lifecycle.removed(memory, now)[1]
        return tuple(orphans)

    def shift(self, seconds: float) -> None:
        """The clock went forward by *seconds* in which nobody looked: like a downtime of that length."""
        self.started = None  # the next turn begins anew
        self._written.clear()
        for key, memory in self._memories.items():
            self._keep(key, lifecycle.unsettled(lifecycle.shift(memory, seconds)))

    def restart(self, now: float, seconds: float = 0.0) -> None:
        """The samples begin anew at *now*, after a step of the clock by *seconds*.

        What was before is not judged until its rule is settled again, and no time lies in the future.
        """
        self.started = now
        self._written.clear()
        for key, memory in self._memories.items():
            self._keep(key, lifecycle.unsettled(lifecycle.rebased(memory, seconds, now)))

    def forget(
        self, now: float, gone: Callable[[Labels], bool], reason: EndReason = EndReason.REMOVED
    ) -> tuple[Result, ...]:
        """Checks or sources left the configuration, or have other labels: the alerts of their elements end."""
        rules = self.rules.by_key
        results = []
        for key, before in list(self._memories.items()):
            behind = _behind(rules[key], gone) if key in rules else gone
            after, _ = lifecycle.removed(before, now, behind, reason)
            self._keep(key, after)
            results.append(_result(key, before, after))
        return tuple(results)

    def replace(self, rules: RuleSet, now: float, told: Callable[[Alert], bool]) -> tuple[Result, ...]:
        """Go on with *rules*: an equal rule keeps its alerts, a changed one those whose labels stay as they were.

        A rule that moved to another group or file is the same rule.

        Alerts of a rule that is gone end with `removed`. A raised `for` takes an alert back to pending unless somebody
        was *told*.
        """
        before = {rule.key: self._memories[rule.key] for rule in self.rules.alerting}
        heirs = succession.predecessors(self.rules.alerting, rules.alerting)
        self.rules = rules
        for key in before:  # all first, since one rule may take the place of another
            self._keep(key, Memory())
            del self._memories[key]
        results = []
        for key in before.keys() - {rule.key for rule in heirs.values()}:
            after, _ = lifecycle.removed(before[key], now)
            results.append(_result(key, before[key], after))
        for rule in rules.alerting:
            old = heirs.get(rule.key)
            memory = Memory() if old is None else before[old.key]
            after = memory
            if old is not None and old.key != rule.key:
                after = lifecycle.moved(after, rule.key)
            if old is not None and old.spec != rule.spec:
                after = _adopt(old, rule, after, now, told)
            self._keep(rule.key, after)
            if after is not memory:
                results.append(_result(rule.key, memory, after))
        return tuple(results)


def _settled(ready: Callable[[Labels], bool], blind: Callable[[Labels], bool], labels: Labels) -> bool:
    return ready(labels) and not blind(labels)


def _never(_: Labels) -> bool:
    return False


def _behind(rule: Alerting, gone: Callable[[Labels], bool]) -> Callable[[Labels], bool]:
    """*gone*, asked about an alert of *rule* by the labels that its series have."""
    return lambda labels: gone(succession.element(rule, labels))


def _adopt(old: Alerting, new: Alerting, memory: Memory, now: float, told: Callable[[Alert], bool]) -> Memory:
    """*memory* of *old* for the changed rule *new*."""
    actives = dict(memory.actives)
    for labels, active in memory.actives.items():
        if not active.on:
            continue
        alert = active.alert
        renamed = succession.relabelled(old, new, labels)
        if alert.firing and now - alert.active_at < new.spec.for_ and not told(alert):
            alert = replace(alert, state=AlertState.PENDING, fired_at=None)
        if renamed != labels:
            fresh = replace(alert, labels=renamed)
            actives[renamed] = replace(active, alert=fresh)
            if active.alert.firing:
                actives[labels] = lifecycle.ended(active, EndReason.REPLACED, now, fresh.fingerprint)
            else:
                del actives[labels]
        else:
            actives[labels] = replace(active, alert=alert)
    return replace(memory, actives=actives)


def _result(key: RuleKey, before: Memory, after: Memory, error: str = "", broken: str = "") -> Result:
    if not before.actives and not after.actives:
        return Result(key, error=error, broken=broken)  # most rules, most of the time
    old = {active.alert.labels: active.alert for active in before.actives.values()}
    alerts = after.alerts
    changed = tuple(alert for alert in alerts if not _same(old.get(alert.labels), alert))
    dropped = tuple(alert for labels, alert in old.items() if labels not in after.actives)
    return Result(key, alerts, changed, dropped, error, broken)


def _same(old: Alert | None, new: Alert) -> bool:
    """Whether nothing has changed; a NaN is the same as a NaN."""
    return old is not None and (old is new or repr(old) == repr(new))


def _is_on(alert: Alert) -> bool:
    return alert.state is not AlertState.ENDED


def _update(alert: Alert) -> Update:
    return Update(ALERTS, 1.0, alert.labels.with_(alertstate=alert.state.value))


def _record(rule: Recording, querier: Querier, at: float, emit: Emit, source: str) -> Result:
    """Evaluate a recording rule and emit its series."""
    try:
        vector = rule.query.vector(querier, round(at * 1000))
    except SidecarError as exc:
        return Result(rule.key, error=str(exc))
    except Exception as exc:  # noqa: BLE001 -- as for alerts: the other rules go on
        return Result(rule.key, error=crashed(exc))
    series: dict[Labels, float] = {}
    for labels, value in vector:
        final = labels.without("__name__").with_(rule.spec.labels)
        if final in series:
            problem = f"yields two series with the labels {final}; expected labels that tell them apart"
            return Result(rule.key, error=problem)
        series[final] = value
    if rule.limit and len(series) > rule.limit:
        return Result(rule.key, error=f"yields {len(series)} series, the group's limit is {rule.limit}")
    family = Family(rule.spec.record, Kind.GAUGE, "Recorded by a rule.")
    emit(Batch(source, at, tuple(Update(family, value, labels) for labels, value in series.items())))
    return Result(rule.key)
