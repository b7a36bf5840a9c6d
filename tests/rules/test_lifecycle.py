"""Pending, firing, ended: told as stories of one group whose time is given by hand."""

import math
from dataclasses import replace
from typing import Any

import pytest

from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.rules import lifecycle
from sidecar.rules.lifecycle import MAX_SEEN, RETENTION, worse
from tests.rules.helpers import World, brief, rules


def world(expr: str = "x > 1", **fields: Any) -> World:
    return World(rules({"alert": "A", "expr": expr, **fields}))


def test_an_alert_without_for_fires_at_once_and_ends_at_once():
    """The condition is the alert."""
    w = world()
    w.set(1000, x=2)
    assert w.alerts(1000) == ["A firing"]
    w.set(1015, x=1)

    assert w.alerts(1015) == ["A ended recovered"]
    (alert,) = w.engine.alerts
    assert (alert.active_at, alert.fired_at, alert.ended_at, alert.value) == (1000, 1000, 1015, 2)


def test_for_is_time_and_not_a_count_of_turns():
    """However many turns there are, an alert is pending until `for` is over, and fires in the first turn after."""
    w = world(**{"for": "30s"})
    w.set(1000, x=2)

    assert [w.alerts(at) for at in (1000, 1001, 1002, 1003, 1029.999)] == [["A pending"]] * 5
    assert w.engine.due(w.group, 1003) == 1030.0
    assert w.alerts(1030) == ["A firing"]
    (alert,) = w.engine.alerts
    assert (alert.active_at, alert.fired_at) == (1000, 1030)
    assert w.engine.due(w.group, 1030) is None


def test_a_pending_alert_whose_condition_ends_is_gone():
    """What did not last was nothing, and its `for` begins anew."""
    w = world(**{"for": "30s"})
    w.set(1000, x=2)
    w.turn(1000)
    w.set(1015, x=0)
    turn = w.turn(1015)
    assert w.shown() == []
    assert [brief(alert) for alert in turn.dropped] == ["A pending"]
    w.set(1020, x=2)

    assert [w.alerts(at) for at in (1020, 1049, 1050)] == [["A pending"], ["A pending"], ["A firing"]]


def test_keep_firing_for_bridges_a_gap():
    """A firing alert stays so for a while after its condition; when that returns the clock is forgotten."""
    w = world(keep_firing_for="1m")
    w.set(1000, x=2)
    w.turn(1000)
    w.set(1015, x=0)
    assert w.alerts(1015) == ["A firing (keep_firing_for)"]
    assert w.engine.due(w.group, 1015) == 1075
    w.set(1030, x=2)
    assert w.alerts(1030) == ["A firing"]
    w.set(1045, x=0)

    assert [w.alerts(at) for at in (1045, 1104)] == [["A firing (keep_firing_for)"]] * 2
    assert w.alerts(1105) == ["A ended recovered"]


def test_an_ended_alert_is_kept_for_a_while():
    """A quarter of an hour after its end an alert is forgotten."""
    w = world()
    w.set(1000, x=2)
    w.turn(1000)
    w.set(1010, x=0)
    w.turn(1010)
    assert w.alerts(1010 + RETENTION) == ["A ended recovered"]

    assert w.alerts(1011 + RETENTION) == []


def test_an_alert_that_returns_is_a_new_one():
    """After an end the same labels begin a new life, with times of its own."""
    w = world()
    for at, value in ((1000, 2), (1010, 0), (1020, 3)):
        w.set(at, x=value)
        w.turn(at)

    (alert,) = w.engine.alerts
    assert (brief(alert), alert.active_at, alert.fired_at, alert.ended_at, alert.value) == (
        "A firing",
        1020,
        1020,
        None,
        3,
    )


def test_value_peak_annotations_and_condition():
    """An alert shows the newest value, the worst one, its texts and the comparison."""
    w = world(annotations={"summary": "{{ $labels.job }}: {{ $value }}"}, labels={"kind": "{{ $labels.job }}!"})
    for at, value in ((1000, 2), (1010, 7), (1020, 3)):
        w.put('x{job="gw"}', at, value)
        w.turn(at)

    (alert,) = w.engine.alerts
    assert alert.labels == Labels(alertname="A", job="gw", kind="gw!")
    assert (alert.value, alert.peak, alert.condition, alert.annotations["summary"]) == (3, 7, "> 1", "gw: 3")


