"""Asking a query: kinds, limits, caches."""

import pytest

from sidecar.model.labels import EMPTY, Labels
from sidecar.model.samples import STALE
from sidecar.promql import (
    Kind,
    LimitExceeded,
    Limits,
    Matrix,
    QueryError,
    Scalar,
    Series,
    String,
    Vector,
    compile_,
    plan,
    selector,
)
from tests.promql.memory import Memory

UP = Labels(__name__="up")


@pytest.fixture
def memory() -> Memory:
    return Memory({"up": {0: 1.0, 60_000: 0.0}, "down": {0: 5.0, 60_000: 6.0}})


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        pytest.param("up", Kind.VECTOR, Vector(((UP, 0.0),)), id="a vector"),
        pytest.param("1 + 1", Kind.SCALAR, Scalar(2.0), id="a scalar"),
        pytest.param("-time()", Kind.SCALAR, Scalar(-60.0), id="a scalar function"),
        pytest.param("scalar(down) * 2", Kind.SCALAR, Scalar(12.0), id="a scalar of a vector"),
        pytest.param("up[2m]", Kind.MATRIX, Matrix((Series(UP, ((0, 1.0), (60_000, 0.0))),)), id="a range"),
        pytest.param("up[2m:1m]", Kind.MATRIX, Matrix((Series(UP, ((0, 1.0), (60_000, 0.0))),)), id="a subquery"),
        pytest.param('"text"', Kind.STRING, String("text"), id="a string"),
        pytest.param("quantile(2, up)", Kind.VECTOR, None, id="annotated"),
    ],
)
def test_instant(memory, text, kind, value):
    """An instant query answers with the kind of value that its expression has."""
    query = compile_(text)

    found = query.instant(memory, 60_000)

    assert query.kind is kind
    assert query.text == text
    if value is None:
        [annotation] = found.annotations
        assert annotation == "PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"
    else:
        assert found == value


def test_vector_is_what_rules_need(memory):
    """For a rule, a scalar is one element without labels."""
    assert compile_("up == 0").vector(memory, 60_000) == [(UP, 0.0)]
    assert compile_("time()").vector(memory, 60_000) == [(EMPTY, 60.0)]


@pytest.mark.parametrize("text", ["up[5m]", '"text"', "up[5m:1m]"])
def test_rules_and_ranges_take_no_matrix_and_no_string(memory, text):
    """What is neither scalar nor instant vector is refused with the name of what it is."""
    query = compile_(text)

    with pytest.raises(QueryError, match="expected a scalar or an instant vector"):
        query.vector(memory, 0)
    with pytest.raises(QueryError, match="must be Scalar or instant Vector"):
        query.range(memory, 0, 60_000, 60_000)


def test_range(memory):
    """A range query answers at every step, its series in the order of their labels."""
    found = compile_('{__name__=~".+"}').range(memory, 0, 120_000, 60_000)

    assert found == Matrix(
        (
            Series(Labels(__name__="down"), ((0, 5.0), (60_000, 6.0), (120_000, 6.0))),
            Series(UP, ((0, 1.0), (60_000, 0.0), (120_000, 0.0))),
        )
    )


def test_range_of_a_scalar(memory):
    """A scalar over a range is one series without labels."""
    assert compile_("time()").range(memory, 0, 1500, 1000) == Matrix((Series(EMPTY, ((0, 0.0), (1000, 1.0))),))


@pytest.mark.parametrize(
    "bounds", [pytest.param((60, 0, 1), id="backwards"), pytest.param((0, 60, 0), id="no step"), (0, 60, -1)]
)
def test_range_bounds(memory, bounds):
    """A range that goes backwards or stands still is refused."""
    with pytest.raises(QueryError, match="positive step"):
        compile_("up").range(memory, *bounds)


@pytest.mark.parametrize(
    ("limits", "text", "match"),
    [
        pytest.param(Limits(samples=2), "sum_over_time({__name__=~'.+'}[5m])", "at most 2 reads", id="reads of ranges"),
        pytest.param(Limits(samples=1), "{__name__=~'.+'}", "at most 1 reads", id="reads of instants"),
        pytest.param(Limits(samples=100), "max_over_time(vector(1)[1h:10s])", "at most 100 reads", id="subqueries"),
        pytest.param(Limits(elements=1), "{__name__=~'.+'}", "got 2 elements, expected at most 1", id="elements"),
        pytest.param(Limits(steps=10), "max_over_time(up[1h:1m])", "got 60 steps", id="steps"),
        pytest.param(Limits(points=1), "up[5m]", "more than 1 points", id="points"),
    ],
)
def test_limits(memory, limits, text, match):
    """An evaluation that reads or returns too much is stopped, and says which limit."""
    with pytest.raises(LimitExceeded, match=match):
        compile_(text).instant(memory, 60_000, limits)


def test_limits_of_a_range(memory):
    """A range query counts all its points and steps."""
    with pytest.raises(LimitExceeded, match="more than 3 points"):
        compile_("up").range(memory, 0, 60_000, 10_000, Limits(points=3))
    with pytest.raises(LimitExceeded, match="exceeded maximum resolution of 11,000 points per timeseries"):
        compile_("up").range(memory, 0, 11_000_000, 1_000)


