"""Findings about words: templates that fail or show nothing, and what a person at three in the morning misses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from sidecar.model.labels import Labels
from sidecar.promql import QueryError, compile_
from sidecar.promql.parse import parse
from sidecar.rules.compiled import Alerting
from sidecar.rules.lint.finding import Finding, finding
from sidecar.rules.lint.outlook import Outlook
from sidecar.rules.lint.shape import Shape, shape
from sidecar.templating.annotations import Facts, expand
from sidecar.templating.gotemplate import Template, TemplateError

_FAILED: Final = "<error expanding template: "
_ACTION: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_LABEL: Final = re.compile(r"(?:\$labels|\.Labels)\.([A-Za-z_][A-Za-z0-9_]*)")
_INNER: Final = re.compile(r"\{\{-?\s*(?:range|with)\b")
_VALUES: Final = (0.0371, 0.5, 2.75, 17.125, 4321.5)
_SAMPLE: Final = {"check": "example", "type": "http", "target": "https://example/", "quantile": "0.95", "window": "5m"}


def findings(rule: Alerting, outlook: Outlook) -> Iterator[Finding]:
    """What is odd about the words and labels of *rule*."""
    labels = shape(parse(rule.query.text))
    for place, templates in (("labels", rule.labels), ("annotations", rule.annotations)):
        for name, template in templates:
            yield from _template(rule, f"{place}.{name}", template, labels)
    yield from _labels(rule, labels)
    yield from _missing(rule, outlook)


def _template(rule: Alerting, place: str, template: Template, labels: Shape) -> Iterator[Finding]:
    if template.literal:
        return
    found = _rendered(rule, template, labels, [(Labels(_sample(labels)), 1.0)])
    if found.startswith(_FAILED):
        yield finding(
            rule,
            "template-error",
            f"{place} fails with ordinary values: {_reason(found)}; the message would show this error",
            "mend the template",
        )
        return
    nothing = _rendered(rule, template, labels, [])
    if nothing.startswith(_FAILED):
        yield finding(
            rule,
            "unguarded-query",
            f"{place} fails when its query finds nothing: {_reason(nothing)}",
            "guard it: {{ with query … }}{{ . | first | value }}{{ end }}",
        )
    if labels is None:
        return
    shown = {name for action in _ACTION.findall(template.text) for name in _LABEL.findall(action)}
    # Inside of range and with, the dot is another element, whose labels are not the alert's.
    inner = {name for name in shown if _INNER.search(template.text) and f"$labels.{name}" not in template.text}
    for name in sorted(shown - labels - inner - set(rule.spec.labels)):
        yield finding(
            rule,
            "label-not-there",
            f"{place} shows the label {name}, which the result does not have: there will be nothing",
            f"keep {name} in the by (…) of the expression; it has {_listed(labels)}",
        )


def _listed(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "no labels"


def _sample(labels: Shape) -> Mapping[str, str]:
    if labels is None:
        return _SAMPLE
    return {name: _SAMPLE.get(name, "example") for name in labels}


def _rendered(
    rule: Alerting, template: Template, labels: Shape, answer: Sequence[tuple[Labels, float]], value: float = 0.5
) -> str:
    def query(text: str) -> Sequence[tuple[Labels, float]]:
        try:
            compile_(text)
        except QueryError as exc:
            raise TemplateError(str(exc)) from exc
        return answer

    element = rule.query.equal_labels.with_(_sample(labels))
    return expand(template, Facts(element, value, {}, "https://sidecar.example", query))


def _reason(failed: str) -> str:
    return failed.removeprefix(_FAILED).removesuffix(">")


def _labels(rule: Alerting, labels: Shape) -> Iterator[Finding]:
    for name, template in rule.labels:
        if not template.literal:
            texts = {_rendered(rule, template, labels, [], value) for value in _VALUES}
            if len(texts) == len(_VALUES):
                yield finding(
                    rule,
                    "varying-label",
                    f"labels.{name} changes with the value: each evaluation would end one alert and open another",
                    "show the value in an annotation",
                )
        elif labels is not None and name in labels:
            yield finding(
                rule,
                "overwrites-label",
                f"labels.{name} replaces the label {name} of the result: elements may fall together",
                f"take another name, or drop {name} from the by (…)",
            )


def _missing(rule: Alerting, outlook: Outlook) -> Iterator[Finding]:
    severity, texts = rule.spec.labels.get("severity", ""), rule.spec.annotations
    if not severity:
        yield finding(
            rule,
            "no-severity",
            "has no severity: channels that choose by it will not hear of the alert",
            "add `severity: warning`, or critical or info",
        )
    elif outlook.channels is not None and "{{" not in severity:
        yield from _unheard(rule, severity, outlook)
    if not texts.get("summary"):
        yield finding(
            rule,
            "no-summary",
            "has no summary: messages have no headline but its name",
            "add `annotations.summary`, a sentence with what and where: 'The check {{ $labels.check }} is down'",
        )
    if not texts.get("next_step") and not texts.get("runbook_url"):
        yield finding(
            rule,
            "no-next-step",
            "does not say what to do: whoever is woken must find out",
            "add `annotations.next_step`, or `runbook` with an address",
        )
    if (url := texts.get("runbook_url", "")) and "{{" not in url and not _is_web(url):
        yield finding(
            rule,
            "bad-runbook",
            f"has the runbook {url!r}, which is no web address",
            "write one such as https://wiki.example/runbooks/errors",
        )


def _unheard(rule: Alerting, severity: str, outlook: Outlook) -> Iterator[Finding]:
    told = {
        name: taken
        for name, taken in (outlook.channels or {}).items()
        if not rule.spec.channels or name in rule.spec.channels
    }
    if told and not any(not taken or severity in taken for taken in told.values()):
        takes = "; ".join(f"{name} takes {', '.join(sorted(taken))}" for name, taken in sorted(told.items()))
        yield finding(
            rule,
            "unheard-severity",
            f"has the severity {severity!r}, which none of its channels takes: nobody hears of it ({takes})",
            "change the severity, the rule's `channels` or a channel's `severities`",
        )


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(c.isspace() for c in url)
    except ValueError:
        return False