@pytest.mark.parametrize(
    ("condition", "before", "value", "expected"),
    [
        pytest.param("> 1", 2, 3, 3, id="above: more is worse"),
        pytest.param(">= 1", 3, 2, 3, id="above: less is not"),
        pytest.param("< 1", 0.5, 0.2, 0.2, id="below: less is worse"),
        pytest.param("<= 1", 0.2, 0.5, 0.2, id="below: more is not"),
        pytest.param("== 0", None, 0, 0, id="equal"),
        pytest.param("", 1, 2, 2, id="no comparison: more is worse"),
        pytest.param("> 1", 2, math.nan, 2, id="no number is no worse"),
    ],
)
def test_the_peak_is_on_the_side_of_the_comparison(condition, before, value, expected):
    """What is worse follows from the comparison."""
    assert worse(condition, before, value) == expected


class TestNoData:
    """What it means when something that was there is not."""

    def gone(self, **fields: Any) -> World:
        """An alert fires for job a; b is fine; then a has no data any more."""
        w = world(**fields)
        w.put('x{job="a"}', 1000, 2)
        w.put('x{job="b"}', 1000, 0)
        w.turn(1000)
        w.put('x{job="a"}', 1015, None)
        return w

    def test_ok_ends_with_no_data(self):
        """By default a vanished element ends its alert, and nobody calls that a recovery."""
        assert self.gone().alerts(1015) == ["A{job=a} ended no_data"]

    def test_keep_keeps_firing(self):
        """With `keep` firing goes on until there is data that says otherwise."""
        w = self.gone(on_no_data="keep")
        assert w.alerts(1015) == ["A{job=a} firing (no data)"]
        w.put('x{job="a"}', 1030, 1)

        assert w.alerts(1030) == ["A{job=a} ended recovered"]

    def test_keep_drops_what_is_pending(self):
        """`keep` holds what fires, not what might have."""
        w = self.gone(on_no_data="keep", **{"for": "1m"})

        assert w.alerts(1015) == []

    def test_alert_counts_as_true(self):
        """With `alert` the alert goes on with the value NaN, and its worst value stays."""
        w = self.gone(on_no_data="alert")
        assert w.alerts(1015) == ["A{job=a} firing (no data)"]
        alert = w.engine.alerts[0]
        assert (math.isnan(alert.value), alert.peak) == (True, 2)
        w.put('x{job="a"}', 1030, 0)

        assert w.alerts(1030) == ["A{job=a} ended recovered"]

    def test_alert_opens_for_an_element_that_vanishes(self):
        """With `alert` an element that was fine and vanishes raises an alert with its labels, through `for`."""
        w = world(on_no_data="alert", **{"for": "30s"}, annotations={"s": "{{ $labels.job }} {{ $value }}"})
        w.put('x{job="a"}', 1000, 0)
        assert w.alerts(1000) == []
        w.put('x{job="a"}', 1015, None)

        assert [w.alerts(at) for at in (1015, 1044, 1045)] == [
            ["A{job=a} pending (no data)"],
            ["A{job=a} pending (no data)"],
            ["A{job=a} firing (no data)"],
        ]
        assert w.engine.alerts[0].annotations["s"] == "a NaN"

    def test_alert_speaks_of_what_never_was(self):
        """With `alert` a subject that never returned anything raises one alert with the selector's labels."""
        w = world('x{job="a"} > 1', on_no_data="alert", severity="critical")
        assert w.alerts(1000) == ["A{job=a,severity=critical} firing (no data)"]
        w.put('x{job="a",instance="i"}', 1015, 0)

        assert w.alerts(1015) == ["A{job=a,severity=critical} ended recovered"]

    def test_what_never_was_waits_until_the_rule_is_settled(self):
        """A rule over five minutes cannot know after one that there is nothing."""
        w = world("rate(x[5m]) > 1", on_no_data="alert")

        assert w.alerts(1060) == []
        assert w.alerts(1240, ready=False) == []
        assert w.alerts(1300) == ["A firing (no data)"]

    def test_a_number_that_is_none_is_no_data(self):
        """A ratio of nothing is NaN: its alert ends for want of data, not by recovery."""
        w = world("x / y > 0.5")
        w.set(1000, x=1, y=1)
        w.turn(1000)
        w.set(1015, x=0, y=0)

        assert w.alerts(1015) == ["A ended no_data"]

    def test_an_absence_has_no_data_to_miss(self):
        """What watches an absence recovers when the thing is back."""
        w = world('absent(x{job="a"})')
        assert w.alerts(1000) == ["A{job=a} firing"]
        w.put('x{job="a"}', 1015, 1)

        assert w.alerts(1015) == ["A{job=a} ended recovered"]

    @pytest.mark.parametrize(
        ("expr", "change", "expected"),
        [
            pytest.param("x and y", {"y": None}, "A ended recovered", id="the other side of and"),
            pytest.param("x and y", {"x": None}, "A ended no_data", id="the subject of and"),
            pytest.param("x unless z", {"z": 1.0}, "A ended recovered", id="unless"),
            pytest.param("x > y", {"x": 0.0}, "A ended recovered", id="the subject falls"),
            pytest.param("x > y", {"y": None}, "A ended recovered", id="there is nothing to compare with"),
            pytest.param("sum(x) > 1", {"x": None}, "A ended no_data", id="a sum of nothing"),
            pytest.param("x > 1 or y > 5", {"x": None, "y": 0.0}, "A ended recovered", id="either side of or"),
        ],
    )
    def test_the_subject_is_what_is_judged(self, expr, change, expected):
        """Whether an end is a recovery depends on the expression without its outermost filter."""
        w = world(expr)
        w.set(1000, x=2, y=1)
        assert w.alerts(1000) == ["A firing"]
        w.set(1015, **change)

        assert w.alerts(1015) == [expected]

    def test_the_subject_may_have_more_labels_than_the_alert(self):
        """`on (job)` leaves one label of many; the element behind it is found all the same."""
        w = world("x > on (job) y")
        w.put('x{job="a",pod="1"}', 1000, 2)
        w.put('x{job="b",pod="2"}', 1000, 0)
        w.put('y{job="a"}', 1000, 1)
        w.put('y{job="b"}', 1000, 1)
        assert w.alerts(1000) == ["A{job=a} firing"]
        w.put('x{job="a",pod="1"}', 1015, None)

        assert w.alerts(1015) == ["A{job=a} ended no_data"]

    def test_what_is_remembered_is_bounded(self):
        """A subject whose elements come and go does not fill the memory."""
        w = world(on_no_data="alert", **{"for": "1h"})
        for i in range(MAX_SEEN + 50):
            w.samples.add(Labels(__name__="x", i=str(i)), 1_000_000, 0.0)
        w.turn(1000)

        assert len(w.engine.memory(RuleKey("g", "A")).seen) == MAX_SEEN


