"""Rules from other programs: Prometheus files and PrometheusRule resources as rule files of ours."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sidecar.model.errors import ConfigError
from sidecar.rules.exporting import FIELDS, PREFIX, unescaped
from sidecar.rules.model import SHORTHANDS
from sidecar.yamlfile import Document, join

_FOREIGN: Final = ("partial_response_strategy", "query_offset", "source_tenants", "evaluation_delay")
"""Keys of groups that other programs know and that mean nothing here."""


def imported(document: Document) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What *document* says as a rule file of ours, and notes about what was left out; raises ConfigError.

    It may be a rule file, a PrometheusRule, or a list of these as `kubectl get -o yaml` prints it.
    """
    notes: list[str] = []
    groups = [_group(document, group, path, notes) for path, group in _groups(document)]
    return {"groups": groups}, tuple(notes)


def _groups(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each group with its place."""
    root = document.value
    if not isinstance(root, dict):
        raise ConfigError(document.mistake("", "is no rule file; expected `groups:`, or a PrometheusRule"))
    items = root.get("items")
    places = [(f"items[{i}].", item) for i, item in enumerate(items)] if isinstance(items, list) else [("", root)]
    for place, item in places:
        holder, path = item, place
        if isinstance(item, dict) and isinstance(item.get("spec"), dict):
            holder, path = item["spec"], f"{place}spec."
        groups = holder.get("groups") if isinstance(holder, dict) else None
        if not isinstance(groups, list):
            raise ConfigError(document.mistake(f"{path}groups", "is no list; expected the groups of a rule file"))
        for i, group in enumerate(groups):
            if not isinstance(group, dict) or not isinstance(group.get("rules") or [], list):
                raise ConfigError(document.mistake(f"{path}groups[{i}]", "expected a group with `name:` and `rules:`"))
            yield f"{path}groups[{i}]", group


def _group(document: Document, group: Mapping[str, Any], path: str, notes: list[str]) -> dict[str, Any]:
    out = {key: value for key, value in group.items() if key not in ("rules", *_FOREIGN)}
    notes += [
        f"{document.file}:{document.line(join(path, key))}: {key} means nothing here and is left out"
        for key in _FOREIGN
        if group.get(key)
    ]
    if "labels" in out:
        out["labels"] = _texts(document, out["labels"], join(path, "labels"))
    rules = [
        _rule(document, rule, f"{path}.rules[{i}]") if isinstance(rule, dict) else rule
        for i, rule in enumerate(group.get("rules") or [])
    ]
    return out | {"rules": rules}


def _rule(document: Document, raw: Mapping[str, Any], path: str) -> dict[str, Any]:
    rule = dict(raw)
    for name in ("expr", "alert", "record"):
        if name in rule:
            rule[name] = _text(document, rule[name], join(path, name))
    for name in ("labels", "annotations"):
        if name in rule:
            rule[name] = _texts(document, rule[name], join(path, name))
    if "alert" not in rule:
        return {key: value for key, value in rule.items() if value not in ({}, None)}
    fields = dict(_fields(rule))
    shorts = dict(_shorts(rule))
    words = {key: rule.pop(key) for key in ("labels", "annotations") if key in rule}
    return rule | shorts | fields | {key: value for key, value in words.items() if value}


def _fields(rule: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Our fields, taken out of the annotations."""
    annotations = rule.get("annotations")
    if not isinstance(annotations, dict):
        return
    for name in FIELDS:
        text = annotations.pop(f"{PREFIX}{name}", None)
        if text is not None and name not in rule:
            yield name, _value(name, unescaped(text))


def _value(name: str, text: str) -> Any:
    if name not in ("channels", "depends_on", "min_samples"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # the loader says what it expected


def _shorts(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Our short fields for what stands in the labels and annotations, taken out of them."""
    for short, (part, key) in SHORTHANDS.items():
        found = rule.get(part)
        if isinstance(found, dict) and found.get(key) and short not in rule:
            yield short, found.pop(key)


def _texts(document: Document, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _text(document, one, join(path, key)) for key, one in value.items()}


def _text(document: Document, value: Any, path: str) -> Any:
    """A scalar as it was written: `1.10`, not 1.1."""
    if value is None:
        return ""
    return value if isinstance(value, str | dict | list) else document.text(path) or str(value)
