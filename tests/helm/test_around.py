"""What is installed beside the pods: Service, policies, monitors, dashboards."""

import json

import pytest

from helm.generate import CHART
from tests.helm import charts

BEGINNING = "watcher-claude-sidecar"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        pytest.param(
            "as it comes",
            {"ConfigMap", "Deployment", "PersistentVolumeClaim", "Pod", "Service", "ServiceAccount"},
            id="a release as it comes",
        ),
        pytest.param("without a claim", {"ConfigMap", "Deployment", "ServiceAccount"}, id="neither claim nor Service"),
        pytest.param(
            "a gateway",
            {"ConfigMap", "Deployment", "PodMonitor", "PrometheusRule", "Service"},
            id="a gateway's release",
        ),
    ],
)
def test_nothing_is_installed_that_was_not_asked_for(name, kinds):
    """What stands by itself is there only when a value asks for it."""
    assert {manifest["kind"] for manifest in charts.rendered(name)} == kinds


@pytest.mark.parametrize("name", charts.ALL)
def test_names_are_names(name):
    """No two manifests of a kind have one name, and all names fit."""
    names = [(m["kind"], m["metadata"]["name"]) for m in charts.rendered(name)]

    assert len(names) == len(set(names))
    assert all(len(found) <= 63 for _, found in names)


@pytest.mark.parametrize("name", charts.RELEASES)
def test_services_find_the_daemons_pod_alone(name):
    """The Service, the policy and the Deployment select the daemon's pod, and neither the test's nor the check's."""
    (deployment,) = charts.of_kind(name, "Deployment")
    template = deployment["spec"]["template"]["metadata"]["labels"]
    others = [pod["metadata"]["labels"] for pod in charts.of_kind(name, "Pod")]
    others += [job["spec"]["template"]["metadata"]["labels"] for job in charts.of_kind(name, "Job")]
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in charts.of_kind(name, "Service")]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in charts.of_kind(name, "NetworkPolicy")]

    for selector in selectors:
        assert selector.items() <= template.items()
        assert not any(selector.items() <= labels.items() for labels in others)


@pytest.mark.parametrize(("name", "count"), [("with somebody's claim", 1), ("a gateway", 1), ("a gateway of old", 1)])
def test_the_pod_monitor_finds_the_pod(name, count):
    """A PodMonitor selects the pods that hold the container, by labels and by the port's name, in both modes."""
    monitors = charts.of_kind(name, "PodMonitor")
    (deployment,) = charts.of_kind(name, "Deployment")
    ports = [port["name"] for port in charts.container(name)["ports"]]

    assert len(monitors) == count
    for monitor in monitors:
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert endpoint["port"] in ports
        assert {label["targetLabel"] for label in endpoint["relabelings"]} == {"job", "claude_sidecar"}


def test_the_service_monitor_finds_the_service():
    """A ServiceMonitor selects the Service and its port, and says what its values say."""
    (service,) = charts.of_kind("everything", "Service")
    (monitor,) = charts.of_kind("everything", "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    given = charts.RELEASES["everything"]["serviceMonitor"]

    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("15s", "10s")
    assert endpoint["relabelings"][2:] == given["relabelings"]
    assert endpoint["metricRelabelings"] == given["metricRelabelings"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_a_policy_lets_through_what_is_needed():
    """The policy lets Prometheus and readers in, and names, TLS and what else was named out."""
    (policy,) = charts.of_kind("everything", "NetworkPolicy")
    (tester,) = charts.of_kind("everything", "Pod")
    spec = policy["spec"]
    given = charts.RELEASES["everything"]["networkPolicy"]
    out = [(port["protocol"], port["port"]) for rule in spec["egress"] for port in rule.get("ports", [])]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [(rule["ports"][0]["port"], rule["from"]) for rule in spec["ingress"]] == [
        ("sidecar-metrics", [*given["metricsFrom"], {"podSelector": {"matchLabels": tester["metadata"]["labels"]}}]),
        ("sidecar-api", given["apiFrom"]),
    ]
    assert out == [("UDP", 53), ("TCP", 53), ("TCP", 443)]
    assert spec["egress"][-1:] == given["extraEgress"]


def test_every_dashboard_is_a_config_map():
    """Each dashboard is a ConfigMap that Grafana's sidecar finds where it looks, the same to the last value."""
    found = {
        file: json.loads(text)
        for manifest in charts.of_kind("everything", "ConfigMap")
        if manifest["metadata"]["labels"].get("grafana_dashboard") == "1"
        and manifest["metadata"]["namespace"] == "grafana"
        for file, text in manifest["data"].items()
    }

    assert found == {path.name: json.loads(path.read_text("utf-8")) for path in (CHART / "files").rglob("*.json")}
    assert found


def test_every_rule_is_of_this_release():
    """Alerts have the labels that values ask for, and expressions read the series of the release's own pods."""
    rules = [
        rule
        for manifest in charts.of_kind("everything", "PrometheusRule")
        for group in manifest["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]

    assert len(rules) > 50
    # One reads nothing but what another rule of its group records.
    scraped = [rule["expr"] for rule in rules if not rule["expr"].lstrip("(").startswith("claude:stop_reasons:")]
    assert all('job="claude-sidecar", namespace="llm", claude_sidecar="watcher-' in expr for expr in scraped)
    assert all(rule["labels"]["team"] == "llm" and rule["labels"]["severity"] for rule in rules)


def test_the_check_comes_before_everything():
    """The job that reads the configuration has the files and the secrets of the daemon, and runs before any change."""
    (job,) = charts.of_kind("everything", "Job")
    (files,) = [m for m in charts.of_kind("everything", "ConfigMap") if m["metadata"]["name"].endswith("-check")]
    (checking,) = job["spec"]["template"]["spec"]["containers"]
    running = charts.container("everything")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert int(files["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
    assert files["data"] == charts.configuration("everything")
    assert checking["args"] == ["config", "check", "/etc/sidecar/sidecar.yml"]
    for key in ("image", "env", "envFrom", "volumeMounts", "securityContext"):
        assert checking[key] == running[key], key