class TestFewData:
    """Too few observations are none."""

    EXPR = "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m]))) > 1"

    def traffic(self, per_tick: float, slow: bool, **fields: Any) -> World:
        w = world(self.EXPR, **fields)
        w.engine.started = 0.0
        for i in range(21):
            at, count = 1000 + i * 15, per_tick * i
            w.put('x_bucket{le="1"}', at, 0 if slow else count)
            w.put('x_bucket{le="10"}', at, count)
            w.put('x_bucket{le="+Inf"}', at, count)
            w.put("x_count", at, count)
        return w

    def test_enough_observations_fire_and_are_counted(self):
        """An alert says how many observations stand behind its value."""
        w = self.traffic(2, slow=True, min_samples=20)

        assert w.alerts(1300) == ["A firing"]
        assert w.engine.alerts[0].samples == pytest.approx(40, rel=0.1)

    def test_too_few_observations_are_no_alert(self):
        """A percentile of three is not worth a page."""
        assert self.traffic(0.1, slow=True, min_samples=20).alerts(1300) == []

    def test_the_count_is_told_even_without_a_minimum(self):
        """Where it follows from the expression the count is there."""
        w = self.traffic(2, slow=True)
        w.turn(1300)

        assert w.engine.alerts[0].samples == pytest.approx(40, rel=0.1)

    def test_traffic_that_ends_is_no_recovery(self):
        """An alert whose traffic dries up ends for want of data."""
        w = self.traffic(2, slow=True, min_samples=20)
        w.turn(1300)
        for i in range(20):
            for name in ('x_bucket{le="1"}', 'x_bucket{le="10"}', 'x_bucket{le="+Inf"}', "x_count"):
                w.put(name, 1315 + i * 15, 0 if '"1"' in name else 40)

        assert w.alerts(1600) == ["A ended no_data"]

    def test_samples_may_be_said(self):
        """`samples` counts what the expression does not tell."""
        w = world("x > 1", min_samples=5, samples="sum(n)")
        w.set(1000, x=2, n=4)
        assert w.alerts(1000) == []
        w.set(1015, n=5)

        assert w.alerts(1015) == ["A firing"]
        assert w.engine.alerts[0].samples == 5


