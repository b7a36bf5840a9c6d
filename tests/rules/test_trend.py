"""What the values of alerts were before they are told."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from sidecar.model.alerts import Alert, AlertState
from sidecar.model.errors import SidecarError
from sidecar.model.labels import Labels
from sidecar.model.notifications import Trend
from sidecar.rules.compiled import Alerting
from sidecar.rules.memory import Samples
from sidecar.rules.notation import series
from sidecar.rules.trend import STEPS, trends
from tests.rules.helpers import alerting

AT = 10_000.0


def samples(**values: object) -> Samples:
    """Series by name, each a function of how many seconds before AT, sampled every 15 s for an hour."""
    found = Samples()
    for name, value in values.items():
        metric, _, label = name.partition("__")
        labels = series(f'{metric}{{a="{label}"}}' if label else metric)
        for ago in range(3600, -1, -15):
            said = value(ago)  # type: ignore[operator]  # a table's function
            if said is not None:
                found.add(labels, round((AT - ago) * 1000), said)
    return found


def alert(rule: Alerting, value: float = 5.0, since: float = AT - 60, **labels: str) -> Alert:
    """An alert of *rule* that fires."""
    return Alert(rule.key, Labels(labels).with_(alertname=rule.name), AlertState.FIRING, since, value)


def trend(rule: Alerting, found: Samples, of: Alert, since: float = 0.0) -> Trend | None:
    answers: list[Mapping[str, Trend] | None] = list(trends(rule, found, (of,), AT, since))
    assert answers[-1] is not None
    return answers[-1].get(of.fingerprint)


def test_the_value_is_shown_over_half_an_hour():
    """Twenty-four values of what the rule judges, without its comparison; the last is of the moment itself."""
    rule = alerting("x > 3")

    found = trend(rule, samples(x=lambda ago: 100 - ago / 75), alert(rule))

    assert found is not None
    assert (found.end, found.step, len(found.values)) == (AT, 75.0, STEPS)
    assert found.values == tuple(float(value) for value in range(77, 101))


def test_what_began_long_ago_is_shown_over_an_hour():
    """The beginning of what has fired for a while is in the picture."""
    rule = alerting("x > 3")

    found = trend(rule, samples(x=lambda ago: 5.0 if ago < 1500 else 1.0), alert(rule, since=AT - 1500))

    assert found is not None
    assert found.step == 150.0
    assert (found.values[0], found.values[-1]) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("expr", "labels", "expected"),
    [
        pytest.param("x > 3", {"a": "one"}, 1.0, id="the series of the alert's labels"),
        pytest.param("sum by (a) (x) > 3", {"a": "two"}, 2.0, id="an aggregation that keeps them"),
        pytest.param("sum(x) > 3", {}, 3.0, id="an aggregation of all"),
        pytest.param("max(x) / 2 > 0.5", {}, 1.0, id="arithmetic"),
        pytest.param("x > 3 unless x > 1e9", {"a": "one"}, 1.0, id="a comparison with an exception"),
        pytest.param("3 < x", {"a": "one"}, 1.0, id="a comparison from the other side"),
        pytest.param("x > 30 or x > 3", {"a": "one"}, 1.0, id="two limits of one value"),
    ],
)
def test_the_trend_is_the_alerts_own(expr, labels, expected):
    """Of several series it is the one that the alert is about."""
    rule = alerting(expr, labels={"team": "gateway"})
    found = samples(x__one=lambda ago: 1.0 if ago < 900 else 0.0, x__two=lambda ago: 2.0 if ago < 900 else 0.0)

    shown = trend(rule, found, alert(rule, expected, team="gateway", **labels))

    assert shown is not None
    assert (shown.values[0], shown.values[-1]) == (0.0, expected)


def test_of_two_values_that_a_rule_judges_the_alerts_is_shown():
    """`a or b` is about the one whose value the alert has."""
    rule = alerting("x > 3 or y > 3")
    found = samples(x=lambda ago: 1.0 if ago else 2.0, y=lambda ago: 1.0 if ago else 7.0)

    shown = trend(rule, found, alert(rule, 7.0))

    assert shown is not None
    assert shown.values[-1] == 7.0


@pytest.mark.parametrize(
    ("expr", "value", "labels"),
    [
        pytest.param("x > 3", lambda _: 5.0, {}, id="a value that never changed"),
        pytest.param("x > 3", lambda ago: 1e6 + ago, {}, id="a value that hardly changed"),
        pytest.param("x > 3", lambda ago: None if ago else 5.0, {}, id="one value"),
        pytest.param("x > 3", lambda _: None, {}, id="no value"),
        pytest.param("x > 3", lambda ago: math.nan if ago else math.inf, {}, id="nothing finite"),
        pytest.param("absent(y)", lambda ago: float(ago), {}, id="an absence"),
        pytest.param("x > 3", lambda ago: float(ago), {"a": "b"}, id="labels that no series has"),
    ],
)
def test_what_would_say_nothing_is_left_out(expr, value, labels):
    """There is no trend where the value alone says as much."""
    rule = alerting(expr)

    assert trend(rule, samples(x=value), alert(rule, **{"z": "1"} | labels)) is None


def test_an_alert_about_several_series_has_none():
    """What a match on fewer labels stands for cannot be told."""
    rule = alerting("x > on () group_left () vector(3)")
    rising = samples(x__one=lambda ago: -ago, x__two=lambda ago: -ago)

    assert trend(rule, rising, alert(rule)) is None
    assert trend(rule, rising, alert(rule, a="one")) is not None


def test_what_is_not_finite_is_a_gap():
    """Neither a picture nor a file can hold it."""
    rule = alerting("x > 3")
    found = trend(rule, samples(x=lambda ago: math.inf if ago < 300 else -math.inf if ago < 600 else -ago), alert(rule))

    assert found is not None
    assert found.values[-4:] == (None,) * 4
    assert all(value is None or math.isfinite(value) for value in found.values)


def test_gaps_stay_gaps():
    """Where there was no value there is none, and the time before the first is left out."""
    rule = alerting("last_over_time(x[1m]) > 3")

    found = trend(rule, samples(x=lambda ago: None if 300 < ago < 700 or ago > 1000 else -ago), alert(rule))

    assert found is not None
    assert [value is None for value in found.values] == [False] * 5 + [True] * 4 + [False] * 5
    assert found.points[-1] == (AT, found.values[-1])
    assert found.points[0][0] == AT - 13 * 75


def test_a_window_that_was_not_full_is_no_value():
    """Counts over ten minutes begin ten minutes after the samples, or they would seem to rise."""
    rule = alerting("count_over_time(x[10m]) > 3")
    found = samples(x=lambda ago: 1.0 if ago < 1200 and ago % 60 else None)

    early = trend(rule, found, alert(rule), since=AT - 1200)
    late = trend(rule, found, alert(rule), since=AT - 1200 - 600)

    assert early is None, "with all of its window it never changed"
    assert late is not None
    assert late.values[0] < late.values[-1]  # type: ignore[operator]  # neither is a gap


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        pytest.param("sidecar_check_up == 0", True, id="a check's state"),
        pytest.param("probe_success == 0", True, id="a probe"),
        pytest.param("min_over_time(sidecar_check_up[10m]) == 0", True, id="a function of one"),
        pytest.param("claude_model_active == 0", False, id="another fact"),
    ],
)
def test_whether_one_means_up(expr, expected):
    """The name of the metric says whether 1 is good news."""
    rule = alerting(expr)
    name = next(iter(rule.subject[0].reads or ()))

    found = trend(rule, samples(**{name: lambda ago: float(ago > 800)}), alert(rule, 0.0))

    assert found is not None
    assert found.up == expected
    assert {0.0, 1.0} <= set(found.values)


def test_alerts_of_one_rule_share_the_work():
    """Two hundred alerts take one evaluation, in slices; one that is too expensive is refused."""
    rule = alerting("x > 3")
    found = Samples()
    for i in range(200):
        for ago in range(1800, -1, -75):
            found.add(series(f'x{{i="{i}"}}'), round((AT - ago) * 1000), float(ago))
    alerts = [alert(rule, i=str(i)) for i in range(200)]

    (*slices, answer) = trends(rule, found, alerts, AT, 0.0)

    assert answer is not None
    assert len(answer) == 200
    assert set(slices) <= {None}

    heavy = alerting(" + ".join(["avg_over_time(x[30m])"] * 4) + " > 3")
    with pytest.raises(SidecarError):
        list(trends(heavy, found, [replace(each, rule=heavy.key) for each in alerts], AT, AT - 9000))


def test_an_outage_between_two_looks_is_seen():
    """A step in which a check was down for a while is neither up nor down, though it was up when the step ended."""
    rule = alerting("sidecar_check_up == 0")

    up = samples(sidecar_check_up=lambda ago: float(ago > 90 and not 310 <= ago <= 340))
    up = samples(sidecar_check_up=lambda ago: float(ago > 90 and not 310 <= ago <= 340))
    found = trend(rule, up, alert(rule, 0.0))

    assert found is not None
    assert found.values[-6:] == (1.0, 0.6, 1.0, 1.0, 0.6, 0.0)
