"""Every value has an effect, and no value is taken for anything but what it says."""

import json
from typing import Any

import pytest
import yaml

from helm.generate import CHART, described
from tests.helm import variants

SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
VALUES = (CHART / "values.yaml").read_text("utf-8")

WITH: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a sidecar": {"mode": "sidecar"},
    "a token": {"http": {"token": {"existingSecret": "api"}}},
    "an Ingress": {
        "http": {"expose": True, "token": {"existingSecret": "api"}},
        "ingress": {"enabled": True, "host": "status.example"},
    },
    "a policy": {
        "http": {"expose": True, "token": {"existingSecret": "api"}},
        "networkPolicy": {"enabled": True},
    },
    "monitors": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "a ServiceMonitor": {"serviceMonitor": {"enabled": True}},
    "dashboards": {"dashboards": {"enabled": True}},
}
"""What values are tried in: some matter only where others ask for something."""

WITHIN = {
    "sidecar": "a sidecar",
    "http.expose": "a token",
    "http.token": "a token",
    "ingress": "an Ingress",
    "networkPolicy": "a policy",
    "podMonitor": "monitors",
    "prometheusRule": "monitors",
    "serviceMonitor": "a ServiceMonitor",
    "dashboards": "dashboards",
}
"""By the value's path or what it begins with; the rest is tried in nothing."""

SECRET = {"claude": {"existingSecret": "anthropic"}}
CHANGED: dict[str, Any] = {
    "mode": "sidecar",
    "image.digest": f"sha256:{'a' * 64}",
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "registry"}],
    "config": {"timezone": "Europe/Berlin"},
    "rules": {"mine.yml": "groups: []"},
    "http.address": "[::]",
    "http.token.existingSecret": "other",
    "secretFiles": SECRET,
    "secretEnv": {"KEY": {"existingSecret": "anthropic", "key": "key"}},
    "extraArgs": ["--dry-run"],
    "livenessProbe": {"timeoutSeconds": 9},
    "readinessProbe": {"enabled": True},
    "sidecar.native": False,
    "sidecar.quietAtTheStart": "1m",
    "sidecar.quietAtTheEnd": "1m",
    "persistence.accessModes": ["ReadWriteOncePod"],
    "persistence.size": "2Gi",
    "service.type": "NodePort",
    "networkPolicy.egressPorts": [8443],
    "podMonitor.interval": "7s",
    "podMonitor.scrapeTimeout": "7s",
    "serviceMonitor.interval": "7s",
    "serviceMonitor.scrapeTimeout": "7s",
    "prometheusRule.packs": [],
}
"""Values that are no text, number, list or map of anything."""


def anything_but(path: str, default: Any) -> Any:
    """Another value of the same kind than the one that it has where it is tried."""
    if path in CHANGED:
        return CHANGED[path]
    match default:
        case bool():
            return default if path.endswith(".enabled") and within(path) != "nothing" else not default
        case int():
            return default + 11
        case str():
            return "other"
        case list():
            return [{"name": "other", "mountPath": "/other"}]
        case _:
            return {"other": "another"}


def within(path: str) -> str:
    """The name of what the value at *path* is tried in."""
    return next((name for start, name in WITHIN.items() if f"{path}.".startswith(f"{start}.")), "nothing")


def tree(path: str, value: Any) -> dict[str, Any]:
    """*value* where *path* says."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both, the second winning."""
    return one | {
        key: merged(one[key], value) if isinstance(one.get(key), dict) and isinstance(value, dict) else value
        for key, value in other.items()
    }


def free(schema: dict[str, Any], path: str = "") -> list[str]:
    """Paths of the texts that may say anything."""
    if "properties" in schema:
        return [found for key, value in schema["properties"].items() for found in free(value, f"{path}.{key}")]
    return [path[1:]] if schema.get("type") == "string" and schema.keys() <= {"type", "minLength"} else []


TEXTS = {"said-hostile": "a: \"{{ fail }}\" # b\n- 'c'\t${D} ", "said-number": "86531", "said-null": "NULL"}
EVERYWHERE = {
    "commonLabels": {"a": "%"},
    "podAnnotations": {"b": "%"},
    "rules": {"mine.yaml": "  %\n\n", "other.yml": {"groups": ["%"]}},
    "config": {"timezone": "%", "checks": [{"name": "%", "%": 1}]},
    "extraArgs": ["%"],
    "secretEnv": {"KEY": {"existingSecret": "a", "key": "b"}},
    "secretFiles": SECRET,
    "prometheusRule": {"alertLabels": {"c": "%"}},
}


def test_every_value_changes_something(tmp_path):
    """Another value installs something else."""
    paths = {path: default for path, default, _ in described(VALUES)}
    tried = {f"within{index}": values for index, values in enumerate(WITH.values())}
    for index, (path, default) in enumerate(paths.items()):
        tried[f"value{index:03}"] = merged(WITH[within(path)], tree(path, anything_but(path, default)))
    rendered = variants.rendered(tried, tmp_path)
    names = list(WITH)

    assert [
        path
        for index, path in enumerate(paths)
        if rendered[f"value{index:03}"] == rendered[f"within{names.index(within(path))}"]
    ] == []


@pytest.fixture
def texts(tmp_path):
    """What is installed where every text is one that means something to YAML, to Go's templates or to the shell."""
    whole = merged(merged(WITH["an Ingress"], WITH["monitors"]), merged(WITH["a policy"], WITH["dashboards"]))
    given = {}
    for alias, text in TEXTS.items():
        said = json.loads(json.dumps(EVERYWHERE).replace("%", json.dumps(text)[1:-1]))
        given[alias] = merged(whole, said)
        for path in free(SCHEMA):
            given[alias] = merged(given[alias], tree(path, text))
    rendered = variants.rendered(given, tmp_path)
    return {alias: list(yaml.load_all(text, yaml.CSafeLoader)) for alias, text in rendered.items()}


def test_a_text_is_a_text(texts):
    """Whatever a text holds, it is that text where it is used: no other YAML, no template, no number, no null."""
    shapes = {alias: shape(manifests, TEXTS[alias]) for alias, manifests in texts.items()}

    assert shapes["said-hostile"] == shapes["said-number"] == shapes["said-null"]
    assert json.dumps(shapes["said-null"]).count("TEXT") > 40


def shape(value: Any, text: str) -> Any:
    """*value* with `TEXT` wherever *text* is said, and nothing else of any text that holds it."""
    match value:
        case dict():
            read = {key: yaml.safe_load(inner) if str(key).endswith(".yml") else inner for key, inner in value.items()}
            return {shape(key, text): shape(inner, text) for key, inner in read.items()}
        case list():
            return [shape(inner, text) for inner in value]
        case str() if text in value:
            return "TEXT"
        case _:
            return value
