"""Rules go out to Prometheus and come back."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.errors import ConfigError
from sidecar.rules import exporting, importing, writing
from sidecar.rules.compiled import Alerting, CompiledRule, RuleSet
from sidecar.rules.files import Source, load_rules
from sidecar.rules.model import Override
from sidecar.yamlfile import load
from tests.programs import program
from tests.rules.helpers import rules

FOLDER = Path(__file__).parents[2] / "rules"
PACKS = sorted(FOLDER.glob("*.yml"))
FULL = {
    "alert": "A",
    "expr": "x > ${most}",
    "for": "1m30s",
    "keep_firing_for": "250ms",
    "severity": "critical",
    "labels": {"team": "${who}"},
    "runbook": "https://runbooks/a",
    "annotations": {"summary": "{{ $value }} > ${most}"},
    "cooldown": "1h",
    "repeat": "0s",
    "channels": ["slack", "mail"],
    "on_no_data": "keep",
    "on_error": "alert",
    "min_samples": 5,
    "samples": 'sum(increase(y{a="{{"}[5m]))',
    "depends_on": ["B"],
    "vars": {"most": 5, "who": "ops"},
}
OTHER = {"alert": "B", "expr": "y > 1"}


def read(text: str, file: str = "rules.yml", overrides: dict[str, Any] | None = None) -> RuleSet:
    given = {name: Override.model_validate(value) for name, value in (overrides or {}).items()}
    return load_rules([Source(((file, text),), given)])


def back(text: str) -> RuleSet:
    """The rules in a file that was exported."""
    return read(writing.dump(importing.imported(load(text, "rules.yml"))[0]))


def _effective(rule: CompiledRule) -> CompiledRule:
    changed: CompiledRule = replace(rule, spec=exporting.effective(rule))  # type: ignore[arg-type]  # each has its own
    return changed


def applied(found: RuleSet) -> RuleSet:
    """*found* with its vars filled in."""
    groups = (replace(g, rules=tuple(_effective(r) for r in g.rules)) for g in found.groups)
    return RuleSet(tuple(groups))


def test_a_plain_file():
    """Prometheus' fields are where Prometheus has them, ours are annotations, vars are filled in."""
    found = rules(FULL, OTHER, {"record": "r", "expr": "sum(x)", "labels": {"a": "b"}}, interval="30s", limit=7)

    assert exporting.prometheus(found) == {
        "groups": [
            {
                "name": "g",
                "interval": "30s",
                "limit": 7,
                "rules": [
                    {
                        "alert": "A",
                        "expr": "x > 5",
                        "for": "1m30s",
                        "keep_firing_for": "250ms",
                        "labels": {"team": "ops", "severity": "critical"},
                        "annotations": {
                            "summary": "{{ $value }} > 5",
                            "runbook_url": "https://runbooks/a",
                            "sidecar_cooldown": "1h",
                            "sidecar_repeat": "0s",
                            "sidecar_channels": '["slack", "mail"]',
                            "sidecar_on_no_data": "keep",
                            "sidecar_on_error": "alert",
                            "sidecar_min_samples": "5",
                            "sidecar_samples": 'sum(increase(y{a="{{"{{"}}"}[5m]))',
                            "sidecar_depends_on": '["B"]',
                        },
                    },
                    {"alert": "B", "expr": "y > 1"},
                    {"record": "r", "expr": "sum(x)", "labels": {"a": "b"}},
                ],
            }
        ]
    }


def test_ours_says_the_same_in_our_words():
    """What is in effect reads as it would be written, and is the same rule."""
    found = rules(FULL, OTHER)
    shown = exporting.ours(found)

    assert shown["groups"][0]["rules"][0] | {"expr": FULL["expr"], "vars": FULL["vars"]} == FULL | {
        "labels": {"team": "ops"},
        "annotations": {"summary": "{{ $value }} > 5"},
    }
    assert read(writing.dump(shown)) == applied(found)


def test_overrides_are_in_it():
    """What is exported is what is evaluated here."""
    found = read(
        yaml.safe_dump({"groups": [{"name": "g", "rules": [FULL, OTHER]}]}),
        overrides={"A": {"severity": "info", "vars": {"most": 9}}, "B": {"enabled": False}},
    )
    (rule,) = exporting.prometheus(found)["groups"][0]["rules"]

    assert (rule["expr"], rule["labels"]["severity"]) == ("x > 9", "info")


def test_a_resource_of_the_operator():
    """A PrometheusRule has the file as its spec, and a name that Kubernetes takes."""
    found = rules(OTHER)

    assert exporting.prometheus_rule(found, "My rules.yml", namespace="ai", labels={"release": "p"}) == {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "my-rules-yml", "namespace": "ai", "labels": {"release": "p"}},
        "spec": exporting.prometheus(found),
    }


