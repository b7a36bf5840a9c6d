"""What a query says about itself."""

import pytest

from sidecar.model.labels import EMPTY, Labels
from sidecar.promql import compile_
from tests.promql.memory import Memory


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("up == 0", {"up"}, id="a name"),
        pytest.param('{__name__="up"}', {"up"}, id="a name as a matcher"),
        pytest.param('{"up"}', {"up"}, id="a quoted name"),
        pytest.param("a / on (x) rate(b[5m]) > c offset 1h", {"a", "b", "c"}, id="everywhere"),
        pytest.param("max_over_time(rate(a[5m])[1h:])", {"a"}, id="in a subquery"),
        pytest.param("quantile(scalar(q), a)", {"q", "a"}, id="in a parameter"),
        pytest.param('{__name__=~"a|b:c"}', {"a", "b:c"}, id="alternatives of names"),
        pytest.param("vector(time()) > 5", set(), id="nothing"),
        pytest.param('{__name__=~"a.*"}', None, id="a pattern"),
        pytest.param('{job="x"} or up', None, id="no name"),
        pytest.param('{__name__!="x", job="y"}', None, id="not a name"),
    ],
)
def test_reads(text, names):
    """A query knows which metrics it reads, or that it cannot know."""
    assert compile_(text).reads == (None if names is None else frozenset(names))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        pytest.param("up", 5, id="an instant selector counts the lookback"),
        pytest.param("up offset 10m", 15, id="an offset adds"),
        pytest.param("up offset -10m", 0, id="an offset into the future reaches nowhere"),
        pytest.param("rate(x[30m])", 30, id="a range"),
        pytest.param("rate(x[1m])", 1, id="a short range"),
        pytest.param("rate(x[30m] offset 1h)", 90, id="a range with an offset"),
        pytest.param("max_over_time(rate(x[5m])[1h:1m])", 65, id="a subquery adds its inside"),
        pytest.param("max_over_time(x[1h:1m] offset 2m)", 67, id="a subquery with an offset"),
        pytest.param("rate(x[5m]) > avg_over_time(y[2h]) or z", 120, id="the longest counts"),
        pytest.param("time()", 0, id="nothing"),
    ],
)
def test_reach(text, minutes):
    """A query knows how far back it looks."""
    assert compile_(text).reach_ms == minutes * 60_000


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        pytest.param("a > 5", ["a"], id="a comparison judges its left side"),
        pytest.param("((a) > (5))", ["a"], id="brackets do not matter"),
        pytest.param("a == bool 1", ["a == bool 1"], id="bool filters nothing"),
        pytest.param("5 < a", ["a"], id="a number on the left is the bound"),
        pytest.param("a > b", ["a"], id="two vectors"),
        pytest.param("a > on (x) group_left (y) b", ["a"], id="matching words belong to the operator"),
        pytest.param("a > 5 < 9", ["a"], id="a band has one subject"),
        pytest.param("(a > 5) < 9", ["a"], id="a band in brackets"),
        pytest.param("a > 5 and b > 3", ["a"], id="and judges its left side"),
        pytest.param("a unless on (x) b", ["a"], id="unless judges its left side"),
        pytest.param("a > 1 or b > 2", ["a", "b"], id="or judges both"),
        pytest.param("a > 1 or b > 2 and c", ["a", "b"], id="and binds tighter than or"),
        pytest.param("a and b or c", ["a", "c"], id="the last or is the outermost"),
        pytest.param("absent(a)", [], id="absent judges nothing"),
        pytest.param("absent(a) > 0", [], id="absent, compared"),
        pytest.param("absent_over_time(a[5m])", [], id="absent_over_time judges nothing"),
        pytest.param("absent(a) or b > 1", ["b"], id="absent beside another"),
        pytest.param("sum by (x) (rate(a[5m]))", ["sum by (x) (rate(a[5m]))"], id="no filter"),
        pytest.param(
            'rate(a{b="x > y"}[5m])  /  # of all\n  rate(c[5m]) > 0.05',
            ['rate(a{b="x > y"}[5m]) / rate(c[5m])'],
            id="as it was written, without comments",
        ),
        pytest.param("-a > 5", ["-a"], id="a sign"),
        pytest.param("sum(a > 5)", ["sum(a > 5)"], id="an inner filter is not the outermost"),
        pytest.param("(a and b) > 5", ["a and b"], id="what is compared stays whole"),
        pytest.param("a >= 5", ["a"], id="two-character operators"),
        pytest.param("A_ON > 1 AND b", ["A_ON"], id="operators in capitals"),
    ],
)
def test_subject(text, subjects):
    """The subject of a query is its expression without the outermost filter."""
    assert [query.text for query in compile_(text).subject] == subjects


