"""Groups in turn: what rules emit, what they share, and what a reload leaves."""
# ruff: noqa: E501 -- a table of reloads is read one case a line

import math
from typing import Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.alerts import AlertState, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Family, Kind, Update
from sidecar.promql import compile_
from sidecar.rules.compiled import RuleSet
from sidecar.rules.engine import Engine, Turn
from sidecar.rules.evaluation import Surroundings
from sidecar.rules.files import Source, load_rules
from sidecar.rules.memory import Samples
from sidecar.rules.succession import predecessors
from sidecar.store import Store
from tests.rules.helpers import World, brief, rules


def test_a_rule_sees_what_was_recorded_before_it_in_the_same_turn():
    """Rules of a group are evaluated in order, each over what the ones before it yielded at that instant."""
    w = World(rules({"record": "double", "expr": "x * 2"}, {"alert": "A", "expr": "double > 3"}))
    w.set(1000, x=2)

    assert w.alerts(1000) == ["A firing"]


def test_what_is_emitted():
    """Each rule is a source: series of a recording rule, and ALERTS with the state of each alert."""
    w = World(rules({"record": "y", "expr": "x", "labels": {"a": "b"}}, {"alert": "A", "expr": "y > 1", "for": "10s"}))
    w.set(1000, x=2)
    w.turn(1000)
    w.turn(1010)

    shown = [
        (b.source, b.at, b.write, b.whole, [(u.family.name, u.labels, u.value) for u in b.updates]) for b in w.emitted
    ]
    recorded = [("y", Labels(a="b"), 2.0)]
    alert = Labels(a="b", alertname="A")
    assert shown == [
        ("rules:g/y#1", 1000, True, True, recorded),
        ("rules:g/A#1", 1000, True, True, [("ALERTS", alert.with_(alertstate="pending"), 1.0)]),
        ("rules:g/y#1", 1010, True, True, recorded),
        ("rules:g/A#1", 1010, True, True, [("ALERTS", alert.with_(alertstate="firing"), 1.0)]),
    ]


def test_alerts_that_ended_leave_the_series():
    """The batch after an end is empty, and then there is none."""
    w = World(rules({"alert": "A", "expr": "x > 1"}))
    for at, value in ((1000, 2), (1010, 0), (1020, 0)):
        w.set(at, x=value)
        w.turn(at)

    assert [len(batch.updates) for batch in w.emitted] == [1, 0]


def test_the_real_store_takes_it():
    """Over the real store a rule reads what another recorded in the same turn, and ALERTS ends with the alert."""
    store = Store()
    engine = Engine(rules({"record": "y", "expr": "x"}, {"alert": "A", "expr": "y > 1"}), 1000.0)
    query = compile_("ALERTS")
    seen = []
    for at, value in ((1000.0, 2.0), (1015.0, 2.0), (1030.0, 0.0)):
        store.append(Batch("check:x", at, (Update(Family("x", Kind.GAUGE, "A value."), value),)))
        store.tick(at)
        engine.turn(engine.rules.groups[0], store, at, store.append)
        seen.append([str(labels) for labels, _ in query.vector(store, round(at * 1000))])

    assert seen == [['ALERTS{alertname="A", alertstate="firing"}']] * 2 + [[]]


def test_two_rules_with_one_alert_are_an_error_of_the_second():
    """An identity belongs to the rule that has it first."""
    w = World(rules({"alert": "A", "expr": "x > 1"}, {"alert": "A", "expr": "y > 1"}))
    w.set(1000, x=2, y=2)

    turn = w.turn(1000)

    assert w.shown() == ["A firing"]
    assert [key.name for key, _ in turn.failures] == ["A{}"]
    assert "which the rule A of group g has already" in turn.failures[0][1]
    w.set(1015, x=0, y=2)
    assert w.alerts(1015) == ["A ended recovered", "A firing"]


def test_recorded_series_that_fall_together_are_an_error():
    """Labels that a recording rule sets may not make two series one."""
    w = World(rules({"record": "y", "expr": "x", "labels": {"i": "same"}}))
    w.put('x{i="1"}', 1000, 1)
    w.put('x{i="2"}', 1000, 1)

    turn = w.turn(1000)

    assert "two series with the labels" in turn.failures[0][1]
    assert w.emitted == []


