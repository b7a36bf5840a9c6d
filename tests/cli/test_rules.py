"""`sidecar rules`."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sidecar import config
from sidecar.cli.rules import rules
from sidecar.rules.lint import CODES

RULES = "groups: [{name: g, rules: [{alert: A, expr: x > 1, severity: info}, {alert: B, expr: x > 2}]}]\n"
FINE = """
groups:
  - name: h
    rules: [{alert: C, expr: x > 1, severity: info, annotations: {summary: There is x, next_step: Look}}]
"""
CONFIG = """
checks: [{type: http, name: gw, url: http://gw/}]
channels: [{type: log, name: log, severities: [info]}]
tick: 30s
rules: [{file: rules.yml, override: {A: {severity: page, for: 20s}, B: {severity: info}}}]
"""
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
    (tmp_path / "fine.yml").write_text(FINE)
    (tmp_path / "sidecar.yml").write_text(CONFIG)
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
    """Each group is named with its rules; rules that lint has nothing to say of exit 0, even with --strict."""
    shipped = len(yaml.safe_load(config.packs()["availability"].read_text())["groups"][0]["rules"])

    result = call("check", "fine.yml", "availability", "--strict", "--metric", "x")

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "fine.yml: group h: 1 rule, fine",
        f"pack availability: group availability: {shipped} rules, fine",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "code"), [pytest.param([], 0, id="for information"), pytest.param(["--strict"], 1, id="strictly")]
)
def test_check_says_what_is_probably_not_meant(words, code):
    """Findings are named with place, reason, advice and code; only with --strict are they a bad answer."""
    result = call("check", "rules.yml", "--ignore", "no-summary", "--ignore", "no-next-step", "--metric", "x", *words)

    assert result.exit_code == code
    assert result.output.splitlines() == [
        "rules.yml: group g: 2 rules",
        (
            "rules.yml:1: B: has no severity: channels that choose by it will not hear of the alert; add "
            "`severity: warning`, or critical or info [no-severity]"
        ),
        "1 finding; the daemon takes these rules",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        pytest.param("broken.yml", 1, "broken.yml:4: groups[0].rules[0].expr: ", id="broken PromQL"),
        pytest.param("binary.yml", 2, "binary.yml: byte 0xff is not UTF-8", id="bytes"),
        pytest.param("nothing.yml", 2, "expected a file, or one of the packs: availability, ", id="no such file"),
    ],
)
def test_check_names_mistakes(name, code, expected):
    """What the daemon would refuse exits 1, what cannot be read at all 2, and each says where and why."""
    result = call("check", name)

    assert result.exit_code == code
    assert expected in result.output


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["check"], "expected FILEs, packs, or --config", id="nothing"),
        pytest.param(
            ["check", "rules.yml", "--config", "sidecar.yml"], "expected FILEs, packs, or --config", id="both"
        ),
        pytest.param(["check", "rules.yml", "--ignore", "nope"], "got 'nope', expected one of: ", id="no such code"),
        pytest.param(["check", "--pack", "nope"], "nope: is no pack; known: availability, ", id="no such pack"),
        pytest.param(["show", "rules.yml", "--rule", "C"], "no rule 'C'; known: A, B", id="no such rule"),
        pytest.param(["export", "rules.yml", "--name", "n"], "add --format prometheusrule", id="a name for a file"),
        pytest.param(
            ["export", "rules.yml", "--format", "prometheusrule", "--label", "a"], "expected NAME=VALUE", id="no label"
        ),
    ],
)
def test_wrong_use(words, expected):
    """Wrong use exits 2 and says what was expected."""
    result = call(*words)

    assert (result.exit_code, expected in result.output) == (2, True)


@pytest.mark.usefixtures("folder")
def test_check_for_machines():
    """With --json the answer is one object, good or bad."""
    words = ("check", "--json", "--metric", "x", "--ignore", "no-summary", "--ignore", "no-next-step")
    good = json.loads(call(*words, "rules.yml").stdout)
    bad = json.loads(call(*words, "broken.yml").stdout)

    (finding,) = good.pop("findings")
    assert good == {
        "ok": True,
        "mistakes": [],
        "unwatched": [],
        "groups": [{"file": "rules.yml", "group": "g", "rules": 2}],
    }
    assert (finding["file"], finding["line"], finding["rule"], finding["code"]) == ("rules.yml", 1, "B", "no-severity")
    assert json.loads(call(*words, "rules.yml", "--strict").stdout)["ok"] is False
    assert (bad["ok"], bad["mistakes"][0]["line"], bad["mistakes"][0]["key"]) == (False, 4, "groups[0].rules[0].expr")


def test_check_tells_its_codes():
    """Whoever sees a code finds its meaning."""
    lines = call("check", "--codes").output.splitlines()

    assert [line.split()[0] for line in lines] == list(CODES)


@pytest.mark.usefixtures("folder")
def test_check_knows_the_configuration():
    """With --config overrides, the tick and the channels count."""
    result = call(
        "check", "--config", "sidecar.yml", "--metric", "x", "--ignore", "no-summary", "--ignore", "no-next-step"
    )

    assert result.exit_code == 0
    assert [line.rpartition(" [")[2] for line in result.output.splitlines() if line.endswith("]")] == [
        "short-for]",
        "unheard-severity]",
    ]
    assert "note: no rule judges the state of the check gw: nobody is told when it is down" in result.output
    assert json.loads(call("check", "--config", "sidecar.yml", "--json").stdout)["unwatched"] == ["gw"]


@pytest.mark.usefixtures("folder")
def test_list():
    """One line for each rule."""
    assert call("list", "rules.yml").output.splitlines() == [
        "RULE  GROUP  SEVERITY  FOR  CHANNELS  PLACE",
        "A     g      info      0s   all       rules.yml:1",
        "B     g                0s   all       rules.yml:1",
    ]
    assert json.loads(call("list", "rules.yml", "--json").stdout)[0]["severity"] == "info"


@pytest.mark.usefixtures("folder")
def test_show():
    """What is in effect is shown as a rule file, with overrides, for all rules or for some."""
    found = yaml.safe_load(call("show", "--config", "sidecar.yml", "--rule", "A").output)

    assert found == {
        "groups": [
            {
                "name": "g",
                "interval": "15s",
                "rules": [{"alert": "A", "expr": "x > 1", "for": "20s", "severity": "page"}],
            }
        ]
    }
    assert json.loads(call("show", "rules.yml", "--json").stdout)["groups"][0]["name"] == "g"


@pytest.mark.usefixtures("folder")
def test_export_and_import():
    """What is exported is plain Prometheus, and comes back as it was shown."""
    exported = call("export", "rules.yml")
    Path("out.yml").write_text(exported.stdout)

    assert exported.exit_code == 0
    assert yaml.safe_load(exported.stdout)["groups"][0]["rules"][0]["labels"] == {"severity": "info"}
    assert call("import", "out.yml").stdout == call("show", "rules.yml").stdout


@pytest.mark.usefixtures("folder")
def test_export_and_import_as_json():
    """What is printed as JSON is a rule file as well: it is imported as the one in YAML is."""
    said = call("export", "availability", "--json")
    Path("exported.json").write_text(said.stdout)
    back = call("import", "exported.json", "--json")

    assert json.loads(said.stdout)["groups"][0]["name"] == "availability"
    assert json.loads(back.stdout)["groups"][0]["rules"][0]["alert"] == "ClaudeDown"


@pytest.mark.usefixtures("folder")
def test_export_for_the_operator():
    """A resource is named after its first file, and is imported from standard input."""
    exported = call("export", "rules.yml", "--format", "prometheusrule", "--label", "release=p")
    found = yaml.safe_load(exported.stdout)

    assert (found["kind"], found["metadata"]) == ("PrometheusRule", {"name": "rules", "labels": {"release": "p"}})
    back = CliRunner().invoke(rules, ["import", "-"], input=exported.stdout)
    assert back.stdout == call("show", "rules.yml").stdout


@pytest.mark.usefixtures("folder")
def test_export_of_packs():
    """Packs are exported by name."""
    found = yaml.safe_load(call("export", "--pack", "availability", "--pack", "latency").stdout)

    assert [group["name"] for group in found["groups"]] == ["availability", "latency"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        pytest.param(["broken.yml"], 1, "broken.yml, as imported:", id="broken PromQL"),
        pytest.param(["test.yml"], 1, "groups: is no list", id="another file"),
        pytest.param(["nothing.yml"], 2, "cannot be read", id="no file"),
    ],
)
def test_import_of_what_is_no_rule_file(words, code, expected):
    """What cannot be imported is told, and nothing is printed."""
    result = call("import", *words)

    assert (result.exit_code, expected in result.stderr, result.stdout) == (code, True, "")


def test_import_tells_what_it_leaves_out():
    """What means nothing here is told beside the rules, not among them."""
    text = "groups: [{name: g, partial_response_strategy: warn, rules: [{alert: A, expr: x > 1}]}]"
    result = CliRunner().invoke(rules, ["import", "-"], input=text)

    assert "note: standard input:1: partial_response_strategy means nothing here" in result.stderr
    assert yaml.safe_load(result.stdout)["groups"][0]["rules"] == [{"alert": "A", "expr": "x > 1"}]


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
