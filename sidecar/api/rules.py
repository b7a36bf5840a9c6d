"""Rules as Prometheus' API has them, with ours beside."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Final, Literal, Protocol

from aiohttp import web
from pydantic import Field

from sidecar.api.alerts import ShownAlert, Telling, active, shown
from sidecar.api.endpoint import AskedAsPrometheus, Part, get
from sidecar.api.evaluations import Evaluations
from sidecar.api.moments import Stamp, iso
from sidecar.api.paced import paced
from sidecar.api.problems import ApiError, Word
from sidecar.model.alerts import AlertState, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher
from sidecar.promql import QueryError, selector
from sidecar.rules.compiled import Alerting, CompiledRule, Group, Recording, RuleSet
from sidecar.secrets import redact

NEVER: Final = "0001-01-01T00:00:00Z"
"""Go's zero time, which Prometheus shows for what was never evaluated."""


class Ruling(Telling, Protocol):
    """Who knows about rules and their alerts."""

    @property
    def rule_set(self) -> RuleSet: ...
    @property
    def evaluations(self) -> Evaluations: ...


class AskedRules(AskedAsPrometheus):
    """Which rules."""

    type: Literal["alert", "record"] | None = Field(None, description="Rules of one kind only.")
    rule_name: tuple[str, ...] = Field((), alias="rule_name[]", description="Names of rules.")
    rule_group: tuple[str, ...] = Field((), alias="rule_group[]", description="Names of groups.")
    file: tuple[str, ...] = Field((), alias="file[]", description="Rule files.")
    match: tuple[str, ...] = Field((), alias="match[]", description='Selectors of rules by label: {severity="page"}.')
    exclude_alerts: bool = Field(False, description="Whether the alerts are left out.")


class ShownAlerting(Part):
    """An alerting rule: Prometheus' fields, then ours."""

    type: Literal["alerting"] = Field("alerting", description="Tells it from a recording rule.")
    name: str = Field(description="The rule's name.")
    query: str = Field(description="Its expression, vars filled in.")
    state: Literal["inactive", "pending", "firing"] = Field(description="The furthest that any of its alerts has come.")
    duration: float = Field(description="Seconds for which the condition must hold.")
    keep_firing_for: float = Field(alias="keepFiringFor", description="In seconds.")
    labels: dict[str, str] = Field(description="Labels that it sets; templates.")
    annotations: dict[str, str] = Field(description="Its texts; templates.")
    alerts: list[ShownAlert] = Field(description="Its active alerts.")
    health: Literal["unknown", "ok", "err"] = Field(description="How its last evaluation went.")
    last_error: str = Field(alias="lastError", description="Why it failed.")
    evaluation_time: float = Field(alias="evaluationTime", description="Seconds that its group's last turn took.")
    last_evaluation: Stamp = Field(alias="lastEvaluation", description="When it was evaluated last.")
    line: int = Field(description="Where it stands in its file.")
    subject: list[str] = Field(description="What is judged: the expression without its outermost comparison.")
    condition: str = Field(description="That comparison in words; empty if there is none.")
    cooldown: float = Field(description="Seconds between two openings of one alert.")
    repeat: float = Field(description="Seconds between two reminders; 0 for none.")
    channels: list[str] = Field(description="Who is told; everybody when empty.")
    on_no_data: str = Field(description="What no data mean: ok, keep or alert.")
    min_samples: int = Field(description="Observations below which an element is no data.")


class ShownRecording(Part):
    """A recording rule."""

    type: Literal["recording"] = Field("recording", description="Tells it from an alerting rule.")
    name: str = Field(description="Name of the series.")
    query: str = Field(description="Its expression, vars filled in.")
    labels: dict[str, str] = Field(description="Labels that it sets.")
    health: Literal["unknown", "ok", "err"] = Field(description="How its last evaluation went.")
    last_error: str = Field(alias="lastError", description="Why it failed.")
    evaluation_time: float = Field(alias="evaluationTime", description="Seconds that its group's last turn took.")
    last_evaluation: Stamp = Field(alias="lastEvaluation", description="When it was evaluated last.")
    line: int = Field(description="Where it stands in its file.")


ShownRule = Annotated[ShownAlerting | ShownRecording, Field(discriminator="type")]


class ShownGroup(Part):
    """One group."""

    name: str = Field(description="The group's name.")
    file: str = Field(description="Its file.")
    interval: float = Field(description="Seconds between two evaluations.")
    limit: int = Field(description="How many elements a rule may yield; 0 for any number.")
    evaluation_time: float = Field(alias="evaluationTime", description="How long the last evaluation took, in seconds.")
    last_evaluation: Stamp = Field(alias="lastEvaluation", description="When it was evaluated last.")
    rules: list[ShownRule] = Field(description="Its rules, in their order.")


class Groups(Part):
    """Groups with their rules."""

    groups: list[ShownGroup] = Field(description="The groups, in the order of their files.")