def test_the_limit_holds_for_recorded_series():
    """More series than the limit are an error, and none of them is emitted."""
    w = World(rules({"record": "y", "expr": "x"}, limit=1))
    w.put('x{i="1"}', 1000, 1)
    w.put('x{i="2"}', 1000, 1)

    assert "yields 2 series, the group's limit is 1" in w.turn(1000).failures[0][1]


def test_templates_know_their_surroundings_and_may_query():
    """Annotations show external labels and URL, and the result of other queries at the same instant."""
    found = rules(
        {
            "alert": "A",
            "expr": "x > 1",
            "annotations": {
                "s": '{{ $externalLabels.cluster }} {{ $externalURL }} {{ query "y" | first | value }}',
                "bad": '{{ query "y[" | first | value }}',
            },
        }
    )
    w = World(found)
    w.engine = Engine(found, 1000.0, Surroundings({"cluster": "eu"}, "http://sidecar"))
    w.set(1000, x=2, y=7)
    w.turn(1000)

    (alert,) = w.engine.alerts
    assert alert.annotations["s"] == "eu http://sidecar 7"
    assert alert.annotations["bad"].startswith("<error expanding template: error calling query: ")


def test_a_turn_tells_what_changed():
    """Only what is not as it was is told as changed; what is no more is told as dropped."""
    w = World(rules({"alert": "A", "expr": "x > 1", "for": "20s"}, {"alert": "B", "expr": "y > 1"}))
    w.set(1000, x=2, y=2)
    assert [brief(alert) for alert in w.turn(1000).changed] == ["A pending", "B firing"]
    assert w.turn(1010).changed == ()
    w.set(1015, x=0, y=3)

    turn = w.turn(1015)

    assert [brief(alert) for alert in turn.changed] == ["B firing"]
    assert [brief(alert) for alert in turn.dropped] == ["A pending"]
    assert [[brief(alert) for alert in result.alerts] for result in turn.results] == [[], ["B firing"]]


A = {"alert": "A", "expr": "x > 1"}
B = {"alert": "B", "expr": "x > 9"}
QUIET = {"alert": "A", "expr": "y > 1", "labels": {"of": "y"}}


class TestSuccession:
    """An alert ends in the turn in which another one begins."""

    UP = 'up{check="c", type="t"}'
    REASON = 'reason{check="c", error="auth"}'

    def turned(self, *items: dict) -> tuple[World, Turn]:  # type: ignore[type-arg]  # rules
        """The check c is down, then down for the reason auth, then what *items* come to."""
        w = World(rules(*items))
        w.put(self.UP, 1000, 0)
        w.turn(1000)
        w.put(self.UP, 1015, 0)
        w.put(self.REASON, 1015, 1)
        return w, w.turn(1015)

    DOWN: Final = {"alert": "Down", "expr": "up == 0 unless on (check) reason", "labels": {"severity": "critical"}}
    REFUSED: Final = {"alert": "Refused", "expr": "up == 0 and on (check) reason", "labels": {"severity": "warning"}}

    @pytest.mark.parametrize("order", [pytest.param(1, id="the new rule last"), pytest.param(-1, id="the new first")])
    def test_another_reason_is_no_recovery(self, order):
        """What another rule of the group takes over for the same check is replaced by it, in all that is told."""
        w, turn = self.turned(*(self.DOWN, self.REFUSED)[::order])

        assert w.shown() == [
            "Down{check=c,severity=critical,type=t} ended replaced",
            "Refused{check=c,severity=warning,type=t} firing",
        ]
        told = [alert for result in turn.results for alert in (*result.alerts, *result.changed) if not alert.firing]
        assert {alert.replaced_by for alert in (*told, *w.engine.alerts)} == {"Refused", ""}
        assert len(told) == 2
        assert w.alerts(1030) == w.shown()
        assert w.turn(1045).changed == ()

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(REFUSED | {"expr": "reason > 0"}, id="a rule about something else of the check"),
            pytest.param(REFUSED | {"for": "1m"}, id="a rule that is only pending"),
            pytest.param(REFUSED | {"expr": 'up{check="d"} == 0'}, id="a rule about another check"),
            pytest.param(REFUSED | {"expr": "sum by (type) (up) == 0 and on () reason"}, id="a rule about no check"),
        ],
    )
    def test_what_has_another_subject_takes_nothing_over(self, other):
        """A recovery is one, whatever else begins in that turn."""
        w = World(rules(self.DOWN, other))
        w.put(self.UP, 1000, 0)
        w.turn(1000)
        for name, value in ((self.UP, 0), ('up{check="d", type="t"}', 0), (self.REASON, 1)):
            w.put(name, 1015, value)

        assert "Down{check=c,severity=critical,type=t} ended recovered" in w.alerts(1015)

    def test_one_rule_does_not_succeed_itself(self):
        """Of one rule, an alert that begins says nothing of another that ends."""
        w = World(rules({"alert": "Slow", "expr": "phase > 1"}))
        for at, dns, tls in ((1000, 2, 0), (1015, 0, 2)):
            w.put('phase{check="c", phase="dns"}', at, dns)
            w.put('phase{check="c", phase="tls"}', at, tls)
            w.turn(at)

        assert w.shown() == ["Slow{check=c,phase=dns} ended recovered", "Slow{check=c,phase=tls} firing"]

    def test_what_fired_before_takes_nothing_over(self):
        """An alert that fires already is no successor: the one that ends has recovered."""
        w = World(rules({"alert": "Bad", "expr": "x > 1"}, {"alert": "Worse", "expr": "x > 2"}))
        for at, value in ((1000, 3), (1015, 2)):
            w.put('x{check="c"}', at, value)
            w.turn(at)

        assert w.shown() == ["Bad{check=c} firing", "Worse{check=c} ended recovered"]


