"""One evaluation of one alerting rule: what is true, what is known, what went wrong."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from sidecar.model.errors import SidecarError
from sidecar.model.labels import EMPTY, Labels
from sidecar.promql import Query, compile_
from sidecar.promql.querier import Querier
from sidecar.rules.compiled import Alerting
from sidecar.templating.annotations import FAILED, Facts, expand
from sidecar.templating.gotemplate import TemplateError

_NAN: Final = math.nan
EVALUATION_ERROR: Final = "evaluation_error"
"""The label `reason` of an alert about a rule that cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class Element:
    """Something that the rule says is so."""

    labels: Labels  # final: the alert's identity
    value: float
    annotations: Labels = EMPTY
    samples: float | None = None  # observations behind the value, where that is known
    origin: frozenset[Labels] = frozenset()  # the subject's elements behind it, without metric name
    note: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one rule said at one instant.

    `present`: the subject's elements that have data; None when the rule has no subject (`absent`), or when nobody
    asked. `vanished`: for `on_no_data: alert`, elements that had data before and have none now, by that element.
    `silent`: for the same, what to say when the subject never returned anything. `error`: nothing else counts.
    """

    at: float
    elements: tuple[Element, ...] = ()
    present: frozenset[Labels] | None = None
    few: frozenset[Labels] = frozenset()  # elements with fewer observations than `min_samples`
    vanished: Mapping[Labels, Element] = field(default_factory=dict)
    silent: Element | None = None
    error: str = ""
    failure: Element | None = None  # what `on_error: alert` says about the error
    broken: str = ""  # a text whose template failed; the alert carries the error in its place


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What templates may show beside the alert."""

    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""


def evaluate(
    rule: Alerting,
    querier: Querier,
    at: float,
    *,
    around: Surroundings = Surroundings(),
    seen: Collection[Labels] = (),
    watched: bool = True,
) -> Evaluation:
    """*rule* over what *querier* holds at *at*; never raises.

    *seen* are elements of the subject that had data before. Without alerts to judge (*watched* is False) the subject
    of a rule that yields nothing is not looked at.
    """
    say = _Speaker(rule, querier, at, around)
    try:
        return _evaluate(rule, querier, at, say, seen, watched=watched or rule.spec.on_no_data == "alert")
    except SidecarError as exc:
        return failed(rule, at, str(exc))
    except Exception as exc:  # noqa: BLE001 -- a mistake of ours over one rule must not silence all the others
        return failed(rule, at, crashed(exc))


def crashed(exc: Exception) -> str:
    """What to say of an error that should not be."""
    trace = exc.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""
    return f"fails by a mistake of ours, please report it: {type(exc).__name__}: {exc}{place}"


def _evaluate(
    rule: Alerting, querier: Querier, at: float, say: "_Speaker", seen: Collection[Labels], *, watched: bool
) -> Evaluation:
    at_ms = round(at * 1000)
    vector = [(labels.without("__name__"), value) for labels, value in rule.query.vector(querier, at_ms)]
    if not vector and not watched:
        return Evaluation(at)
    counts = _Counts(rule, querier, at_ms)
    few = frozenset(labels for labels, _ in vector if counts.few(labels))
    subject = frozenset(labels for query in rule.subject for labels in _with_data(query, querier, at_ms))
    present = frozenset(labels for labels in subject if not counts.few(labels))
    elements = [
        say.element(labels, value, counts.of(labels), origin_of(labels, subject))
        for labels, value in vector
        if labels not in few
    ]
    if problem := _problem(rule, elements):
        return failed(rule, at, problem)
    vanished: Mapping[Labels, Element] = {}
    silent = None
    if rule.spec.on_no_data == "alert" and rule.subject:
        vanished = {labels: say.nothing(labels, frozenset({labels})) for labels in seen if labels not in present}
        silent = None if present else say.nothing(rule.query.equal_labels, frozenset())
    return Evaluation(at, tuple(elements), present if rule.subject else None, few, vanished, silent, broken=say.broken)


def _problem(rule: Alerting, elements: list[Element]) -> str:
    if rule.limit and len(elements) > rule.limit:
        return f"yields {len(elements)} alerts, the group's limit is {rule.limit}"
    seen: set[Labels] = set()
    for element in elements:
        if element.labels in seen:
            return f"yields two alerts with the labels {element.labels}; expected labels that tell them apart"
        seen.add(element.labels)
    return ""


