"""The shipped packs: tested by their own tests, in our engine and in the real promtool."""
# ruff: noqa: E501 -- series are read one a line

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.rules import unittests
from sidecar.rules.compiled import RuleSet
from sidecar.rules.files import Source, load_rules
from sidecar.rules.lint.outlook import catalogue
from sidecar.rules.model import AlertingRule
from tests.programs import program

FOLDER = Path(__file__).parents[2] / "rules"
SEVERITY = re.compile(
    r'critical|warning|info|\{\{ if eq \$labels\.critical "true" \}\}critical\{\{ else \}\}warning\{\{ end \}\}'
)
PACKS = sorted(path.stem for path in FOLDER.glob("*.yml"))


@cache
def packs(*names: str) -> RuleSet:
    """The packs with these *names*, together."""
    return load_rules([Source(tuple((f"{name}.yml", (FOLDER / f"{name}.yml").read_text()) for name in names))])


def pack(name: str) -> RuleSet:
    return packs(name)


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

    memory = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}  # a database for each case
    command = [program("promtool"), "test", "rules", str(test)]
    result = subprocess.run(command, env=os.environ | memory, capture_output=True, text=True, check=False)

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


UP = 'sidecar_check_up{check="a", type="claude.messages", target="t", critical="true"}'
UP_FREE = 'sidecar_check_up{check="b", type="claude.models", target="t", critical="true"}'
REDIS = 'check="redis", type="redis", target="redis:6379", critical="true"'
TRAFFIC = 'claude_requests_total{model="m", target="t", source="traffic"'
LITELLM = 'check="litellm", type="scrape", target="http://litellm/metrics"'
SITUATIONS = [
    pytest.param(
        {
            UP: "1x40 0x80",
            UP_FREE: "1x40 0x80",
            'sidecar_check_down_reason{check="a", type="claude.messages", target="t", error_type="overloaded"}': "_x41 1x80",
            'probe_failures_total{check="a", type="claude.messages", target="t", error_type="overloaded"}': "0x39 1+1x80",
            'probe_failures_total{check="b", type="claude.models", target="t", error_type="timeout"}': "0x39 1+1x80",
            TRAFFIC + ', outcome="ok"}': "0+9x40 360x80",
            TRAFFIC + ', outcome="failed", error_type="overloaded"}': "0x40 0+9x80",
        },
        {"ClaudeDown"},
        id="Claude is down, and users fail",
    ),
    pytest.param(
        {
            UP: "1x40 0x80",
            UP_FREE: "1x120",
            'sidecar_check_down_reason{check="a", type="claude.messages", target="t", error_type="throttled"}': "_x41 1x80",
            'probe_failures_total{check="a", type="claude.messages", target="t", error_type="throttled"}': "0x39 1+1x80",
            'claude_ratelimit_limit{check="a", type="claude.messages", target="t", family="requests"}': "100x120",
            'claude_ratelimit_remaining{check="a", type="claude.messages", target="t", family="requests"}': "90x40 0x80",
            'claude_ratelimit_reset_timestamp_seconds{check="a", type="claude.messages", target="t", family="requests"}': "99999x120",
        },
        {"ClaudeRateLimited"},
        id="a rate limit is used up at once",
    ),
    pytest.param(
        {
            UP: "1x120",
            'probe_failures_total{check="a", type="claude.messages", target="t", error_type="throttled"}': "0x39 0+1x80",
            'claude_ratelimit_limit{check="a", type="claude.messages", target="t", family="requests"}': "100x120",
            'claude_ratelimit_remaining{check="a", type="claude.messages", target="t", family="requests"}': "90x50 1x70",
        },
        {"ClaudeThrottled"},
        id="a rate limit refuses some probes",
    ),
    pytest.param(
        {
            f"sidecar_check_up{{{REDIS}}}": "1x40 0x80",
            f'sidecar_check_down_reason{{{REDIS}, error_type="connect"}}': "_x41 1x80",
            f'probe_failures_total{{{REDIS}, error_type="connect"}}': "0x39 1+1x80",
            f"redis_memory_used_bytes{{{REDIS}}}": "50x40 stale",
            f"redis_memory_max_bytes{{{REDIS}}}": "100x40 stale",
        },
        {"DependencyDown"},
        id="a Redis is gone",
    ),
    pytest.param(
        {
            'sidecar_check_up{check="job", type="heartbeat", target="heartbeat://job", critical="false"}': "1x40 0x80",
            'sidecar_check_down_reason{check="job", type="heartbeat", target="heartbeat://job", error_type="missed"}': "_x41 1x80",
            'probe_failures_total{check="job", type="heartbeat", target="heartbeat://job", error_type="missed"}': "0x39 1+1x80",
        },
        {"HeartbeatMissed"},
        id="a job does not call",
    ),
    pytest.param(
        {
            'sidecar_check_up{check="tls", type="tls", target="x:443", critical="false"}': "1x40 0x80",
            'sidecar_check_down_reason{check="tls", type="tls", target="x:443", error_type="tls"}': "_x41 1x80",
            'probe_failures_total{check="tls", type="tls", target="x:443", error_type="tls"}': "0x39 1+1x80",
            'probe_ssl_earliest_cert_expiry{check="tls", type="tls", target="x:443", critical="false"}': "9999999x40 100x80",
        },
        {"CheckDown"},
        id="a certificate was replaced by one that is over",
    ),
    pytest.param(
        {
            TRAFFIC + ', outcome="ok"}': "0+9x120",
            TRAFFIC + ', outcome="refused", error_type="throttled"}': "0+9x120",
            'claude_retries_total{model="m", target="t", source="traffic"}': "0x120",
            UP: "1x120",
            UP_FREE: "1x120",
        },
        {"ClaudeRequestsRefused"},
        id="users are refused, probes are not",
    ),
    pytest.param(
        {
            UP: "1x40 0x80",
            f'litellm_proxy_total_requests_metric_total{{{LITELLM}, requested_model="m"}}': "0+9x120",
            f'litellm_proxy_failed_requests_metric_total{{{LITELLM}, requested_model="m", exception_status="500"}}': "0x41 0+9x80",
            f'litellm_deployment_total_requests_total{{{LITELLM}, model_group="m", model_id="a"}}': "0+9x120",
            f'litellm_deployment_success_responses_total{{{LITELLM}, model_group="m", model_id="a"}}': "0+9x40 360x80",
            f'litellm_deployment_failure_responses_total{{{LITELLM}, model_group="m", model_id="a", exception_status="500"}}': "0x40 0+9x80",
            f'litellm_deployment_cooled_down_total{{{LITELLM}, model_id="a", exception_status="500"}}': "0x40 1x80",
        },
        {"ClaudeDown"},
        id="Claude is down, and a LiteLLM that asks it",
    ),
    pytest.param(
        {
            'sidecar_check_up{check="litellm", type="scrape", target="http://litellm/metrics", critical="false"}': "1x40 0x80",
            f'litellm_proxy_total_requests_metric_total{{{LITELLM}, requested_model="m"}}': "0+9x40 stale",
            f'litellm_proxy_failed_requests_metric_total{{{LITELLM}, requested_model="m", exception_status="500"}}': "0x40 stale",
            f'litellm_request_total_latency_metric_bucket{{{LITELLM}, model_group="m", le="+Inf"}}': "0+9x40 stale",
        },
        {"CheckDown"},
        id="a LiteLLM is gone, and its metrics",
    ),
]


@pytest.mark.parametrize(("series", "expected"), SITUATIONS)
def test_one_cause_is_told_once(series, expected):
    """With all packs together each situation is one alert for each check, at its height and a while later."""
    found = packs(*PACKS)
    firing = 'group by (alertname) (ALERTS{alertstate="firing"})'
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected)]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    expressions = [{"expr": firing, "eval_time": at, "exp_samples": samples} for at in ("18m", "25m")]
    test = {"interval": "15s", "input_series": inputs, "promql_expr_test": expressions}
    text = yaml.safe_dump({"evaluation_interval": "15s", "tests": [test]}, width=1000)

    assert [str(one) for one in unittests.run(*unittests.read(text, "together.yml"), found)] == []