class TestErrors:
    """An evaluation that fails says nothing about the alerts."""

    EXPR = "x * on (job) group_left y > 1"

    def broken(self, **fields: Any) -> World:
        """An alert fires; then the right side has two elements for one."""
        w = world(self.EXPR, **fields)
        w.put('x{job="a",i="1"}', 1000, 2)
        w.put('y{job="a"}', 1000, 1)
        w.turn(1000)
        w.put('y{job="a",k="2"}', 1015, 1)
        return w

    def test_an_error_keeps_everything(self):
        """An evaluation error is neither a recovery nor an alert; it is counted."""
        w = self.broken()

        turn = w.turn(1015)

        assert w.shown() == ["A{i=1,job=a} firing"]
        assert [(key.name, "many-to-many" in error or "duplicate" in error) for key, error in turn.failures] == [
            ("A", True)
        ]
        assert turn.changed == ()

    def test_an_error_can_raise_an_alert(self):
        """With `on_error: alert` there is one more alert, until the rule can be evaluated again."""
        w = self.broken(on_error="alert", severity="warning")
        assert w.alerts(1015) == [
            "A{i=1,job=a,severity=warning} firing",
            "A{reason=evaluation_error,severity=warning} firing (error)",
        ]
        w.put('y{job="a",k="2"}', 1030, None)

        assert w.alerts(1030) == [
            "A{i=1,job=a,severity=warning} firing",
            "A{reason=evaluation_error,severity=warning} ended recovered",
        ]

    def test_pending_alerts_wait(self):
        """A `for` that runs out during an error fires in the first good turn."""
        w = self.broken(**{"for": "20s"})
        assert w.alerts(1030) == ["A{i=1,job=a} pending"]
        w.put('y{job="a",k="2"}', 1045, None)

        assert w.alerts(1045) == ["A{i=1,job=a} firing"]

    def test_two_alerts_with_one_identity_are_an_error(self):
        """Labels that fall together after templating are told and change nothing."""
        w = world(labels={"i": "same"})
        w.put('x{i="1"}', 1000, 2)
        w.put('x{i="2"}', 1000, 2)

        turn = w.turn(1000)

        assert w.shown() == []
        assert "two alerts with the labels" in turn.failures[0][1]

    def test_more_alerts_than_the_limit_are_an_error(self):
        """A rule that yields more than the group's limit keeps its alerts as they were."""
        w = World(rules({"alert": "A", "expr": "x > 1"}, limit=1))
        w.put('x{i="1"}', 1000, 2)
        assert w.alerts(1000) == ["A{i=1} firing"]
        w.put('x{i="2"}', 1015, 2)

        turn = w.turn(1015)

        assert w.shown() == ["A{i=1} firing"]
        assert turn.failures[0][1] == "yields 2 alerts, the group's limit is 1"


def saved(state: AlertState = AlertState.FIRING, **fields: object) -> Alert:
    alert = Alert(RuleKey("g", "A"), Labels(alertname="A"), state, active_at=900.0, value=2.0, fired_at=900.0)
    return replace(alert, **fields)  # type: ignore[arg-type]  # fields of the caller's choice


