"""Lint: what is legal and still probably not meant."""
# ruff: noqa: E501 -- a table of rules is read one case a line

from pathlib import Path
from typing import Any

import pytest

from sidecar.model.families import CHECK_UP
from sidecar.model.labels import Labels
from sidecar.rules.files import Source, load_rules
from sidecar.rules.lint import CODES, Finding, Outlook, lint, unwatched
from sidecar.rules.model import Override
from tests.rules.helpers import rules

FOLDER = Path(__file__).parents[2] / "rules"
WORDS = {"summary": "It is so", "next_step": "Do this"}
OUTLOOK = Outlook(metrics=("app_*", "x", "y", "jobs_total", "h_*", "r_quantile", "r_window_count"))
ERRORS = 'sum(rate(jobs_total{ok="no"}[5m])) / sum(rate(jobs_total[5m]))'


def found(expr: str = "x > 1", /, outlook: Outlook = OUTLOOK, **fields: Any) -> list[Finding]:
    """What lint says of one rule that is fine but for these fields; a field that is None is left out."""
    rule = {"alert": "A", "expr": expr, "severity": "warning", "annotations": WORDS} | fields
    group = {"interval": rule.pop("interval")} if "interval" in rule else {}
    return list(lint(rules({k: v for k, v in rule.items() if v is not None}, **group), outlook))


def codes(expr: str = "x > 1", /, **fields: Any) -> list[str]:
    return [finding.code for finding in found(expr, **fields)]