_Alerts = defaultdict[RuleKey, list[tuple[AlertState, ShownAlert | None]]]
"""The state of each rule's alerts, and the alerts if they are wanted."""


def routes(ruling: Ruling, now: Callable[[], float]) -> list[web.RouteDef]:
    """Rules as *ruling* knows them."""

    async def rules(asked: AskedRules) -> Groups:
        wanted = _Wanted(asked)
        chosen = [group for group in ruling.rule_set.groups if wanted.group(group)]
        keys = {rule.key for group in chosen for rule in group.rules if wanted.rule(rule)}
        alerts: _Alerts = defaultdict(list)
        async for alert in paced(active(ruling.book.alerts())):
            if alert.rule in keys:
                alerts[alert.rule].append((alert.state, None if asked.exclude_alerts else shown(alert, ruling, now())))
        groups = [_group(group, wanted, ruling, alerts) async for group in paced(chosen)]
        return Groups(groups=[group for group in groups if group.rules or not wanted.some])

    wrong = {400: "Wrong parameters."}
    return [get("/api/v1/rules", rules, "Rules by group, with the alerts of each, as Prometheus has them.", wrong)]


class _Wanted:
    """Which groups and rules are asked for."""

    def __init__(self, asked: AskedRules) -> None:
        self.asked = asked
        self.some = bool(asked.type or asked.rule_name or asked.match)
        self._matchers = [_matchers(text) for text in asked.match]

    def group(self, group: Group) -> bool:
        asked = self.asked
        return (not asked.rule_group or group.name in asked.rule_group) and (not asked.file or group.file in asked.file)

    def rule(self, rule: CompiledRule) -> bool:
        kind = "alert" if isinstance(rule, Alerting) else "record"
        return (
            self.asked.type in (None, kind)
            and (not self.asked.rule_name or rule.name in self.asked.rule_name)
            and (not self._matchers or any(_match(matchers, _labels(rule)) for matchers in self._matchers))
        )


def _matchers(text: str) -> tuple[Matcher, ...]:
    try:
        return selector(text)
    except QueryError as exc:
        raise ApiError(Word.BAD_DATA, f'invalid parameter "match[]": {exc}') from exc


def _match(matchers: Iterable[Matcher], labels: Labels) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def _labels(rule: CompiledRule) -> Labels:
    """The labels that the rule sets on whatever it yields; templates are not known before."""
    if isinstance(rule, Recording):
        return Labels(rule.spec.labels)
    return Labels({name: template.text for name, template in rule.labels if template.literal})


def _group(group: Group, wanted: _Wanted, ruling: Ruling, alerts: _Alerts) -> ShownGroup:
    turn = ruling.evaluations.of(group.name)
    return ShownGroup(
        name=group.name,
        file=group.file,
        interval=group.interval,
        limit=group.rules[0].limit if group.rules else 0,
        evaluation_time=turn.seconds if turn else 0.0,
        last_evaluation=(iso(turn.at) if turn else None) or NEVER,
        rules=[_rule(rule, ruling, alerts) for rule in group.rules if wanted.rule(rule)],
    )


def _rule(rule: CompiledRule, ruling: Ruling, alerts: _Alerts) -> ShownAlerting | ShownRecording:
    turn, error = ruling.evaluations.of(rule.key.group), ruling.evaluations.error(rule.key)
    health: Literal["unknown", "ok", "err"] = "unknown" if turn is None else "err" if error else "ok"
    seconds, last = (turn.seconds, iso(turn.at) or NEVER) if turn else (0.0, NEVER)
    if isinstance(rule, Recording):
        return ShownRecording(
            name=rule.name,
            query=rule.query.text,
            labels=dict(rule.spec.labels),
            health=health,
            last_error=redact(error),
            evaluation_time=seconds,
            last_evaluation=last,
            line=rule.line,
        )
    states = {state for state, _ in alerts[rule.key]}
    spec = rule.spec
    return ShownAlerting(
        name=rule.name,
        query=rule.query.text,
        state="firing" if AlertState.FIRING in states else "pending" if states else "inactive",
        duration=spec.for_,
        keep_firing_for=spec.keep_firing_for,
        labels={name: template.text for name, template in rule.labels},
        annotations={name: template.text for name, template in rule.annotations},
        alerts=[alert for _, alert in alerts[rule.key] if alert is not None],
        health=health,
        last_error=redact(error),
        evaluation_time=seconds,
        last_evaluation=last,
        line=rule.line,
        subject=list(_subject(rule)),
        condition=rule.query.condition,
        cooldown=spec.cooldown,
        repeat=spec.repeat,
        channels=list(spec.channels),
        on_no_data=spec.on_no_data,
        min_samples=spec.min_samples,
    )


def _subject(rule: Alerting) -> Iterator[str]:
    return (query.text for query in rule.subject)
