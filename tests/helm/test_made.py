"""What is made from the rest of the repository is up to date."""

import pytest

from helm import generate
from helm.perpod import expression, template


def test_what_is_made_is_up_to_date():
    """The files of the chart are what helm/generate.py writes; run it, or make docs, when this fails."""
    made = generate.written()
    changed = [str(path) for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]

    assert changed == []
    assert generate.stale(made) == set()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("up == 0", 'up{job="claude-sidecar"} == 0', id="a bare name"),
        pytest.param('up{a="b"}', 'up{a="b", job="claude-sidecar"}', id="a name with matchers"),
        pytest.param(
            "sum(rate(a[5m]))", 'sum by (namespace, pod) (rate(a{job="claude-sidecar"}[5m]))', id="no grouping"
        ),
        pytest.param("sum(a) by (le)", 'sum by (namespace, pod, le) (a{job="claude-sidecar"})', id="a grouping"),
        pytest.param(
            "max without (le, pod) (a)",
            'max without (le) (a{job="claude-sidecar"})',
            id="a grouping that drops",
        ),
        pytest.param(
            "a and on () b",
            'a{job="claude-sidecar"} and on (namespace, pod) b{job="claude-sidecar"}',
            id="a match on nothing",
        ),
        pytest.param(
            "a / ignoring (pod, x) b",
            'a{job="claude-sidecar"} / ignoring (x) b{job="claude-sidecar"}',
            id="a match across pods",
        ),
        pytest.param(
            "a * on (pod, x) group_left (y) b",
            'a{job="claude-sidecar"} * on (namespace, pod, x) group_left (y) b{job="claude-sidecar"}',
            id="a match on the pod already",
        ),
        pytest.param(
            'count_values("sum(x) by (y)", a) # sum(a)',
            'count_values by (namespace, pod) ("sum(x) by (y)", a{job="claude-sidecar"})',
            id="texts and comments",
        ),
        pytest.param(
            'ALERTS{alertname="X"} unless a:b:c offset 10m',
            'ALERTS{alertname="X"} unless a:b:c offset 10m',
            id="what Prometheus itself makes",
        ),
        pytest.param(
            "max_over_time((-(a offset 1h > bool Inf))[1h:5m])",
            'max_over_time((-(a{job="claude-sidecar"} offset 1h > bool (+Inf)))[1h:5m])',
            id="an expression within a range",
        ),
    ],
)
def test_expressions_keep_the_pods_apart(given, expected):
    """An expression of one daemon becomes one that judges each pod by what our pods export."""
    assert expression(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            '{{ query (printf "a{b=%q, c=\\"d\\"} > 1" $labels.b) }}',
            '{{ query (printf "a{b=%[1]q, c=\\"d\\", job=\\"claude-sidecar\\", namespace=%[2]q, pod=%[3]q} > 1"'
            " $labels.b $labels.namespace $labels.pod) }}",
            id="of what the alert is about",
        ),
        pytest.param(
            '{{ range query "max(a)" }}',
            '{{ range query (printf "max by (namespace, pod) (a{job=\\"claude-sidecar\\", namespace=%[1]q, pod=%[2]q})"'
            " $labels.namespace $labels.pod) }}",
            id="of everything",
        ),
        pytest.param("Ask the query {{ $labels.pod }}", "Ask the query {{ $labels.pod }}", id="words"),
    ],
)
def test_annotations_ask_for_the_alerts_own_pod(given, expected):
    """A query in an annotation asks for the series of the pod that the alert is about."""
    assert template(given) == expected


@pytest.mark.parametrize("given", ["absent(a)", "a > scalar(b)"])
def test_what_forgets_the_pods_is_refused(given):
    """A function whose answer is of no pod is not taken for one that judges each."""
    with pytest.raises(ValueError, match=r"forgets the pods; expected what keeps namespace and pod"):
        expression(given)


def test_defaults_are_told_as_they_are():
    """The table has the comment and the default of each key that has a comment, however deep."""
    values = "# -- One\n# thing.\na: 1\nb:\n  # -- Text | pipe. @default -- nothing\n  c: x\n  d: 2\n"

    assert generate.table(values).splitlines()[3:] == [
        "| `a` | `1` | One thing. |",
        "| `b.c` | nothing | Text \\| pipe. |",
    ]