@pytest.mark.parametrize(
    ("code", "expr", "fields"),
    [
        pytest.param("unknown-metric", "nobody_writes_this > 1", {}, id="no such metric"),
        pytest.param("unknown-metric", "sidecar_chek_up == 0", {}, id="a typo in ours"),
        pytest.param("rate-of-gauge", "rate(sidecar_check_up[5m]) > 1", {}, id="rate of a gauge"),
        pytest.param("delta-of-counter", "delta(jobs_total[5m]) > 1", {}, id="delta of a counter"),
        pytest.param("delta-of-counter", "predict_linear(probe_failures_total[1h], 60) > 1", {}, id="a counter predicted"),
        pytest.param("counter-compared", "jobs_total > 5", {}, id="a counter compared"),
        pytest.param("counter-compared", "sum by (check) (probe_failures_total) >= 5", {}, id="a sum of counters compared"),
        pytest.param("rate-after-sum", "rate(sum(jobs_total)[5m:1m]) > 1", {}, id="rate after sum"),
        pytest.param("quantile-since-start", "histogram_quantile(0.9, sum by (le) (h_bucket)) > 1", {"min_samples": 9, "samples": "sum(h_count)"}, id="no rate"),
        pytest.param("le-missing", "histogram_quantile(0.9, sum(rate(h_bucket[5m]))) > 1", {"min_samples": 9}, id="no le"),
        pytest.param("quantile-out-of-range", "histogram_quantile(95, rate(h_bucket[5m])) > 1", {"min_samples": 9}, id="95 for 0.95"),
        pytest.param("short-window", "rate(jobs_total[20s]) > 1", {}, id="a window of one sample"),
        pytest.param("short-window", "max_over_time(x[5s]) > 1", {}, id="a window of none"),
        pytest.param("nan-comparison", "x == NaN", {}, id="equal to NaN"),
        pytest.param("nan-comparison", "x != NaN", {}, id="unequal to NaN"),
        pytest.param("bool-condition", "x > bool 1", {}, id="bool outermost"),
        pytest.param("no-condition", "sum(rate(jobs_total[5m]))", {}, id="nothing filters"),
        pytest.param("ratio-above-one", f"{ERRORS} > 5", {"min_samples": 9}, id="percent for ratio"),
        pytest.param("ratio-above-one", f"{ERRORS} > 1", {"min_samples": 9}, id="more than all"),
        pytest.param("or-labels", "sum by (a) (x) > 1 or sum by (b) (y) > 1", {}, id="other labels behind or"),
        pytest.param("or-labels", "(x or vector(0)) < 1", {}, id="or vector"),
        pytest.param("absent-without-labels", 'absent(x{a=~"b.*"})', {}, id="absent by a pattern"),
        pytest.param("drops-check", "max(probe_duration_seconds) > 5", {}, id="the check is lost"),
        pytest.param("varying-label", "x > 1", {"labels": {"v": "{{ $value }}"}}, id="the value as a label"),
        pytest.param("overwrites-label", "sum by (a) (x) > 1", {"labels": {"a": "b"}}, id="a label replaced"),
        pytest.param("no-min-samples", f"{ERRORS} > 0.5", {}, id="a ratio of few"),
        pytest.param("no-min-samples", "histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) > 1", {}, id="a percentile of few"),
        pytest.param("no-min-samples", 'r_quantile{quantile="0.95"} > 1', {}, id="a kept percentile of few"),
        pytest.param("no-min-samples", "histogram_quantile(0.9, rate(h_bucket[5m])) > 2 * histogram_quantile(0.9, rate(h_bucket[5m] offset 1h)) or x > 1", {}, id="a percentile whose count does not follow"),
        pytest.param("repeat-below-cooldown", "x > 1", {"repeat": "5m", "cooldown": "10m"}, id="repeated within the cooldown"),
        pytest.param("short-for", "x > 1", {"for": "10s"}, id="for shorter than a tick"),
        pytest.param("short-for", "x > 1", {"for": "1m", "interval": "5m"}, id="for shorter than the interval"),
        pytest.param("template-error", "x > 1", {"annotations": WORDS | {"description": '{{ humanize "much" }}'}}, id="a template that fails"),
        pytest.param("template-error", "x > 1", {"annotations": WORDS | {"description": '{{ query "sum(" }}'}}, id="a query that cannot be read"),
        pytest.param("unguarded-query", "x > 1", {"annotations": WORDS | {"description": '{{ query "y" | first | value }}'}}, id="first of nothing"),
        pytest.param("label-not-there", "sum by (a) (x) > 1", {"annotations": WORDS | {"summary": "{{ $labels.b }}"}}, id="a label that is lost"),
        pytest.param("no-severity", "x > 1", {"severity": None}, id="no severity"),
        pytest.param("no-summary", "x > 1", {"annotations": {"next_step": "Do this"}}, id="no headline"),
        pytest.param("no-next-step", "x > 1", {"annotations": {"summary": "It is so"}}, id="nothing to do"),
        pytest.param("bad-runbook", "x > 1", {"runbook": "wiki/errors"}, id="a runbook without an address"),
        pytest.param("unused-var", "x > 1", {"vars": {"most": 5}}, id="a var that nothing uses"),
    ],
)  # fmt: skip
def test_what_lint_finds(code, expr, fields):
    """Each smell is found, alone, under its own code."""
    assert codes(expr, **fields) == [code]