@pytest.mark.parametrize("wrap", ["rule file", "resource", "list of resources"])
def test_nothing_is_lost(wrap):
    """Each form that was exported comes back as the same rules."""
    found = rules(FULL, OTHER, {"record": "r", "expr": "sum(x)"}, interval="1m")
    value = exporting.prometheus(found) if wrap == "rule file" else exporting.prometheus_rule(found, "r")
    text = writing.dump({"items": [value]} if wrap == "list of resources" else value)

    assert back(text) == applied(found)


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.stem)
def test_packs_go_out_and_come_back(path, tmp_path):
    """Promtool takes what we export of each pack, and it comes back as it was."""
    found = read(path.read_text(), "rules.yml")
    text = writing.dump(exporting.prometheus(found))
    (tmp_path / "out.yml").write_text(text)

    result = subprocess.run(
        [program("promtool"), "check", "rules", str(tmp_path / "out.yml")], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert back(text) == applied(found)


def test_an_annotation_in_the_way_is_told():
    """Somebody's own annotation of one of our names is not lost in silence."""
    found = rules(FULL | {"annotations": {"sidecar_repeat": "never"}}, OTHER)

    with pytest.raises(ConfigError, match="stands in the way of the field"):
        exporting.prometheus(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("5", "is no rule file", id="a number"),
        pytest.param("kind: ConfigMap", "groups: is no list", id="another resource"),
        pytest.param("groups: [5]", "groups[0]: expected a group", id="no group"),
        pytest.param("items: [{spec: {groups: {}}}]", "items[0].spec.groups: is no list", id="a list of others"),
    ],
)
def test_what_is_no_rule_file(text, expected):
    """What cannot be imported is told with its place."""
    with pytest.raises(ConfigError) as caught:
        importing.imported(load(text, "in.yml"))

    assert expected in str(caught.value)


def test_what_means_nothing_here_is_told():
    """Keys of other programs are left out with a note, and labels stay as they were written."""
    text = (
        "groups:\n- name: g\n  partial_response_strategy: warn\n  rules: [{alert: A, expr: 1 > 2, labels: {v: 1.10}}]"
    )
    value, notes = importing.imported(load(text, "in.yml"))

    assert value == {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "1 > 2", "labels": {"v": "1.10"}}]}]}
    assert notes == ("in.yml:3: partial_response_strategy means nothing here and is left out",)


def test_nonsense_in_our_annotations_is_told_by_the_loader():
    """A field that cannot be read back stays as it is, for the loader to say what it expected."""
    text = "groups: [{name: g, rules: [{alert: A, expr: x > 1, annotations: {sidecar_min_samples: some}}]}]"

    with pytest.raises(ConfigError, match="min_samples: got 'some', expected a whole number"):
        back(text)


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="${}\x85\u2028\u2029\ufeff"), max_size=12
)
SPOKEN = st.one_of(
    WORDS, st.sampled_from(["yes", "1e3", "0o17", "2026-01-01", "{{ $value }}", "a\nb\n", " x ", "~", "- a", "a: b #c"])
)
TIMES = st.sampled_from(["0s", "1s", "1m30s", "250ms", "1d"])
RULE = st.fixed_dictionaries(
    {"expr": st.sampled_from(["x > 1", "sum by (a) (x) > 2\n", 'x{a="b"} == 0', "absent(x)"])},
    optional={
        "for": TIMES,
        "keep_firing_for": TIMES,
        "cooldown": TIMES,
        "repeat": TIMES,
        "severity": SPOKEN,
        "runbook": SPOKEN,
        "labels": st.dictionaries(st.sampled_from(["a", "b", "team"]), SPOKEN, max_size=2),
        "annotations": st.dictionaries(SPOKEN.filter(str.strip), SPOKEN, max_size=2),
        "channels": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "on_no_data": st.sampled_from(["ok", "keep", "alert"]),
        "on_error": st.sampled_from(["keep", "alert"]),
        "samples": st.sampled_from(["sum(y)", 'y{a="{{ x }}"}']),
        "min_samples": st.just(0),
    },
)
GROUP = st.fixed_dictionaries(
    {
        "rules": st.lists(
            st.one_of(RULE.map(lambda r: r | {"alert": "A"}), st.just({"record": "r", "expr": "x"})), max_size=3
        )
    },
    optional={"interval": st.sampled_from(["1s", "15s", "2m"]), "limit": st.integers(0, 9)},
)


@given(st.lists(GROUP, max_size=3))
def test_any_rules_go_out_and_come_back(groups):
    """Export, import and export again yields the same text, and the rules are the same."""
    named = [group | {"name": f"g{i}"} for i, group in enumerate(groups)]
    found = read(writing.dump({"groups": named}))
    text = writing.dump(exporting.prometheus(found))

    again = back(text)
    assert again == applied(found)
    assert writing.dump(exporting.prometheus(again)) == text
    assert all(rule.spec == exporting.effective(rule) for rule in again.rules if isinstance(rule, Alerting))
