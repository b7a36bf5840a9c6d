"""The shipped packs: tested by their own tests, in our engine and in the real promtool."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.rules import unittests
from sidecar.rules.files import Source, load_rules
from sidecar.rules.lint.outlook import catalogue
from sidecar.rules.model import AlertingRule
from tests.programs import program

FOLDER = Path(__file__).parents[2] / "rules"
SEVERITY = re.compile(
    r'critical|warning|info|\{\{ if eq \$labels\.critical "true" \}\}critical\{\{ else \}\}warning\{\{ end \}\}'
)
PACKS = sorted(path.stem for path in FOLDER.glob("*.yml"))


def pack(name: str):
    path = FOLDER / f"{name}.yml"
    return load_rules([Source(((path.name, path.read_text()),))])


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_keeps_its_own_tests(name):
    """Each pack has unit tests, and the engine meets every expectation in them."""
    path = FOLDER / "tests" / f"{name}.yml"
    tests, document = unittests.read(path.read_text(), path.name)

    assert [str(failure) for failure in unittests.run(tests, document, pack(name))] == []
    assert tests.rule_files == (f"../{name}.yml",)


@pytest.mark.parametrize("name", PACKS)
def test_every_alert_is_tested(name):
    """No alert is shipped that no test has seen firing."""
    text = (FOLDER / "tests" / f"{name}.yml").read_text()

    assert [rule.name for rule in pack(name).alerting if rule.name not in text] == []


@pytest.mark.parametrize("name", PACKS)
def test_promtool_agrees(name, tmp_path):
    """Without our fields a pack runs on Prometheus, and promtool meets the same expectations."""
    (tmp_path / "tests").mkdir()
    (tmp_path / f"{name}.yml").write_text(plain((FOLDER / f"{name}.yml").read_text()))
    test = tmp_path / "tests" / f"{name}.yml"
    test.write_text((FOLDER / "tests" / f"{name}.yml").read_text())

    result = subprocess.run(
        [program("promtool"), "test", "rules", str(test)], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr


def plain(text: str) -> str:
    """A rule file as Prometheus has it: shorthands in their places, vars filled in, the rest of our fields left out."""
    found = yaml.safe_load(text)
    theirs = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
    for group in found["groups"]:
        group["rules"] = [_plain(rule, theirs) for rule in group["rules"]]
    return yaml.safe_dump(found, width=100_000)


def _plain(rule: dict[str, Any], theirs: set[str]) -> dict[str, Any]:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(child) for key, child in value.items()}
        known = rule.get("vars", {})
        return re.sub(r"\$\{(\w+)\}", lambda found: str(known[found[1]]), value) if isinstance(value, str) else value

    out = {key: filled(value) for key, value in rule.items() if key in theirs}
    if "severity" in rule:
        out["labels"] = {**out.get("labels", {}), "severity": rule["severity"]}
    return out


@pytest.mark.parametrize(
    "rule", [pytest.param(rule.spec, id=rule.name) for name in PACKS for rule in pack(name).alerting]
)
def test_an_alert_says_what_to_do(rule: AlertingRule):
    """Each alert has a headline, a description with its value, a next step, and a severity that channels know."""
    assert set(rule.annotations) >= {"summary", "description", "next_step"}
    assert SEVERITY.fullmatch(rule.labels["severity"])
    assert all(f"${{{name}}}" in rule.expr + rule.annotations["description"] for name in rule.vars)
    assert not rule.vars or any(f"${{{name}}}" in rule.annotations["description"] for name in rule.vars)


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_reads_only_metrics_that_exist(name):
    """A rule over a metric that nobody writes would never fire."""
    found = pack(name)
    recorded = {rule.writes for rule in found.rules}
    read = {metric for rule in found.rules for query in rule.queries for metric in query.reads or ()}

    assert read - catalogue().keys() - recorded == set()


def test_pages_are_quick():
    """Whoever is paged for an outage does not wait for a `for`: the check's state has its own threshold."""
    quick = {rule.name: rule for rule in pack("availability").alerting}

    for name in (
        "ClaudeDown",
        "ClaudeAuthFailing",
        "ClaudeSpendCap",
        "ClaudeRateLimited",
        "GatewayDown",
        "DependencyDown",
    ):
        assert (quick[name].spec.for_, quick[name].spec.labels["severity"]) == (0.0, "critical")
    assert quick["ClaudeDown"].settling == 0.0