@pytest.mark.parametrize(
    ("expr", "fields"),
    [
        pytest.param("x > 1", {}, id="a plain rule"),
        pytest.param("sum by (a) (rate(jobs_total[5m])) > 1", {"annotations": WORDS | {"summary": "{{ $labels.a }}"}}, id="a label that is kept"),
        pytest.param("x > 1", {"annotations": WORDS | {"summary": "{{ $labels.anything }}"}}, id="labels nobody knows"),
        pytest.param(f"{ERRORS} > 0.5", {"min_samples": 20}, id="a ratio with enough"),
        pytest.param(f"100 * {ERRORS} > 5", {"min_samples": 20}, id="a percentage"),
        pytest.param("sum(rate(jobs_total[5m])) / sum(rate(app_workers_total[5m])) > 5", {"min_samples": 20}, id="a ratio of two things"),
        pytest.param("count(sidecar_check_up == 0) > 3", {}, id="checks counted"),
        pytest.param("absent(x)", {}, id="a bare name absent"),
        pytest.param('absent(x{a="b", c=~".+"})', {}, id="absent with a name"),
        pytest.param('absent(x{a="b"} == 1)', {}, id="absent by a value"),
        pytest.param("(x > bool 1) == 1", {}, id="bool inside"),
        pytest.param("x > 1 and on () (y > bool 1) == 1", {}, id="a condition on the right"),
        pytest.param("x > 1 or y > 1", {}, id="or of labels nobody knows"),
        pytest.param("vector(1)", {}, id="the watchdog that always fires"),
        pytest.param('sidecar_check_down_reason{error_type="auth"}', {}, id="a series that is there only then"),
        pytest.param("x > 1", {"labels": {"level": "{{ if gt $value 5.0 }}high{{ else }}low{{ end }}"}}, id="a label of two words"),
        pytest.param("x > 1", {"runbook": "https://wiki/{{ $labels.a }}"}, id="a runbook with a template"),
        pytest.param("x > 1", {"repeat": "0s"}, id="no reminders"),
        pytest.param("rate(jobs_total[30s]) > 1", {}, id="a window of two samples"),
        pytest.param("x > 1", {"annotations": WORDS | {"d": '{{ with query "y" }}{{ . | first | value }}{{ end }}'}}, id="a query that is guarded"),
        pytest.param('{__name__=~"app_.+"} > 1', {}, id="names nobody knows"),
    ],
)  # fmt: skip
def test_what_is_fine(expr, fields):
    """Lint is silent about what is meant, and about what cannot be known."""
    assert found(expr, **fields) == []


def test_every_code_is_tested():
    """No code is there that no test has seen."""
    text = Path(__file__).read_text()

    assert [code for code in CODES if f'"{code}"' not in text] == []


def test_a_finding_says_where_what_why_and_what_instead():
    """A finding is one line: file, line, rule, what and why, what to write, and its code."""
    (one,) = found("x > 1", repeat="5m", cooldown="10m")

    assert str(one) == (
        "rules.yml:4: A: is to be repeated every 5m, but its cooldown of 10m holds that back; "
        "write `repeat: 10m` or more, or a shorter cooldown [repeat-below-cooldown]"
    )


def test_a_typo_is_answered_with_the_name():
    """The nearest metric is named."""
    (one,) = found("sidecar_chek_up == 0")

    assert (one.message, one.advice) == (
        "reads sidecar_chek_up, which is no metric of this daemon",
        f"did you mean {CHECK_UP.name}?",
    )


def test_recorded_series_are_known():
    """What a rule records is produced, and is no counter."""
    record = {"record": "job:x:sum", "expr": "sum(x)"}
    reader = {"alert": "A", "expr": "increase(job:x:sum[5m]) > 1", "severity": "info", "annotations": WORDS}

    assert [one.code for one in lint(rules(record, reader), OUTLOOK)] == ["rate-of-gauge"]


def test_codes_can_be_left_out():
    """What somebody does not want to hear is not said."""
    assert lint(rules({"alert": "A", "expr": "x > 1"}), OUTLOOK, ["no-severity", "no-summary", "no-next-step"]) == ()


def test_duplicates():
    """Two rules with one name and the same labels are told at the second; other labels tell them apart."""
    one = {"alert": "A", "expr": "x > 1", "severity": "info", "annotations": WORDS}
    other = one | {"expr": "y > 1"}

    (told,) = lint(rules(one, other), OUTLOOK)
    assert (told.code, "rules.yml:4" in told.message) == ("duplicate-alert", True)
    assert lint(rules(one, other | {"severity": "warning"}), OUTLOOK) == ()


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        pytest.param({"mail": (), "pager": ("critical",)}, [], id="one takes all"),
        pytest.param({"pager": ("critical",)}, ["unheard-severity"], id="none takes it"),
        pytest.param({}, [], id="there are none, which is told elsewhere"),
        pytest.param(None, [], id="nobody knows them"),
    ],
)
def test_severities_that_nobody_hears(channels, expected):
    """A severity that no channel of the rule takes is told when the channels are known."""
    outlook = Outlook(metrics=("x",), channels=channels)

    assert codes(outlook=outlook) == expected


