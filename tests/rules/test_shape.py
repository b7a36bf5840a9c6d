"""Which labels a result has, told from the text, against what the engine yields."""

import pytest
from hypothesis import given

from sidecar.model.labels import Labels
from sidecar.promql import QueryError, compile_
from sidecar.promql.parse import parse
from sidecar.rules.lint import lint
from sidecar.rules.lint.shape import shape
from sidecar.rules.percentiles import problem
from tests.promql.expressions import EXPRESSIONS
from tests.promql.memory import Memory
from tests.rules.helpers import rules


def _memory() -> Memory:
    memory = Memory()
    for job in ("a", "b"):
        for i, name in enumerate(("up", "x_total", "gauge")):
            memory.put(Labels(__name__=name, job=job, i="1"), {t * 15_000: float(t + i) for t in range(40)})
        for n, le in enumerate(("0.5", "1", "+Inf")):
            memory.put(Labels(__name__="h_bucket", job=job, le=le), {t * 15_000: float(t * n) for t in range(40)})
    return memory


MEMORY = _memory()


@pytest.mark.parametrize(
    ("expr", "labels"),
    [
        pytest.param("x", None, id="a selector"),
        pytest.param("sum(x)", set(), id="a sum of all"),
        pytest.param("sum by (a, b) (x)", {"a", "b"}, id="by"),
        pytest.param("sum without (a) (x)", None, id="without, of what is not known"),
        pytest.param("sum without (a) (sum by (a, b) (x))", {"b"}, id="without, of what is known"),
        pytest.param("sum by (a, c) (sum by (a, b) (x))", {"a"}, id="by what is not there"),
        pytest.param("topk(3, sum by (a) (x))", {"a"}, id="topk keeps"),
        pytest.param('count_values("v", sum by (a) (x))', {"v"}, id="count_values adds"),
        pytest.param("sum by (a) (x) > 5", {"a"}, id="compared with a number"),
        pytest.param("5 < sum by (a) (x)", {"a"}, id="a number compared"),
        pytest.param("sum by (a) (x) / sum by (a, b) (y)", {"a"}, id="one to one"),
        pytest.param("x / on (a) y", {"a"}, id="on"),
        pytest.param("sum by (a, b) (x) / on (a) group_left (c) y", {"a", "b", "c"}, id="group_left"),
        pytest.param("sum by (a) (x) and y", {"a"}, id="and"),
        pytest.param("sum by (a) (x) or sum by (b) (x)", {"a", "b"}, id="or"),
        pytest.param("histogram_quantile(0.9, sum by (le, a) (rate(x_bucket[5m])))", {"a"}, id="a percentile"),
        pytest.param('label_replace(sum by (a) (x), "b", "$1", "a", "(.*)")', {"a", "b"}, id="label_replace"),
        pytest.param('absent(x{a="b", c=~"d"})', {"a"}, id="absent"),
        pytest.param('absent(x{a="b", a="c"})', set(), id="absent, asked for twice"),
        pytest.param("vector(1)", set(), id="a constant"),
        pytest.param("time()", set(), id="the time"),
        pytest.param("max_over_time(sum by (a) (x)[5m:])", {"a"}, id="a subquery"),
        pytest.param("-sum by (a) (x)", {"a"}, id="negated"),
        pytest.param("day_of_week()", set(), id="a date of now"),
    ],
)
def test_labels_of_a_result(expr, labels):
    """What follows from the text is told, and nothing else."""
    assert shape(parse(expr)) == labels


@given(EXPRESSIONS)
def test_no_result_has_other_labels(text):
    """Whatever is asked: a result has no label that its shape does not name."""
    try:
        found = compile_(text).vector(MEMORY, 300_000)
        known = shape(parse(text))
    except QueryError:
        return
    if known is not None:
        assert {name for labels, _ in found for name in labels} - {"__name__"} <= known


@given(EXPRESSIONS)
def test_lint_takes_any_expression(text):
    """Lint has an opinion on every expression that can be read, and breaks over none."""
    try:
        kind = compile_(text).kind
    except QueryError:
        return
    if kind in ("vector", "scalar") and not problem(text):
        lint(rules({"alert": "A", "expr": text}, {"record": "r", "expr": text}))