class TestRestart:
    """What was before a downtime."""

    def test_firing_stays_until_the_rule_is_settled(self):
        """An empty window after a restart is no recovery; data that say so are."""
        w = world("rate(x[5m]) > 1")
        w.engine.restore([saved()], downtime=7200.0, now=1000.0)
        assert w.alerts(1001) == ["A firing (settling)"]
        w.set(1200, x=0)
        w.set(1299, x=0)
        assert w.alerts(1299) == ["A firing (settling)"]

        assert w.alerts(1300) == ["A ended recovered"]
        assert w.engine.alerts[0].active_at == 900

    def test_firing_waits_for_its_checks(self):
        """Without a range to wait for, the checks' first state settles a rule."""
        w = world("x == 0")
        w.engine.restore([saved()], downtime=5.0, now=1000.0)
        assert w.alerts(1001, ready=False) == ["A firing (settling)"]
        w.set(1002, x=1)

        assert w.alerts(1002) == ["A ended recovered"]

    def test_firing_that_is_seen_again_goes_on(self):
        """An alert that is true after the restart is the same alert, judged from then on as any other."""
        w = world("rate(x[5m]) > 1")
        w.engine.restore([saved()], downtime=5.0, now=1000.0)
        for at, value in ((1000, 0), (1015, 1000), (1030, 2000)):
            w.set(at, x=value)
        assert w.alerts(1030) == ["A firing"]
        for at in range(1045, 1400, 15):
            w.set(at, x=2000)

        assert w.alerts(1395) == ["A ended recovered"]
        assert w.engine.alerts[0].fired_at == 900

    def test_what_has_no_data_after_settling_ends_so(self):
        """A restored alert whose element never comes back is closed for want of data."""
        w = world("x > 1")
        w.engine.restore([saved()], downtime=5.0, now=1000.0)

        assert w.alerts(1001) == ["A ended no_data"]

    def test_pending_loses_the_downtime(self):
        """The time in which nobody looked does not count for `for`."""
        w = world(**{"for": "60s"})
        w.engine.restore([saved(AlertState.PENDING, fired_at=None, active_at=960.0)], downtime=20.0, now=1000.0)
        w.set(1001, x=2)

        assert [w.alerts(at) for at in (1001, 1040)] == [["A pending"]] * 2
        assert w.alerts(1041) == ["A firing"]

    def test_pending_waits_for_its_checks(self):
        """A pending alert is not forgotten because the first probe after a restart is still on its way."""
        w = world(**{"for": "60s"})
        w.engine.restore([saved(AlertState.PENDING, fired_at=None, active_at=960.0)], downtime=20.0, now=1000.0)

        assert w.alerts(1000, ready=False) == ["A pending (settling)"]
        assert w.alerts(1001) == []

    def test_pending_is_forgotten_after_an_hour(self):
        """After an hour of downtime nothing is left of a `for` that ran."""
        w = world(**{"for": "60s"})
        w.engine.restore([saved(AlertState.PENDING, fired_at=None)], downtime=3601.0, now=5000.0)

        assert w.shown() == []

    def test_ended_alerts_are_kept_as_long_as_they_would_have_been(self):
        """An end that is not long ago is remembered over a restart."""
        w = world()
        ended = saved(AlertState.ENDED, ended_at=990.0, end_reason=EndReason.RECOVERED)
        w.engine.restore([ended, replace(ended, labels=Labels(alertname="A", i="2"), ended_at=50.0)], 5.0, 1000.0)

        assert w.shown() == ["A ended recovered"]

    def test_alerts_of_a_rule_that_is_gone_end(self):
        """What fired under a rule that the new configuration does not have is closed."""
        w = world()

        gone = saved(rule=RuleKey("g", "Gone"), labels=Labels(alertname="Gone"))

        orphans = w.engine.restore([gone], 5.0, 1000.0)

        assert [brief(alert) for alert in orphans] == ["Gone ended removed"]
        assert w.shown() == []

    def test_alerts_of_a_rule_that_was_moved_go_on(self):
        """A rule that stands in another group now takes up what it yielded there."""
        w = world()

        assert w.engine.restore([saved(rule=RuleKey("before", "A"))], 5.0, 1000.0) == ()

        w.set(1001, x=2)
        assert w.alerts(1001) == ["A firing"]
        assert w.engine.alerts[0].rule == RuleKey("g", "A")

    def test_alerts_of_a_check_that_is_gone_end(self):
        """What was watched before the restart and is not now is closed as removed, by the labels of its series."""
        w = world(labels={"check": "the rule's own"})
        kept = saved(labels=Labels(alertname="A", check="the rule's own"))
        other = world()

        w.engine.restore([kept], 5.0, 1000.0, lambda labels: "check" in labels)
        other.engine.restore(
            [saved(labels=Labels(alertname="A", check="x"))], 5.0, 1000.0, lambda labels: "check" in labels
        )

        assert w.shown() == ["A{check=the rule's own} firing (settling)"]
        assert other.shown() == ["A{check=x} ended removed"]

    def test_an_alert_whose_labels_changed_is_replaced(self):
        """A severity that was changed between two lives ends the old alert in favour of the new one."""
        w = world(severity="critical")
        w.engine.restore([saved(labels=Labels(alertname="A", severity="warning"))], 5.0, 1000.0)
        w.set(1001, x=2)

        assert w.alerts(1001) == ["A{severity=critical} firing", "A{severity=warning} ended replaced"]
        old = next(alert for alert in w.engine.alerts if alert.severity == "warning")
        assert old.replaced_by == next(alert for alert in w.engine.alerts if alert.firing).fingerprint

    def test_openings_are_not_held(self):
        """A new alert after a restart opens whatever else is settling."""
        w = world("rate(x[5m]) > 1")
        w.engine.restore([saved(labels=Labels(alertname="A", i="1"))], downtime=5.0, now=1000.0)
        for at, value in ((1000, 0), (1015, 1000), (1030, 2000)):
            w.put('x{i="2"}', at, value)

        assert w.alerts(1030) == ["A{i=1} firing (settling)", "A{i=2} firing"]


