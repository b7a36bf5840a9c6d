"""Tests of rules in promtool's format."""

import pytest

from sidecar.model.errors import ConfigError
from sidecar.rules import unittests
from sidecar.rules.files import Source, load_rules

RULES = """
groups:
  - name: g
    rules:
      - record: job:x
        expr: sum by (job) (x)
      - alert: High
        expr: job:x > 5
        for: 1m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.job }} {{ $value }} in {{ $externalLabels.cluster }}"}
"""
HEAD = """
rule_files: [rules.yml]
evaluation_interval: 30s
tests:
  - name: story
    interval: 30s
    external_labels: {cluster: eu}
    input_series:
      - {series: 'x{job="a", i="1"}', values: 0+2x10}
      - {series: 'x{job="a", i="2"}', values: '1x3 _ stale'}
"""


def run(text: str, rules: str = RULES) -> list[str]:
    tests, document = unittests.read(HEAD + text, "test.yml")
    return [str(failure) for failure in unittests.run(tests, document, load_rules([Source((("rules.yml", rules),))]))]


def test_expectations_that_are_met():
    """Alerts after their `for`, expressions and recorded series, at any time between two evaluations."""
    assert (
        run("""
    alert_rule_test:
      - {eval_time: 2m, alertname: High}
      - eval_time: 2m44s
        alertname: High
        exp_alerts:
          - exp_labels: {severity: critical, job: a}
            exp_annotations: {summary: a 10 in eu}
    promql_expr_test:
      - {expr: job:x, eval_time: 1m, exp_samples: [{labels: 'job:x{job="a"}', value: 5}]}
      - {expr: count(x), eval_time: 2m30s, exp_samples: [{value: 1}]}
      - {expr: x > 100, eval_time: 2m}
""")
        == []
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param(
            "    alert_rule_test:\n      - {eval_time: 5m, alertname: High}\n",
            12,
            'High at 5m:\n  expected nothing\n  got      {alertname="High", job="a", severity="critical"}',
            id="an alert that should not be",
        ),
        pytest.param(
            "    alert_rule_test:\n      - {eval_time: 0s, alertname: High, exp_alerts: [{exp_labels: {a: b}}]}\n",
            12,
            'expected {a="b", alertname="High"}\n  got      nothing',
            id="an alert that should be",
        ),
        pytest.param(
            "    promql_expr_test:\n      - {expr: 'sum(x)', eval_time: 0s, exp_samples: [{value: 2}]}\n",
            12,
            "sum(x) at 0s:\n  expected {} 2.0\n  got      {} 1.0",
            id="another value",
        ),
        pytest.param(
            "    promql_expr_test:\n      - {expr: 'sum(', eval_time: 0s}\n",
            12,
            "sum( at 0s: ",
            id="a broken expression",
        ),
        pytest.param(
            "    promql_expr_test:\n      - {expr: x, eval_time: 0s, exp_samples: [{labels: 'x{', value: 1}]}\n",
            12,
            "expected a series such as",
            id="broken labels",
        ),
    ],
)
def test_expectations_that_are_not_met(text, line, message):
    """A failure names its line and shows what was expected and what was got."""
    (found,) = run(text)

    assert found.startswith(f"test.yml:{line}: story: ")
    assert message in found


def test_a_rule_that_cannot_be_evaluated_fails_the_test():
    """An evaluation error is a failure by itself."""
    rules = "groups: [{name: g, rules: [{alert: A, expr: 'x * on (job) x'}]}]"

    found = run("    promql_expr_test: [{expr: count(x), eval_time: 0s, exp_samples: [{value: 2}]}]\n", rules)

    assert len(found) == 1
    assert "rule A at 0s: " in found[0]


def test_series_that_cannot_be_read_fail_the_test():
    """A slip in the notation is told with what was expected."""
    (found,) = run("      - {series: y, values: 1 2 three}\n")

    assert "got 'three', expected a number" in found


def test_fuzzy_compare_forgives_the_last_digits():
    """With `fuzzy_compare` 0.1 + 0.2 is 0.3."""
    test = """
rule_files: []
tests:
  - input_series: [{series: a, values: "0.1"}, {series: b, values: "0.2"}]
    promql_expr_test: [{expr: a + b, eval_time: 0s, exp_samples: [{value: 0.3}]}]
"""
    for head, failures in (("", 1), ("fuzzy_compare: true", 0)):
        tests, document = unittests.read(head + test, "test.yml")
        assert len(unittests.run(tests, document, load_rules([]))) == failures


def test_groups_are_evaluated_in_the_order_that_is_given():
    """`group_eval_order` lets one group see what another recorded in the same turn."""
    rules = """
groups:
  - {name: second, rules: [{alert: A, expr: y > 0}]}
  - {name: first, rules: [{record: y, expr: x}]}
"""
    test = "    promql_expr_test: [{expr: count(ALERTS), eval_time: 0s, exp_samples: [{value: %d}]}]\n"

    assert len(run(test % 2, rules)) == 1
    tests, document = unittests.read("group_eval_order: [first, second]" + HEAD + test % 1, "test.yml")
    assert unittests.run(tests, document, load_rules([Source((("rules.yml", rules.replace("x}", "x > 0.5}")),))])) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("5", "is no test file", id="a number"),
        pytest.param("tests: [{alert_rule_tests: []}]", "did you mean 'alert_rule_test'?", id="a slip"),
        pytest.param("tests: [{alert_rule_test: [{alertname: A}]}]", "eval_time: is missing", id="no time"),
        pytest.param("evaluation_interval: 0s", "evaluation_interval: got 0s, expected more than 0s", id="no interval"),
    ],
)
def test_a_test_file_that_cannot_be_read(text, message):
    """What is no test file is refused with its place."""
    with pytest.raises(ConfigError) as caught:
        unittests.read(text, "test.yml")

    assert message in str(caught.value)


def test_endless_tests_are_refused():
    """A test that would take for ever is not begun."""
    (found,) = run("    promql_expr_test: [{expr: x, eval_time: 10y}]\n")

    assert "evaluations, expected at most 100,000" in found
