"""Rules for other programs: plain Prometheus files and PrometheusRule resources, and rules as they are in effect."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from sidecar.model import durations
from sidecar.model.errors import ConfigError, Mistake
from sidecar.rules.compiled import Alerting, CompiledRule, RuleSet
from sidecar.rules.model import SHORTHANDS, AlertingRule, RecordingRule

PREFIX: Final = "sidecar_"
"""Of the annotations that carry our fields."""
FIELDS: Final = (
    "cooldown",
    "repeat",
    "channels",
    "on_no_data",
    "on_error",
    "min_samples",
    "samples",
    "depends_on",
)
"""Our fields that go into annotations; what they were overridden with is in them, vars are filled in."""
API_VERSION: Final = "monitoring.coreos.com/v1"
KIND: Final = "PrometheusRule"
_BRACES: Final = "{{", '{{"{{"}}'  # annotations are templates


def effective(rule: CompiledRule) -> AlertingRule | RecordingRule:
    """What *rule* says once its vars are filled in."""
    if not isinstance(rule, Alerting):
        return rule.spec.model_copy(update={"expr": rule.query.text, "vars": {}})
    labels = {name: template.text for name, template in rule.labels}
    annotations = {name: template.text for name, template in rule.annotations}
    filled = {
        short: {"labels": labels, "annotations": annotations}[part].get(key, "")
        for short, (part, key) in SHORTHANDS.items()
    }
    samples = rule.samples.text if rule.spec.samples and rule.samples is not None else ""
    return rule.spec.model_copy(
        update={
            "expr": rule.query.text,
            "samples": samples,
            "labels": labels,
            "annotations": annotations,
            "vars": {},
            **filled,
        }
    )


def ours(rules: RuleSet) -> dict[str, Any]:
    """*rules* as a rule file of ours: overrides applied, vars filled in."""
    return _file(rules, plain=False)


def prometheus(rules: RuleSet) -> dict[str, Any]:
    """*rules* as a rule file of Prometheus, our fields being annotations; raises ConfigError."""
    return _file(rules, plain=True)


def prometheus_rule(
    rules: RuleSet, name: str, *, namespace: str = "", labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """*rules* as a resource of the Prometheus operator, called *name*; raises ConfigError."""
    metadata: dict[str, Any] = {"name": resource_name(name)}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": prometheus(rules)}


def resource_name(name: str) -> str:
    """*name* as Kubernetes takes it for a resource: lower case, digits, hyphens, 253 characters at most."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:253].strip("-") or "sidecar"


def escaped(text: str) -> str:
    """*text* as a template that yields it."""
    return text.replace(*_BRACES)


def unescaped(text: str) -> str:
    """What the template *text*, made by `escaped`, yields."""
    return text.replace(*_BRACES[::-1])


def _file(rules: RuleSet, *, plain: bool) -> dict[str, Any]:
    groups = []
    for group in rules.groups:
        raw: dict[str, Any] = {"name": group.name, "interval": durations.show(group.interval)}
        limit = max((rule.limit for rule in group.rules), default=0)
        if limit:
            raw["limit"] = limit
        groups.append(raw | {"rules": [_rule(rule, plain=plain) for rule in group.rules]})
    return {"groups": groups}


def _rule(rule: CompiledRule, *, plain: bool) -> dict[str, Any]:
    spec = effective(rule)
    if isinstance(spec, RecordingRule):
        raw: dict[str, Any] = {"record": spec.record, "expr": spec.expr}
        return raw | ({"labels": spec.labels} if spec.labels else {})
    raw = {"alert": spec.alert, "expr": spec.expr}
    for name, seconds in (("for", spec.for_), ("keep_firing_for", spec.keep_firing_for)):
        if seconds:
            raw[name] = durations.show(seconds)
    labels, annotations = dict(spec.labels), dict(spec.annotations)
    fields = _fields(spec)
    if plain:
        for name, value in fields.items():
            if f"{PREFIX}{name}" in annotations:
                problem = "stands in the way of the field that is exported under this name; expected another name"
                raise ConfigError(Mistake(rule.file, rule.line, f"{spec.alert}.annotations.{PREFIX}{name}", problem))
            annotations[f"{PREFIX}{name}"] = escaped(value if isinstance(value, str) else json.dumps(value))
    else:
        raw |= _shortened(labels, annotations) | fields
    raw |= {"labels": labels} if labels else {}
    return raw | ({"annotations": annotations} if annotations else {})


def _shortened(labels: dict[str, str], annotations: dict[str, str]) -> dict[str, str]:
    """Our short fields for what *labels* and *annotations* say, taken out of them."""
    places = {"labels": labels, "annotations": annotations}
    found = {short: places[part].pop(key, "") for short, (part, key) in SHORTHANDS.items()}
    return {short: value for short, value in found.items() if value}


def _fields(spec: AlertingRule) -> dict[str, Any]:
    """Our fields of *spec* that are not as they are by default."""
    found: dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(spec, name)
        if value != AlertingRule.model_fields[name].get_default():
            found[name] = durations.show(value) if isinstance(value, float) else value
            if isinstance(value, tuple):
                found[name] = list(value)
    return found
