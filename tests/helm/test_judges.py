"""What others think of what the charts render: helm, Kubernetes' schemas, the operator's validators, promtool."""

import json
import re
import subprocess
from functools import cache

import pytest
import yaml

from helm import perpod
from helm.generate import CHART
from tests.helm import charts, variants
from tests.programs import NODE, module, program

OPERATOR = "monitoring.coreos.com/v1"

VALIDATE = f"""
const manifests = JSON.parse(await new Response(process.stdin).text());
for (const manifest of manifests) {{
  const kinds = await import(`@kubernetes-models/prometheus-operator/{OPERATOR}/${{manifest.kind}}`);
  try {{ new kinds[manifest.kind](manifest).validate(); }}
  catch (error) {{ console.log(`${{manifest.kind}} ${{manifest.metadata.name}}: ${{error.message}}`); }}
}}
"""


OF_THE_README = re.findall(r"^```yaml\n(.*?)^```$", (CHART / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("chart", "begins"),
    [
        pytest.param(lambda: CHART, "", id="the chart"),
        pytest.param(lambda: CHART, "# values.yaml", id="the README's release"),
        pytest.param(charts.example, "", id="the example"),
        pytest.param(charts.example, "claude-sidecar:", id="the README's gateway"),
    ],
)
def test_helm_finds_nothing(chart, begins, tmp_path):
    """Helm's strict lint has nothing to say about either chart, as they are and with what the README shows."""
    values = tmp_path / "values.yaml"
    values.write_text(next(text for text in OF_THE_README if text.startswith(begins)) if begins else "")
    result = charts.helm("lint", "--strict", "--quiet", chart(), "--values", values)

    assert (result.returncode, result.stdout) == (0, "")


def test_the_readmes_lines_make_a_gateway(tmp_path):
    """The lines that the README gives a gateway's chart, put together as they stand, render the container."""
    lines = next(text for text in OF_THE_README if "$sidecar :=" in text)
    values = next(text for text in OF_THE_README if text.startswith("claude-sidecar:"))
    deployment = lines.replace("          …\n", "").replace("  template:", "kind: Deployment\nspec:\n  template:", 1)
    chart = variants.around({"claude-sidecar": yaml.safe_load(values)["claude-sidecar"]}, tmp_path, deployment)
    for version, place in (("1.28", "containers"), ("1.35", "initContainers")):
        result = charts.helm(
            "template", "x", chart, "--kube-version", version, "--show-only", "templates/included.yaml"
        )
        pod = yaml.safe_load(result.stdout)["spec"]["template"]["spec"]

        assert "claude-sidecar" in [container["name"] for container in pod[place]]
        assert "claude-sidecar-secret-slack" in [volume["name"] for volume in pod["volumes"]]


@pytest.fixture
def judge(monkeypatch):
    """Schemas of every kind and version. It reads two megabytes anew for every manifest unless it is held back."""
    import kubernetes_validate  # type: ignore[import-untyped]  # ships none

    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", cache(kubernetes_validate.utils.schema_contents))
    return kubernetes_validate


@pytest.mark.parametrize("age", [0, 1, 2], ids=["the newest", "the one before", "the one before that"])
def test_kubernetes_knows_every_field(age, judge):
    """Manifests have only fields that their kinds have, of the right types, in the three newest versions."""
    version = sorted(set(judge.utils.all_versions()), key=lambda text: tuple(map(int, text.split("."))))[-1 - age]
    manifests = {json.dumps(m): m for name in charts.ALL for m in charts.rendered(name) if m["apiVersion"] != OPERATOR}

    for manifest in manifests.values():
        judge.validate(manifest, version, strict=True)

    assert {"Deployment", "ConfigMap", "Job", "Pod", "NetworkPolicy"} <= {m["kind"] for m in manifests.values()}


def test_the_operator_takes_its_kinds():
    """Monitors and rules are as the Prometheus operator wants them."""
    node = program("node")
    module("@kubernetes-models/prometheus-operator")
    manifests = [m for name in charts.ALL for m in charts.rendered(name) if m["apiVersion"] == OPERATOR]
    result = subprocess.run(
        [node, "--input-type=module", "-e", VALIDATE],
        cwd=NODE,
        input=json.dumps(manifests),
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == ""
    assert {manifest["kind"] for manifest in manifests} == {"PodMonitor", "ServiceMonitor", "PrometheusRule"}


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """Every PrometheusRule that the chart can render, as a file of promtool's."""
    folder = tmp_path_factory.mktemp("rules")
    for manifest in charts.of_kind("everything", "PrometheusRule"):
        (folder / f"{manifest['metadata']['name']}.yml").write_text(yaml.safe_dump(manifest["spec"]))
    return folder


def test_prometheus_takes_every_rule(rules):
    """All packs, and the rules that only an outside can have, are rules of Prometheus."""
    files = sorted(rules.glob("*.yml"))
    result = subprocess.run(
        [program("promtool"), "check", "rules", *files], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert len(files) == len(list((CHART / "files" / "rules").glob("*.yml"))) + 1


OURS = 'job="claude-sidecar", namespace="llm", claude_sidecar="watcher-claude-sidecar"'

SCRAPED = """
rule_files: [watcher-claude-sidecar-sidecar.yml, watcher-claude-sidecar-down.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{{OURS}, pod="a"}', values: 1x20}
      - {series: 'up{{OURS}, pod="b"}', values: 0x20}
      - {series: 'sidecar_config_last_reload_successful{{OURS}, pod="a"}', values: 0x20}
      - {series: 'sidecar_config_last_good_in_use{{OURS}, pod="a"}', values: 0x20}
      - {series: 'sidecar_config_last_good_in_use{{OURS}, pod="b"}', values: 1x20}
      - {series: 'process_resident_memory_bytes{job="prometheus", namespace="llm", pod="p"}', values: 8e9x20}
      - {series: 'process_resident_memory_bytes{{OURS}, pod="a"}', values: 9e7x20}
    promql_expr_test:
      - expr: count by (alertname, pod) (ALERTS{alertstate="firing"})
        eval_time: 15m
        exp_samples:
          - {labels: '{alertname="ClaudeSidecarDown", pod="b"}', value: 1}
          - {labels: '{alertname="SidecarConfigReloadFailed", pod="a"}', value: 1}
          - {labels: '{alertname="SidecarLastGoodConfig", pod="b"}', value: 1}
  - interval: 1m
    input_series:
      - {series: 'up{job="claude-sidecar", namespace="llm", claude_sidecar="another", pod="c"}', values: 1x20}
    promql_expr_test:
      - expr: count by (alertname, team) (ALERTS{alertstate="firing"})
        eval_time: 15m
        exp_samples:
          - {labels: '{alertname="ClaudeSidecarAbsent", team="llm"}', value: 1}
"""


def test_one_pod_does_not_hide_another(rules):
    """A Prometheus that scrapes several pods judges each by its own samples, and no other program's memory."""
    test = rules / "test.yaml"
    test.write_text(SCRAPED.replace("{OURS}", OURS))
    result = subprocess.run([program("promtool"), "test", "rules", test], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


ASKING = """{{ with query (printf "why{check=%q} unless on (check) up == 0" $labels.check) -}}
{{ . | first | label "why" }}{{ end }}, {{ with query "max(why)" }}{{ . | first | value }}{{ end }}"""

ANSWERED = """
rule_files: [asking.yml]
tests:
  - interval: 1m
    input_series:
      - {series: 'down{job="claude-sidecar", namespace="llm", pod="b", check="x"}', values: 1x9}
      - {series: 'why{job="claude-sidecar", namespace="llm", pod="a", check="x", why="auth"}', values: 9x9}
      - {series: 'why{job="claude-sidecar", namespace="llm", pod="b", check="x", why="100% \\"dns\\""}', values: 1x9}
      - {series: 'why{job="other", namespace="llm", pod="b", check="x", why="other"}', values: 9x9}
    alert_rule_test:
      - alertname: Down
        eval_time: 5m
        exp_alerts:
          - exp_labels: {job: claude-sidecar, namespace: llm, pod: b, check: x}
            exp_annotations: {said: '100% "dns", 1'}
"""


def test_an_alert_says_what_its_own_pod_found(tmp_path):
    """What an annotation looks up is of the pod that the alert is about, though others have the same check."""
    rule = {"alert": "Down", "expr": "down", "annotations": {"said": ASKING}}
    rules = perpod.per_pod({"groups": [{"name": "asking", "rules": [rule]}]})
    (tmp_path / "asking.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "test.yaml").write_text(ANSWERED)
    promtool = [program("promtool"), "test", "rules", tmp_path / "test.yaml"]
    result = subprocess.run(promtool, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