def test_only_the_channels_of_the_rule_count():
    """A channel that the rule does not tell does not hear of it."""
    outlook = Outlook(metrics=("x",), channels={"mail": (), "pager": ("critical",)})

    assert codes(outlook=outlook, channels=["pager"]) == ["unheard-severity"]


def test_an_override_that_changes_nothing():
    """An override that says what the rule says anyway is dead."""
    text = "groups: [{name: g, rules: [{alert: A, expr: x > 1, severity: info, for: 1m, annotations: {summary: s, next_step: n}}]}]"

    def told(**override: Any) -> list[str]:
        source = Source((("rules.yml", text),), {"A": Override.model_validate(override)})
        return [one.code for one in lint(load_rules([source]), OUTLOOK)]

    assert told(**{"for": "1m", "severity": "info"}) == ["dead-override"]
    assert told(**{"for": "2m"}) == []


CHECKS = {
    "claude": Labels(check="claude", type="claude.messages", target="t", critical="true"),
    "docs": Labels(check="docs", type="http", target="t", critical="false"),
    "backup": Labels(check="backup", type="heartbeat", target="heartbeat://backup", critical="false"),
}


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        pytest.param("x > 1", ("claude", "docs", "backup"), id="none"),
        pytest.param("sidecar_check_up == 0", (), id="all"),
        pytest.param('sidecar_check_up{type=~"claude[.].+"} == 0', ("docs", "backup"), id="by type"),
        pytest.param('sum(rate(probe_failures_total{critical!="true", error_type="tls"}[5m])) > 1', ("claude",), id="by failures"),
        pytest.param("x > 1 unless on (check) sidecar_check_up == 0", ("claude", "docs", "backup"), id="what only narrows"),
        pytest.param("sidecar_health_status < 1", (), id="overall health"),
        pytest.param('{__name__=~"probe_.+", check="docs"} == 0', ("claude", "backup"), id="by a pattern of names"),
    ],
)  # fmt: skip
def test_checks_that_no_rule_watches(expr, expected):
    """A check is watched when a rule judges its state."""
    assert unwatched(rules({"alert": "A", "expr": expr}), CHECKS) == expected


def test_the_packs_watch_every_check():
    """With what we ship, whatever is probed is told."""
    sources = [
        Source(((f"{name}.yml", (FOLDER / f"{name}.yml").read_text()),)) for name in ("availability", "heartbeats")
    ]

    assert unwatched(load_rules(sources), CHECKS) == ()
    assert unwatched(load_rules(sources[:1]), CHECKS) == ("backup",)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.stem)
def test_shipped_packs_are_clean(path):
    """Lint has nothing to say of what we ship."""
    found = load_rules([Source(((path.name, path.read_text()),))])

    assert [str(one) for one in lint(found)] == []


def test_the_page_about_rules_tells_every_code():
    """Whoever meets a code finds it in the documentation, in the same words."""
    page = (FOLDER.parent / "docs" / "rules.md").read_text()

    assert [code for code, text in CODES.items() if f"| `{code}` | {text} |" not in page] == []


def test_the_example_of_the_page_about_rules_is_clean():
    """What is shown to be copied is read without a mistake, and lint has nothing to say of it."""
    page = (FOLDER.parent / "docs" / "rules.md").read_text()
    example = page.partition("```yaml rules\n")[2].partition("```")[0]
    found = load_rules([Source((("example.yml", example),))])

    assert [str(one) for one in lint(found, Outlook(metrics=("http_*",)))] == []
