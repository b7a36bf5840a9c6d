"""Tests of rules in promtool's format, run over the real engine."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sidecar.model.durations import Duration, show
from sidecar.model.errors import ConfigError, SidecarError
from sidecar.model.labels import EMPTY, Labels
from sidecar.promql import compile_
from sidecar.rules.compiled import Group, RuleSet
from sidecar.rules.engine import Engine
from sidecar.rules.evaluation import Surroundings
from sidecar.rules.memory import Samples
from sidecar.rules.notation import NotationError, series, values
from sidecar.yamlfile import Document, load, mistakes_of

MAX_TURNS: Final = 100_000
"""How often the groups of one test may be evaluated."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputSeries(_Part):
    series: str = Field(description='The series: up{job="gateway"}.')
    values: str = Field(description="Its values, one per interval: 1+1x5 _ stale.")


class ExpectedAlert(_Part):
    exp_labels: dict[str, str] = Field(default_factory=dict, description="The labels, alertname left out.")
    exp_annotations: dict[str, str] = Field(default_factory=dict, description="The annotations.")


class AlertTest(_Part):
    eval_time: Duration = Field(description="When, from the start.", ge=0)
    alertname: str = Field(description="Which alert.")
    exp_alerts: tuple[ExpectedAlert, ...] = Field((), description="The alerts that fire then.")


class ExpectedSample(_Part):
    labels: str = Field("", description='The series: go_goroutines{job="gateway"}.')
    value: float = Field(description="Its value.")


class ExpressionTest(_Part):
    expr: str = Field(description="PromQL.")
    eval_time: Duration = Field(description="When, from the start.", ge=0)
    exp_samples: tuple[ExpectedSample, ...] = Field((), description="The elements of the result.")


class TestGroup(_Part):
    __test__ = False  # pytest collects classes by their name

    name: str = Field("", description="What is tested.")
    interval: Duration = Field(0.0, description="Time from one value of a series to the next; the file's by default.")
    input_series: tuple[InputSeries, ...] = Field((), description="What the rules see.")
    alert_rule_test: tuple[AlertTest, ...] = Field((), description="What fires when.")
    promql_expr_test: tuple[ExpressionTest, ...] = Field((), description="What an expression yields when.")
    external_labels: dict[str, str] = Field(default_factory=dict, description="For templates.")
    external_url: str = Field("", description="For templates.")

    @property
    def last(self) -> float:
        """The latest time that is looked at."""
        alerts = [test.eval_time for test in self.alert_rule_test]
        return max(alerts + [test.eval_time for test in self.promql_expr_test], default=0.0)