def _with_data(query: Query, querier: Querier, at_ms: int) -> Iterable[Labels]:
    """Elements of *query*; one whose value is NaN (a quantile or a ratio of nothing) has no data."""
    return [labels.without("__name__") for labels, value in query.vector(querier, at_ms) if not math.isnan(value)]


def origin_of(labels: Labels, subject: Collection[Labels]) -> frozenset[Labels]:
    """The elements of *subject* behind a result with *labels*: the same, else those that say more, else less.

    `a > on (job) b` leaves fewer labels than the subject has, `group_left (x)` more.
    """
    if labels in subject:
        return frozenset({labels})
    more = frozenset(one for one in subject if _within(labels, one))
    return more or frozenset(one for one in subject if one and _within(one, labels))


def corresponds(one: Labels, other: Labels) -> bool:
    """Whether one of two label sets says all that the other does, and perhaps more."""
    return bool(one and other) and (_within(one, other) or _within(other, one))


def _within(small: Labels, large: Labels) -> bool:
    return all(large.get(name) == value for name, value in small.items())


class _Counts:
    """How many observations stand behind an element."""

    def __init__(self, rule: Alerting, querier: Querier, at_ms: int) -> None:
        self.least = rule.spec.min_samples
        self.counts: dict[Labels, float] | None = None
        if rule.samples is None:
            return
        try:
            vector = rule.samples.vector(querier, at_ms)
        except SidecarError:
            if self.least:
                raise
            return  # the count is only shown; an alert does not depend on it
        self.counts = {labels.without("__name__"): value for labels, value in vector}

    def of(self, labels: Labels) -> float | None:
        if self.counts is None:
            return None
        behind = origin_of(labels, self.counts.keys())
        if not behind and EMPTY in self.counts:
            behind = frozenset({EMPTY})
        return sum(self.counts[one] for one in behind)

    def few(self, labels: Labels) -> bool:
        count = self.of(labels) if self.least else None
        return bool(self.least) and not (count is not None and count >= self.least)


def words(rule: Alerting, labels: Labels, facts: Facts) -> tuple[Labels, Labels]:
    """Labels and annotations of the alert that *rule* makes of the element with *labels*, of which *facts* tell."""
    own = {name: expand(template, facts) for name, template in rule.labels}
    texts = {name: expand(template, facts) for name, template in rule.annotations}
    return labels.with_(own, alertname=rule.name), Labels(texts)


class _Speaker:
    """Gives elements their labels and words."""

    def __init__(self, rule: Alerting, querier: Querier, at: float, around: Surroundings) -> None:
        self.rule = rule
        self.at = at
        self.around = around
        self.query = _query_function(querier, round(at * 1000))
        self.broken = ""  # the last text whose template failed

    def element(
        self, labels: Labels, value: float, samples: float | None, origin: frozenset[Labels], note: str = ""
    ) -> Element:
        facts = Facts(labels, value, self.around.external_labels, self.around.external_url, self.query)
        final, texts = words(self.rule, labels, facts)
        self.broken = next(
            (text for text in (*final.values(), *texts.values()) if text.startswith(FAILED)), self.broken
        )
        return Element(final, value, texts, samples, origin, note)

    def nothing(self, labels: Labels, origin: frozenset[Labels]) -> Element:
        """*labels* have no data."""
        return self.element(labels, _NAN, None, origin, "no data")


def failed(rule: Alerting, at: float, problem: str) -> Evaluation:
    """The evaluation of a rule that cannot be evaluated; for `on_error: alert` with the alert that says so."""
    if rule.spec.on_error != "alert":
        return Evaluation(at, error=problem)
    words = Labels({"summary": f"{rule.name} cannot be evaluated", "description": problem})
    fixed = {name: template.text for name, template in rule.labels if template.literal}
    labels = Labels(fixed).with_(alertname=rule.name, reason=EVALUATION_ERROR)
    return Evaluation(at, error=problem, failure=Element(labels, _NAN, words, note="error"))


@lru_cache(maxsize=256)
def _compiled(text: str) -> Query:
    return compile_(text)


def _query_function(querier: Querier, at_ms: int) -> Callable[[str], list[tuple[Labels, float]]]:
    def query(text: str) -> list[tuple[Labels, float]]:
        try:
            return _compiled(text).vector(querier, at_ms)
        except TemplateError:
            raise
        except SidecarError as exc:
            raise TemplateError(str(exc)) from exc

    return query