class TestClock:
    """The machine's clock jumps."""

    def test_a_step_forward_does_not_count_for_for(self):
        """An hour in which the machine slept is no hour of failing."""
        w = world(**{"for": "60s"})
        w.set(1000, x=2)
        w.turn(1000)
        w.engine.shift(3600.0)
        w.set(4630, x=2)

        assert w.alerts(4630) == ["A pending"]
        assert w.engine.due(w.group, 4630) == 4660
        assert w.alerts(4660) == ["A firing"]

    def test_a_step_forward_empties_windows_and_ends_nothing(self):
        """After a gap in the samples a rule over a range is not settled."""
        w = world("rate(x[5m]) > 1")
        for at, value in ((1000, 0), (1015, 1000), (1030, 2000)):
            w.set(at, x=value)
        assert w.alerts(1030) == ["A firing"]
        w.engine.shift(3600.0)

        assert w.alerts(4640) == ["A firing (settling)"]

    def test_a_step_back_leaves_no_time_in_the_future(self):
        """An hour back moves the alert's times along, and what fires is judged anew when it is settled."""
        w = world()
        w.set(5000, x=2)
        w.turn(5000)
        w.samples = type(w.samples)()
        w.engine.restart(1405.0, -3600.0)
        assert w.alerts(1406, ready=False) == ["A firing (settling)"]
        assert w.engine.alerts[0].fired_at == 1400
        w.set(1410, x=0)

        assert w.alerts(1410) == ["A ended recovered"]

    def test_a_step_back_that_nobody_measured_still_leaves_no_future(self):
        """A pending alert does not wait for a time that is an hour away."""
        w = world(**{"for": "60s"})
        w.set(5000, x=2)
        w.turn(5000)
        w.samples = type(w.samples)()
        w.engine.restart(1400.0)
        w.set(1401, x=2)

        assert [w.alerts(at) for at in (1401, 1461)] == [["A pending"], ["A firing"]]


def test_due_never_lies_in_the_past():
    """A clock that ran out during an error asks for no turn, so that nothing spins."""
    w = TestErrors().broken(**{"for": "20s"})
    w.turn(1015)
    w.turn(1030)

    assert w.engine.due(w.group, 1030) is None
    assert lifecycle.due(w.engine.rules.alerting[0], w.engine.memory(RuleKey("g", "A")), 1010) == 1020