class TestFile(_Part):
    __test__ = False

    rule_files: tuple[str, ...] = Field((), description="Rule files, from the test's folder.")
    evaluation_interval: Duration = Field(60.0, description="Time from one evaluation to the next.", gt=0)
    group_eval_order: tuple[str, ...] = Field((), description="Names of groups in the order of their evaluation.")
    fuzzy_compare: bool = Field(False, description="Whether the last digits of a value may differ.")
    tests: tuple[TestGroup, ...] = Field((), description="The tests, each with samples of its own.")


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met."""

    file: str
    line: int
    test: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.test}: {self.message}"


def read(text: str, file: str) -> tuple[TestFile, Document]:
    """The tests in *text*; raises ConfigError."""
    document = load(text, file)
    if not isinstance(document.value, dict):
        raise ConfigError(document.mistake("", "is no test file; expected `rule_files:` and `tests:`"))
    raw = _texts(document.value, document)
    try:
        return TestFile.model_validate(raw), document
    except ValidationError as exc:
        raise ConfigError(*mistakes_of(exc, document, model=TestFile)) from exc


def run(tests: TestFile, document: Document, rules: RuleSet) -> list[Failure]:
    """Every expectation of *tests* that *rules* do not meet."""
    failures: list[Failure] = []
    for i, test in enumerate(tests.tests):
        path = f"tests[{i}]"
        try:
            found = list(_Run(tests, test, rules).failures())
        except SidecarError as exc:
            found = [(path, str(exc))]
        name = test.name or path
        failures += [Failure(document.file, document.line(f"{path}.{at}"), name, text) for at, text in found]
    return failures


def _texts(value: Any, document: Document, path: str = "") -> Any:
    """*value* with labels, annotations, expressions and series as text as they were written: `code: 529`."""
    if isinstance(value, dict):
        out: dict[str, Any] = {}
        for key, child in value.items():
            place = f"{path}.{key}" if path else key
            if key in ("exp_labels", "exp_annotations", "external_labels") and isinstance(child, dict):
                out[key] = {k: document.text(f"{place}.{k}") or v for k, v in child.items()}
            elif key in ("values", "expr", "alertname", "name", "labels"):
                out[key] = document.text(place) or child
            else:
                out[key] = _texts(child, document, place)
        return out
    if isinstance(value, list):
        return [_texts(child, document, f"{path}[{i}]") for i, child in enumerate(value)]
    return value


class _Run:
    """One test: its samples, its engine, its clock."""

    def __init__(self, tests: TestFile, test: TestGroup, rules: RuleSet) -> None:
        self.tests = tests
        self.test = test
        order = {name: i for i, name in enumerate(tests.group_eval_order)}
        self.groups: list[Group] = sorted(rules.groups, key=lambda group: order.get(group.name, 0))
        self.engine = Engine(rules, 0.0, Surroundings(Labels(test.external_labels), test.external_url))
        self.samples = Samples()
        self.step = round((test.interval or tests.evaluation_interval) * 1000)
        self.inputs = [(series(one.series), values(one.values)) for one in test.input_series]

    def failures(self) -> Iterator[tuple[str, str]]:
        """Where an expectation was not met, and how."""
        interval = round(self.tests.evaluation_interval * 1000)
        last = round(self.test.last * 1000)
        if last // interval > MAX_TURNS:
            raise NotationError(f"takes {last // interval:,} evaluations, expected at most {MAX_TURNS:,}")
        fed = -1
        for at in range(0, last + 1, interval):
            fed = self._feed(fed, at)
            for group in self.groups:
                turn = self.engine.turn(group, self.samples, at / 1000, self.samples.emit)
                for key, error in turn.failures:
                    yield "", f"rule {key.name} at {show(at / 1000)}: {error}"
            for i, expected in enumerate(self.test.alert_rule_test):
                if at <= round(expected.eval_time * 1000) < at + interval:
                    yield from self._alerts(expected, f"alert_rule_test[{i}]")
        self._feed(fed, last)
        for i, wanted in enumerate(self.test.promql_expr_test):
            yield from self._expression(wanted, f"promql_expr_test[{i}]")

    def _feed(self, fed: int, at: int) -> int:
        """Add the samples between *fed* and *at*."""
        for i in range(fed // self.step + 1 if fed >= 0 else 0, at // self.step + 1):
            for labels, row in self.inputs:
                value = row[i] if i < len(row) else None
                if value is not None:
                    self.samples.add(labels, i * self.step, value)
        return at

    def _alerts(self, test: AlertTest, path: str) -> Iterator[tuple[str, str]]:
        got = sorted(
            (
                (alert.labels, alert.annotations)
                for alert in self.engine.alerts
                if alert.firing and alert.name == test.alertname
            ),
            key=_shown_alert,
        )
        expected = sorted(
            (
                (Labels({**one.exp_labels, "alertname": test.alertname}), Labels(one.exp_annotations))
                for one in test.exp_alerts
            ),
            key=_shown_alert,
        )
        if got != expected:
            yield (
                path,
                (
                    f"{test.alertname} at {show(test.eval_time)}:\n"
                    f"  expected {_listed(map(_shown_alert, expected))}\n  got      {_listed(map(_shown_alert, got))}"
                ),
            )

    def _expression(self, test: ExpressionTest, path: str) -> Iterator[tuple[str, str]]:
        try:
            vector = compile_(test.expr).vector(self.samples, round(test.eval_time * 1000))
            got = dict(vector)
            expected = {series(one.labels) if one.labels else EMPTY: one.value for one in test.exp_samples}
        except SidecarError as exc:
            yield path, f"{test.expr} at {show(test.eval_time)}: {exc}"
            return
        if got.keys() == expected.keys() and all(self._same(got[key], expected[key]) for key in got):
            return
        yield (
            path,
            (
                f"{test.expr} at {show(test.eval_time)}:\n"
                f"  expected {_listed(_shown_samples(expected))}\n  got      {_listed(_shown_samples(got))}"
            ),
        )

    def _same(self, got: float, expected: float) -> bool:
        if got == expected or (math.isnan(got) and math.isnan(expected)):
            return True
        return self.tests.fuzzy_compare and math.isclose(got, expected, rel_tol=1e-12, abs_tol=1e-12)


def _shown_alert(alert: tuple[Labels, Labels]) -> str:
    labels, annotations = alert
    return f"{labels} {annotations}" if annotations else str(labels)


def _shown_samples(samples: Mapping[Labels, float]) -> Sequence[str]:
    return sorted(f"{labels} {value}" for labels, value in samples.items())


def _listed(lines: Iterable[str]) -> str:
    found = list(lines)
    return "nothing" if not found else found[0] if len(found) == 1 else "".join(f"\n    {line}" for line in found)
