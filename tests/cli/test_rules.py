"""`sidecar rules`."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sidecar import config
from sidecar.cli.rules import rules

RULES = "groups: [{name: g, rules: [{alert: A, expr: x > 1, severity: info}, {alert: B, expr: x > 2}]}]\n"
TEST = """
rule_files: ["rules*.yml"]
tests:
  - name: it fires
    input_series: [{series: x, values: "2"}]
    alert_rule_test: [{eval_time: 0s, alertname: A, exp_alerts: [{exp_labels: {severity: info}}]}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "test.yml").write_text(TEST)
    (tmp_path / "broken.yml").write_text("groups:\n  - name: g\n    rules:\n      - {alert: A, expr: sum(}\n")
    (tmp_path / "wrong.yml").write_text(TEST.replace("severity: info", "severity: page"))
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(rules, words)


@pytest.mark.usefixtures("folder")
def test_check_says_what_is_fine():
    """Each group is named with its rules, and what is worth knowing is a note."""
    shipped = len(yaml.safe_load(config.packs()["availability"].read_text())["groups"][0]["rules"])

    result = call("check", "rules.yml", "availability")

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "rules.yml: group g: 2 rules, fine",
        f"pack availability: group availability: {shipped} rules, fine",
        "note: rules.yml:1: B has no severity; channels that choose by it will not hear of it",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("broken.yml", "broken.yml:4: groups[0].rules[0].expr: ", id="broken PromQL"),
        pytest.param("binary.yml", "binary.yml: is not UTF-8 text", id="bytes"),
        pytest.param("nothing.yml", "or one of the packs: availability, errors, latency, sidecar", id="no such file"),
    ],
)
def test_check_names_mistakes(name, expected):
    """A file that cannot be used exits 2 and says where and why."""
    result = call("check", name)

    assert result.exit_code == 2
    assert expected in result.output


@pytest.mark.usefixtures("folder")
def test_check_for_machines():
    """With --json the answer is one object, good or bad."""
    good = json.loads(call("check", "--json", "rules.yml").stdout)
    bad = json.loads(call("check", "--json", "broken.yml").stdout)

    assert good == {"ok": True, "mistakes": [], "groups": [{"file": "rules.yml", "group": "g", "rules": 2}]}
    assert (bad["ok"], bad["mistakes"][0]["line"], bad["mistakes"][0]["key"]) == (False, 4, "groups[0].rules[0].expr")


@pytest.mark.usefixtures("folder")
def test_test_passes():
    """Expectations that are met exit 0; rule files are found from the test's folder, by pattern."""
    result = call("test", "test.yml")

    assert (result.exit_code, result.output) == (0, "test.yml: SUCCESS\n")


@pytest.mark.usefixtures("folder")
def test_test_fails():
    """Expectations that are not met exit 1 and are shown, expected against got."""
    result = call("test", "test.yml", "wrong.yml")

    assert result.exit_code == 1
    assert 'expected {alertname="A", severity="page"}' in result.output
    assert 'got      {alertname="A", severity="info"}' in result.output
    assert result.output.startswith("test.yml: SUCCESS\nwrong.yml:6: it fires: A at 0s:\n")
    assert result.output.endswith("wrong.yml: FAILED\n")


@pytest.mark.usefixtures("folder")
def test_test_for_machines():
    """With --json failures are a list."""
    found = json.loads(call("test", "--json", "wrong.yml").stdout)

    assert (found["ok"], found["failures"][0]["test"], found["failures"][0]["line"]) == (False, "it fires", 6)


@pytest.mark.usefixtures("folder")
def test_test_names_mistakes():
    """A test file that cannot be used exits 2."""
    Path("other.yml").write_text('rule_files: ["none*.yml"]\n')

    assert call("test", "rules.yml").exit_code == 2
    result = call("test", "other.yml")
    assert (result.exit_code, "got 'none*.yml', which names no file" in result.output) == (2, True)
