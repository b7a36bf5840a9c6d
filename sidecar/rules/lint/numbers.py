"""Findings about numbers that do not fit together, and about what is there for nothing."""

from collections.abc import Iterator

from sidecar.model.durations import show
from sidecar.model.labels import Labels
from sidecar.promql import ast
from sidecar.promql.parse import parse
from sidecar.rules.compiled import Alerting, CompiledRule, Group, RuleSet
from sidecar.rules.lint.finding import Finding, finding
from sidecar.rules.lint.outlook import Outlook
from sidecar.rules.percentiles import SUFFIX


def findings(rule: Alerting, group: Group, outlook: Outlook) -> Iterator[Finding]:
    """What is odd about the times and counts of *rule*."""
    spec = rule.spec
    if rule.query.counts is not None and not spec.min_samples:
        yield finding(
            rule,
            "no-min-samples",
            f"judges a ratio or percentile that may stand on two requests; counted are {rule.query.counts.text}",
            "add `min_samples: 20`",
        )
    elif not spec.min_samples and _has_percentile(rule.query.text):
        yield finding(
            rule,
            "no-min-samples",
            "judges a percentile that may stand on two requests, and what counts them does not follow",
            "add `samples: sum(increase(…_count[5m]))` and `min_samples: 20`",
        )
    if 0 < spec.repeat < spec.cooldown:
        yield finding(
            rule,
            "repeat-below-cooldown",
            f"is to be repeated every {show(spec.repeat)}, but its cooldown of {show(spec.cooldown)} holds that back",
            f"write `repeat: {show(spec.cooldown)}` or more, or a shorter cooldown",
        )
    between = max(group.interval, outlook.tick)
    if 0 < spec.for_ < between:
        yield finding(
            rule,
            "short-for",
            f"waits for {show(spec.for_)}, but there is a sample and an evaluation every {show(between)}: "
            "the second look sees the first sample again",
            f"write `for: {show(2 * between)}`, or leave it out",
        )


def _has_percentile(text: str) -> bool:
    return any(
        (isinstance(node, ast.Call) and node.name == "histogram_quantile")
        or (isinstance(node, ast.Selector) and node.name.endswith(SUFFIX))
        for node in ast.walk(parse(text))
    )


def unused(rule: CompiledRule) -> Iterator[Finding]:
    """Vars that nothing uses, and overrides that change nothing."""
    spec = rule.spec
    texts = [spec.expr, *spec.labels.values()]
    if isinstance(rule, Alerting):
        texts += [rule.spec.samples, *rule.spec.annotations.values()]
        if rule.written is not None and rule.written == rule.spec:
            yield finding(
                rule,
                "dead-override",
                "is overridden by what it is anyway",
                "leave the override out, or change something in it",
            )
    for name in spec.vars:
        if not any(f"${{{name}}}" in text for text in texts):
            yield finding(
                rule, "unused-var", f"has the var {name}, which nothing uses", f"write ${{{name}}} where it belongs"
            )


def duplicates(rules: RuleSet) -> Iterator[Finding]:
    """Rules of one name with the same labels: what one yields the other may yield as well."""
    seen: dict[tuple[str, Labels], CompiledRule] = {}
    for rule in rules.rules:
        same = seen.setdefault((rule.name, Labels(rule.spec.labels)), rule)
        if same is not rule and type(same) is type(rule):
            yield finding(
                rule,
                "duplicate-alert",
                f"has the name and labels of the rule at {same.file}:{same.line}: where both yield the same element, "
                "the second is an evaluation error",
                "give one of them another name, or a label that tells them apart",
            )