def test_the_default_limits_do_not_multiply(memory):
    """Nested subqueries share one budget."""
    text = "max_over_time(max_over_time(max_over_time(up[10000s:1s])[10000s:1s])[10000s:1s])"

    with pytest.raises(LimitExceeded):
        compile_(text).instant(memory, 60_000, Limits(samples=20_000))


def test_selections_are_kept_per_generation(memory):
    """Series are selected once, and again only when some were born or forgotten."""
    query = compile_("up + on () group_left up")
    for at in (0, 30_000, 60_000):
        query.vector(memory, at)
    assert memory.selects == 1

    memory.put(UP, {90_000: 7.0})
    assert query.vector(memory, 90_000) == [(EMPTY, 14.0)]
    assert memory.selects == 1

    memory.put(Labels(__name__="other"), {0: 1.0})
    query.vector(memory, 90_000)
    assert memory.selects == 2


def test_new_series_are_seen(memory):
    """A series that is born after the first evaluation takes part in the next."""
    query = compile_("sum by (job) ({job=~'.+'})")
    assert query.vector(memory, 0) == []

    memory.put(Labels(__name__="up", job="a"), {0: 3.0})

    assert query.vector(memory, 0) == [(Labels(job="a"), 3.0)]


def test_another_querier_has_other_series(memory):
    """A query may be asked of several stores in turn, even of the same generation."""
    query, other = compile_("up"), Memory({"up": {0: 42.0}, "x": {}})
    assert memory.generation == other.generation

    answers = [query.vector(source, 0) for source in (memory, other, memory)]

    assert answers == [[(UP, 1.0)], [(UP, 42.0)], [(UP, 1.0)]]


def test_duplicates_are_an_error(memory):
    """Elements that differ in nothing but a dropped name are refused, not merged."""
    with pytest.raises(QueryError, match="same labelset"):
        compile_("abs({__name__=~'.+'})").vector(memory, 0)
    with pytest.raises(QueryError, match="same labelset"):
        compile_("(-{__name__=~'.+'})[5m:1m]").instant(memory, 0)


def test_a_marker_hides_a_series():
    """A series that ended is gone at once, though its samples stay in ranges."""
    memory = Memory({"up": {0: 1.0, 15_000: 1.0, 30_000: STALE}})

    assert compile_("up").vector(memory, 29_999) == [(UP, 1.0)]
    assert compile_("up").vector(memory, 30_000) == []
    assert compile_("count_over_time(up[1m])").vector(memory, 30_000) == [(EMPTY, 2.0)]
    assert compile_("up[1m]").instant(memory, 30_000) == Matrix((Series(UP, ((0, 1.0), (15_000, 1.0))),))


def test_default_step_of_subqueries(memory):
    """A subquery without a step takes that of the caller."""
    count = "count_over_time(up[2m:])"

    assert compile_(count).vector(memory, 120_000) == [(EMPTY, 2.0)]
    assert compile_(count, step_ms=15_000).vector(memory, 120_000) == [(EMPTY, 8.0)]


def test_many_values_do_not_pile_up(memory, monkeypatch):
    """Identities made up from values are forgotten when there are very many, though no series was born."""
    monkeypatch.setattr(plan, "_MANY", 100)
    query = compile_('count_values("v", vector(time()))')

    for t in range(0, 500_000, 1000):
        assert query.vector(memory, t) == [(Labels(v=str(t // 1000)), 1.0)]

    assert len(query._compiler.plan._metrics) <= 102


def test_a_range_in_slices_lets_others_have_their_turn(memory, monkeypatch):
    """A long range query stops after each few ms of work, and comes to what it would have come to in one piece."""
    monkeypatch.setattr("sidecar.promql.query._SLICE", 5)
    asked = compile_("sum_over_time(down[1m])")

    slices = list(asked.range_in_slices(memory, 0, 600_000, 15_000))

    assert slices[:-1].count(None) == len(slices) - 1 > 1
    assert slices[-1] == asked.range(memory, 0, 600_000, 15_000)


def test_a_series_that_is_born_between_two_slices_is_seen(memory, monkeypatch):
    """What changes while a range query lets others work is read as the next evaluation would read it."""
    monkeypatch.setattr("sidecar.promql.query._SLICE", 1)
    slices = compile_("count(down)").range_in_slices(memory, 0, 60_000, 30_000)

    assert next(slices) is None
    memory.put(Labels(__name__="down", new="yes"), {0: 1.0})

    matrix = list(slices)[-1]
    assert matrix is not None
    [series] = matrix.series
    assert series.points == ((0, 1.0), (30_000, 2.0), (60_000, 2.0))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("up + 1", id="a sum"),
        pytest.param("up[5m]", id="a range"),
        pytest.param("up offset 5m", id="an offset"),
        pytest.param("up @ 0", id="a fixed time"),
        pytest.param("1", id="a number"),
    ],
)
def test_only_a_selector_is_a_selector(text):
    """The matchers are those of a plain selector; anything else is refused with an example."""
    assert sorted(map(str, selector('up{job="a"}'))) == ['__name__="up"', 'job="a"']
    with pytest.raises(QueryError, match="expected a series selector such as up"):
        selector(text)