class TestReload:
    """Rules are replaced while alerts fire."""

    def firing(self, *items: dict, told: bool = True) -> tuple[World, list[str]]:  # type: ignore[type-arg]  # rules
        """An alert A{job=a} fires; then the rules are *items*."""
        w = World(rules({**A, "labels": {"team": "old"}}))
        w.put('x{job="a"}', 1000, 2)
        w.turn(1000)
        results = w.engine.replace(rules(*items), 1010, lambda _: told)
        return w, [brief(alert) for result in results for alert in result.changed]

    def test_an_equal_rule_keeps_its_alerts(self):
        """What was written the same goes on as if nothing had happened."""
        w, changed = self.firing({**A, "labels": {"team": "old"}}, {"alert": "B", "expr": "x > 9"})

        assert (w.shown(), changed) == (["A{job=a,team=old} firing"], [])
        assert w.alerts(1015) == ["A{job=a,team=old} firing"]

    def test_a_changed_rule_keeps_alerts_of_the_same_labels(self):
        """A new threshold is no new alert."""
        w, changed = self.firing({**A, "expr": "x > 1.5", "labels": {"team": "old"}})

        assert (w.shown(), changed) == (["A{job=a,team=old} firing"], [])
        (alert,) = w.engine.alerts
        assert alert.active_at == 1000

    def test_changed_labels_end_the_old_alert_and_open_the_new(self):
        """A label that changes is a new identity; the old one says by what it was replaced."""
        w, changed = self.firing({**A, "labels": {"team": "new"}})

        assert sorted(changed) == ["A{job=a,team=new} firing", "A{job=a,team=old} ended replaced"]
        old = next(alert for alert in w.engine.alerts if alert.state is AlertState.ENDED)
        new = next(alert for alert in w.engine.alerts if alert.firing)
        assert (old.replaced_by, new.active_at) == (new.fingerprint, 1000)
        assert w.alerts(1015) == ["A{job=a,team=new} firing", "A{job=a,team=old} ended replaced"]

    def test_a_rule_that_is_gone_ends_its_alerts(self):
        """What nobody watches any more is closed as removed."""
        w, changed = self.firing({"alert": "B", "expr": "x > 9"})

        assert (changed, w.shown()) == (["A{job=a,team=old} ended removed"], [])

    def test_a_raised_for_takes_back_what_nobody_was_told(self):
        """Firing goes back to pending when the new `for` is not over and no channel knows."""
        longer = {**A, "labels": {"team": "old"}, "for": "1m"}
        w, _ = self.firing(longer, told=False)
        assert w.shown() == ["A{job=a,team=old} pending"]
        assert w.alerts(1060) == ["A{job=a,team=old} firing"]

        told, _ = self.firing(longer, told=True)
        assert told.shown() == ["A{job=a,team=old} firing"]

    @pytest.mark.parametrize(
        ("before", "after", "expected", "changed"),
        [
            pytest.param({"g": [A]}, {"h": [A]}, ["A{job=a} firing"], ["A{job=a} firing"], id="another group"),
            pytest.param(
                {"g": [A]}, {"h": [A | {"expr": "x > 1.5"}]}, ["A{job=a} firing"], ["A{job=a} firing"], id="and changed"
            ),
            pytest.param({"g": [A], "h": [QUIET]}, {"h": [A]}, ["A{job=a} firing"], ["A{job=a} firing"], id="its group is gone"),
            pytest.param({"g": [A, QUIET]}, {"g": [QUIET, A]}, ["A{job=a} firing"], ["A{job=a} firing"], id="behind its namesake"),
            pytest.param({"g": [A], "h": [QUIET]}, {"g": [QUIET], "h": [A]}, ["A{job=a} firing"], ["A{job=a} firing"], id="changed places"),
            pytest.param({"g": [A]}, {"g": [B, A]}, ["A{job=a} firing"], [], id="behind another rule"),
            pytest.param({"g": [A]}, {"g": []}, [], ["A{job=a} ended removed"], id="an empty group"),
            pytest.param({"g": [A]}, {}, [], ["A{job=a} ended removed"], id="no groups"),
            pytest.param({"g": [A]}, {"g": [A | {"alert": "C"}]}, [], ["A{job=a} ended removed"], id="another name"),
            pytest.param({"g": [A]}, {"g": [A | {"labels": {"job": "b"}}]}, ["A{job=a} ended replaced", "A{job=b} firing"], ["A{job=a} ended replaced", "A{job=b} firing"], id="another label"),
            pytest.param({"g": [A]}, {"g": [A | {"labels": {"v": "{{ $value }}"}}]}, ["A{job=a} firing"], [], id="a label that is a template"),
            pytest.param({"g": [A]}, {"g": [A | {"for": "1h"}]}, ["A{job=a} pending"], ["A{job=a} pending"], id="for raised"),
            pytest.param({"g": [A]}, {"h": [A | {"for": "1h"}]}, ["A{job=a} pending"], ["A{job=a} pending"], id="moved, and for raised"),
            pytest.param({"g": [A]}, {"g": [A | {"for": "5s"}]}, ["A{job=a} firing"], [], id="for raised by less than has passed"),
            pytest.param({"g": [A]}, {"g": [A | {"for": "1h", "labels": {"t": "n"}}]}, ["A{job=a,t=n} pending", "A{job=a} ended replaced"], ["A{job=a,t=n} pending", "A{job=a} ended replaced"], id="for raised, and another label"),
        ],
    )  # fmt: skip
    def test_a_rule_is_known_again(self, before, after, expected, changed):
        """A rule that stands elsewhere, or is changed there, goes on with its alerts; one that is gone ends them."""
        w = World(self.files(before))
        w.put('x{job="a"}', 1000, 2)
        w.turn(1000)

        results = w.engine.replace(self.files(after), 1010, lambda _: False)

        assert (w.shown(), sorted(brief(alert) for one in results for alert in one.changed)) == (expected, changed)
        keys = {rule.key for rule in w.engine.rules.alerting}
        assert {alert.rule for alert in w.engine.alerts if alert.state is not AlertState.ENDED} <= keys

    def files(self, groups: dict) -> RuleSet:  # type: ignore[type-arg]  # rules
        named = [{"name": name, "rules": items} for name, items in groups.items()]
        return load_rules([Source((("rules.yml", yaml.safe_dump({"groups": named})),))])

    def test_what_moved_is_judged_where_it_stands(self):
        """After a move the new place owns the alert: it goes on firing, and recovers there."""
        w = World(self.files({"g": [A]}))
        w.put('x{job="a"}', 1000, 2)
        w.turn(1000)
        w.engine.replace(self.files({"h": [A]}), 1010, lambda _: True)

        assert w.alerts(1015) == ["A{job=a} firing"]
        w.put('x{job="a"}', 1030, 0)
        assert w.alerts(1030) == ["A{job=a} ended recovered"]

    def test_two_files_with_groups_of_one_name_in_another_order(self):
        """The second group of a name is called after its file; turned round, each rule keeps what is its own."""
        one, other = (yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}) for rule in (A, QUIET))
        w = World(load_rules([Source((("a.yml", one), ("b.yml", other)))]))
        w.put('x{job="a"}', 1000, 2)
        w.turn(1000)

        w.engine.replace(load_rules([Source((("b.yml", other), ("a.yml", one)))]), 1010, lambda _: True)

        (alert,) = w.engine.alerts
        assert (brief(alert), alert.rule.group) == ("A{job=a} firing", "g (a.yml)")

    def test_a_thousand_rules_are_matched_quickly(self):
        """Rules are looked up by name: a thousand that all moved are a thousand steps."""
        items = [A | {"alert": f"A{i}"} for i in range(1000)]
        old, new = self.files({"g": items}).alerting, self.files({"h": items}).alerting

        assert [one.name for one in predecessors(old, new).values()] == [rule.name for rule in new]

    def test_a_check_that_is_gone_ends_its_alerts(self):
        """Alerts whose element left the configuration are closed as removed, not for want of data."""
        w = World(rules({**A, "on_no_data": "alert"}))
        for job in "ab":
            w.put(f'x{{job="{job}"}}', 1000, 2)
        w.turn(1000)

        results = w.engine.forget(1010, lambda labels: labels.text("job") == "a")
        w.put('x{job="a"}', 1010, None)

        assert [brief(alert) for result in results for alert in result.changed] == ["A{job=a} ended removed"]
        assert w.alerts(1015) == ["A{job=a} ended removed", "A{job=b} firing"]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([None, 0.0, 1.0, 2.0, 3.0, math.nan]), st.booleans()),
        max_size=30,
    ),
    st.sampled_from([0, 10, 45]),
    st.sampled_from([0, 20]),
    st.sampled_from(["ok", "keep", "alert"]),
)
def test_any_history_keeps_the_promises(history, wait, keep, on_no_data):
    """Whatever happens: `for` is never shortened, an end has a reason, ALERTS shows just what is pending or firing."""
    w = World(
        rules(
            {"alert": "A", "expr": "x > 1", "for": f"{wait}s", "keep_firing_for": f"{keep}s", "on_no_data": on_no_data}
        )
    )
    now = 1000.0
    for pause, value, ready in history:
        now += pause
        w.set(now, x=value)
        w.turn(now, ready=ready)
        alerts = w.engine.alerts
        for alert in alerts:
            if alert.fired_at is not None:
                assert alert.fired_at - alert.active_at >= wait
            assert (alert.state is AlertState.ENDED) == (alert.end_reason is not None) == (alert.ended_at is not None)
            assert alert.rule == RuleKey("g", "A")
        on = {
            alert.labels.with_(alertstate=alert.state.value) for alert in alerts if alert.state is not AlertState.ENDED
        }
        last = {update.labels for update in w.emitted[-1].updates} if w.emitted else set()
        assert last == on
        due = w.engine.due(w.group, now)
        assert due is None or due > now


def test_external_sources_share_one_query_engine():
    """Groups of several files are evaluated over the same samples and see each other's series."""
    one = "groups: [{name: one, rules: [{record: y, expr: x + 1}]}]"
    two = "groups: [{name: two, rules: [{alert: A, expr: y > 2}]}]"
    found = load_rules([Source((("one.yml", one), ("two.yml", two)))])
    engine, samples = Engine(found, 0.0), Samples()
    samples.add(Labels(__name__="x"), 1_000_000, 2.0)
    for group in found.groups:
        engine.turn(group, samples, 1000.0, samples.emit)

    assert [brief(alert) for alert in engine.alerts] == ["A firing"]