def test_subjects_are_queries_of_their_own():
    """A subject answers where the whole query is silent."""
    memory = Memory({"a": {0: 3.0}})
    query = compile_("a > 5")

    assert query.vector(memory, 0) == []
    assert query.subject[0].vector(memory, 0) == [(Labels(__name__="a"), 3.0)]


@pytest.mark.parametrize(
    ("text", "condition", "threshold"),
    [
        pytest.param("a > 0.05", "> 0.05", (">", 0.05), id="a number"),
        pytest.param("a <= -(3)", "<= -(3)", ("<=", -3.0), id="a sign and brackets"),
        pytest.param("a > (( 5 ))", "> 5", (">", 5.0), id="brackets around a number"),
        pytest.param("a > 1h", "> 1h", (">", 3600.0), id="a duration is shown as written"),
        pytest.param("5 < a", "> 5", (">", 5.0), id="a number on the left is turned around"),
        pytest.param("5 == a", "== 5", ("==", 5.0), id="equality reads both ways"),
        pytest.param("a > b * 2", "> b * 2", None, id="no literal"),
        pytest.param("a > on (x) group_left (y) b", "> b", None, id="without the matching words"),
        pytest.param("a > on (x) group_left b", "> b", None, id="group_left without labels"),
        pytest.param("a > bool 1", "", None, id="bool filters nothing"),
        pytest.param("a > 1 and b", "> 1", (">", 1.0), id="of the left side of and"),
        pytest.param("a > 1 or b > 1", "> 1", (">", 1.0), id="of both sides of or if they agree"),
        pytest.param("a > 1 or b > 2", "", None, id="of neither if they do not"),
        pytest.param(
            'a > 10 or (a > 8 and on (x) ALERTS{alertname="A"})',
            "> 10",
            (">", 10.0),
            id="of what fires, not of what stays",
        ),
        pytest.param("a > 10 or (a > 8 and on (x) b)", "", None, id="of neither if something else narrows one"),
        pytest.param("a", "", None, id="none"),
        pytest.param("a + 1", "", None, id="arithmetic is no filter"),
        pytest.param("a > 1 != 2", "!= 2", ("!=", 2.0), id="the outermost of a chain"),
    ],
)
def test_condition(text, condition, threshold):
    """A query can say its outermost filter, in words and as a number."""
    query = compile_(text)

    assert query.condition == condition
    assert query.threshold == threshold


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        pytest.param(
            "histogram_quantile(0.95, sum by (le, model) (rate(x_bucket[5m]))) > 8",
            "sum by (model) (increase(x_count[5m]))",
            id="a quantile of buckets",
        ),
        pytest.param(
            'histogram_quantile(0.95, sum by (le) (rate(x_bucket{a="b", le!="1"}[5m] offset 1m)))',
            'sum(increase(x_count{a="b"}[5m] offset 1m))',
            id="a quantile over all",
        ),
        pytest.param("histogram_quantile(0.9, rate(x_bucket[1h])) > 1", "increase(x_count[1h])", id="not aggregated"),
        pytest.param(
            "histogram_quantile(0.9, sum without (pod) (rate(x_bucket[1h])))",
            "sum without (pod) (increase(x_count[1h]))",
            id="without",
        ),
        pytest.param("rate(x_sum[5m]) / rate(x_count[5m]) > 3", "increase(x_count[5m])", id="a mean"),
        pytest.param(
            'sum(rate(x_total{c="5"}[5m])) / sum(rate(x_total[5m])) > 0.05',
            "sum(increase(x_total[5m]))",
            id="a ratio",
        ),
        pytest.param(
            "100 * sum by (a) (rate(x[5m])) / on (a) sum by (a) (rate(y[5m])) > 5",
            "sum by (a) (increase(y[5m]))",
            id="a percentage",
        ),
        pytest.param("1 - rate(x[5m]) / rate(y[5m]) < 0.9", "increase(y[5m])", id="a complement"),
        pytest.param("rate(x[5m]) / (rate(y[5m]) > 0) > 1", "increase(y[5m])", id="a guard against zero"),
        pytest.param(
            "rate(x[5m]) / (rate(x[5m]) + rate(y[5m])) > 0.1",
            "increase(x[5m]) + increase(y[5m])",
            id="a sum of rates",
        ),
        pytest.param("increase(x[5m]) / increase(y[5m]) > 1", "increase(y[5m])", id="a ratio of increases"),
        pytest.param(
            'x_quantile{quantile="0.95", window="5m"} > 20', 'x_window_count{window="5m"}', id="a kept quantile"
        ),
        pytest.param(
            'max by (m) (x_quantile{quantile="0.95"}) > 20', "sum by (m) (x_window_count)", id="the worst of some"
        ),
        pytest.param("up == 0", None, id="a gauge"),
        pytest.param("rate(x[5m]) > 1", None, id="a rate"),
        pytest.param("rate(x[5m]) / 60 > 1", None, id="a rate by a number"),
        pytest.param("rate(x[5m]) / y > 1", None, id="a rate by a gauge"),
        pytest.param("x / rate(y[5m]) > 1", None, id="a gauge by a rate"),
        pytest.param("histogram_quantile(0.9, x_bucket + y_bucket)", None, id="buckets of two"),
        pytest.param("a > 1 or b > 1", None, id="two subjects"),
        pytest.param("absent(x)", None, id="no subject"),
    ],
)
def test_counts(text, counts):
    """A query knows what counts the observations behind its subject, where that follows."""
    found = compile_(text).counts

    assert (None if found is None else found.text) == counts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('x_quantile{quantile="0.95", window="5m"} > 20', 0.95, id="a kept quantile"),
        pytest.param('max by (m) (x_quantile{quantile="0.99"}) > 20', 0.99, id="the worst of some"),
        pytest.param('max_over_time(x_quantile{quantile="0.5"}[5m]) / 2 > 20', 0.5, id="the worst for a while, halved"),
        pytest.param("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1", 0.9, id="of buckets"),
        pytest.param("20 < round(histogram_quantile(0.9, rate(x_bucket[5m])))", 0.9, id="from the other side"),
        pytest.param("quantile_over_time(0.9, x[5m]) > 1", 0.9, id="of samples"),
        pytest.param("histogram_quantile(scalar(q), rate(x_bucket[5m])) > 1", None, id="a quantile that moves"),
        pytest.param('avg(x_quantile{quantile="0.95"}) > 1', None, id="an average of percentiles is none"),
        pytest.param('x_quantile{quantile=~"0.9.*"} > 20', None, id="several"),
        pytest.param('x_quantile{quantile="high"} > 20', None, id="no number"),
        pytest.param('x_quantile{quantile="0.9"} / y_quantile{quantile="0.9"} > 2', None, id="a ratio of two"),
        pytest.param('x_quantile{quantile="0.9"} > 2 or x_quantile{quantile="0.5"} > 1', None, id="one or another"),
        pytest.param('other{quantile="0.9"} > 2', None, id="a label that means something else"),
        pytest.param("up == 0", None, id="a gauge"),
        pytest.param("absent(x)", None, id="no subject"),
    ],
)
def test_quantile(text, expected):
    """A query knows which percentile it judges, where that follows."""
    assert compile_(text).quantile == expected


