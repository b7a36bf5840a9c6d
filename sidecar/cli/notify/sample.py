"""An alert of a rule as it might be, for whoever wants to see its words before it fires."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.model.alerts import Alert, AlertState, EndReason
from sidecar.model.labels import Labels
from sidecar.model.matchers import MatchOp
from sidecar.model.notifications import Notification, NotifyKind, Told, Trend, notification_id
from sidecar.promql import QueryError, ast
from sidecar.promql.parse import parse
from sidecar.rules.compiled import Alerting
from sidecar.rules.evaluation import Surroundings, words
from sidecar.rules.lint.outlook import CHECKS
from sidecar.rules.lint.shape import shape
from sidecar.templating.annotations import Facts
from sidecar.templating.gotemplate import TemplateError

_SHOWN: Final = re.compile(r"(?:\$labels|\.Labels)\.([A-Za-z_][A-Za-z0-9_]*)")
_EXAMPLES: Final[Mapping[str, str]] = {
    "check": "example",
    "type": "http",
    "target": "https://example/",
    "critical": "true",
    "model": "claude-sonnet-4-5",
    "source": "probe",
    "channel": "oncall",
    "error_type": "timeout",
    "phase": "first_token",
    "family": "input_tokens",
    "stop_reason": "max_tokens",
    "quantile": "0.95",
    "window": "5m",
}
_LASTS: Final = 1500.0  # seconds for which an alert that ends, or is told again, has been firing
_EVIDENCE: Final = "(what the check's last failed probe said)"


@dataclass(frozen=True, slots=True)
class Sample:
    """What an alert of a rule is made of: the element of its expression."""

    labels: Labels  # of the element, as the series have them
    value: float


def sample(rule: Alerting, watched: Iterable[Labels], given: Mapping[str, str], value: float | None = None) -> Sample:
    """An element that *rule* may find: with labels of the first of *watched* that it selects, and what is *given*."""
    expr = parse(rule.query.text)
    names = shape(expr)
    selectors = [
        node for query in rule.subject for node in ast.walk(parse(query.text)) if isinstance(node, ast.Selector)
    ]
    wanted = names if names is not None else frozenset(_shown(rule))
    labels = {name: _EXAMPLES.get(name, f"example-{name}") for name in sorted(wanted)}
    labels |= {name: text for name, text in rule.query.equal_labels.items() if names is None or name in names}
    if "check" in wanted or any(selector.name.startswith(CHECKS) for selector in selectors):
        check = next((one for one in watched if _fits(selectors, one.with_(_known(one, given)))), Labels())
        labels |= {name: text for name, text in check.items() if names is None or name in names}
    return Sample(Labels(labels).with_(given), _value(rule) if value is None else value)


def alert(rule: Alerting, found: Sample, kind: NotifyKind, now: float, around: Surroundings) -> Alert:
    """The alert that *rule* would make of what was *found*, as a message of *kind* at *now* knows it."""
    facts = Facts(found.labels, found.value, around.external_labels, around.external_url, _answers(found))
    labels, annotations = words(rule, found.labels, facts)
    ended = kind in (NotifyKind.RESOLVE, NotifyKind.CLOSED)
    fired_at = now if kind is NotifyKind.OPENING else now - _LASTS
    return Alert(
        rule=rule.key,
        labels=labels,
        state=AlertState.ENDED if ended else AlertState.FIRING,
        active_at=fired_at - rule.spec.for_,
        value=found.value,
        annotations=annotations,
        fired_at=fired_at,
        ended_at=now if ended else None,
        end_reason=EndReason.RECOVERED if ended else None,
        peak=found.value,
        condition=rule.query.condition,
        quantile=rule.query.quantile,
        samples=float(max(40, 2 * rule.spec.min_samples)) if rule.samples is not None else None,
    )


def notification(of: Alert, channel: str, kind: NotifyKind, now: float) -> Notification:
    """The message of *kind* about one alert."""
    opened_at = now if of.fired_at is None else of.fired_at
    evidence = _EVIDENCE if "check" in of.labels and kind is not NotifyKind.RESOLVE else ""
    n = int(kind is not NotifyKind.OPENING)
    told = (Told(of, opened_at, n, reason="preview", evidence=evidence, trend=_trend(of, now)),)
    return Notification(notification_id(channel, kind, told), channel, kind, of.fingerprint, told, now)


def _trend(of: Alert, now: float) -> Trend:
    """How the value might have come to be what it is, and, of an alert that ended, how it became well again."""
    well = 1.0 if of.condition == "== 0" else of.value * (2.0 if of.condition.startswith("<") else 0.5)
    ill = (well + of.value) / 2 if of.condition != "== 0" else of.value
    over = of.state is AlertState.ENDED
    values = (*(well,) * (12 if over else 18), ill, *(of.value,) * 5, *(well,) * (6 if over else 0))
    return Trend(now, 75.0, values, up="check" in of.labels and of.condition == "== 0")


def _shown(rule: Alerting) -> Iterator[str]:
    """The labels that texts of *rule* show."""
    for _, template in rule.annotations:
        yield from _SHOWN.findall(template.text)


def _known(check: Labels, given: Mapping[str, str]) -> Mapping[str, str]:
    return {name: text for name, text in given.items() if name in check}


def _fits(selectors: Sequence[ast.Selector], labels: Labels) -> bool:
    """Whether every selector takes series with *labels*; what they ask of further labels is their own affair."""
    matchers = [one for selector in selectors for one in selector.matchers if one.name in labels]
    return all(matcher.matches(labels) for matcher in matchers)


def _value(rule: Alerting) -> float:
    """A value that is beyond the threshold, where there is one."""
    match rule.query.threshold:
        case (">" | ">=" | "!=", number):
            beyond = number * 1.5 if number > 0 else number + 1
            return float(math.ceil(beyond)) if number >= 1 and number == int(number) else beyond
        case ("<" | "<=", number):
            return number * 0.5 if number > 0 else number - 1
        case ("==", number):
            return number
        case _:
            return 1.0


def _answers(found: Sample) -> Callable[[str], Sequence[tuple[Labels, float]]]:
    """What queries of templates find: one element each, like what was *found*; none for another reason."""

    def query(text: str) -> Sequence[tuple[Labels, float]]:
        try:
            expr = parse(text)
        except QueryError as exc:
            raise TemplateError(str(exc)) from exc
        names = shape(expr)
        labels = {**_EXAMPLES, **found.labels}
        if names is not None:
            labels = {name: labels.get(name, f"example-{name}") for name in names}
        selectors = [node for node in ast.walk(expr) if isinstance(node, ast.Selector)]
        for selector in selectors:
            for matcher in selector.matchers:
                if matcher.op is MatchOp.NE and labels.get(matcher.name) == matcher.value:
                    labels[matcher.name] = f"another-{matcher.name}"
        reason = found.labels.get("error_type", _EXAMPLES["error_type"])
        if not _fits(selectors[:1], Labels({"error_type": reason})):  # what stands first is what is asked for
            return []
        return [(Labels(labels), found.value or 1.0)]

    return query