def test_counts_have_the_labels_of_the_subject():
    """The count of a kept quantile stands beside the quantile that it belongs to."""
    memory = Memory()
    series = {"window": "5m", "model": "m"}
    for q in ("0.5", "0.95"):
        memory.put(Labels(series, __name__="x_quantile", quantile=q), {0: 1.0})
    memory.put(Labels(series, __name__="x_window_count"), {0: 412.0})
    query = compile_('x_quantile{quantile="0.95", window="5m"} > 20')

    assert query.counts is not None
    assert query.counts.vector(memory, 0) == [(Labels(series, quantile="0.95"), 412.0)]


def test_counts_of_a_ratio_have_the_labels_of_the_ratio():
    """What stands behind a ratio is its divisor as an increase, under the ratio's labels."""
    memory = Memory()
    for labels, slope in ((Labels(__name__="bad", m="a", c="x"), 1.0), (Labels(__name__="all", m="a"), 4.0)):
        memory.put(labels, {t * 15_000: t * slope for t in range(21)})
    query = compile_("rate(bad[5m]) / on (m) group_left rate(all[5m]) > 0.1")

    assert query.counts is not None
    [(labels, count)] = query.counts.vector(memory, 300_000)
    assert [labels] == [labels for labels, _ in query.vector(memory, 300_000)] == [Labels(m="a", c="x")]
    assert count == pytest.approx(80)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        pytest.param('up{job="a", pod=~"b.*", x!="c"} == 0', Labels(job="a"), id="only equality"),
        pytest.param('a{x="1", y="2"} / b{x="1", y="3"} > 1', Labels(x="1"), id="only what agrees"),
        pytest.param('a{x="1"} > b{z="2"}', Labels(x="1"), id="only of the subject"),
        pytest.param('absent(a{x="1"})', EMPTY, id="nothing of absent"),
        pytest.param("a", EMPTY, id="none"),
        pytest.param('{__name__="a", b="c"}', Labels(b="c"), id="without the name"),
    ],
)
def test_equal_labels(text, labels):
    """The labels that a subject asks for are known even before it returns anything."""
    assert compile_(text).equal_labels == labels
