"""A threshold that opens an alert, and another one that lets it end."""

import subprocess
from collections.abc import Iterable

import pytest
import yaml

from sidecar.rules import unittests
from tests.programs import program
from tests.rules.helpers import World, rules

EXPR = 'x > 10 or (x > 8 and on (check) ALERTS{alertname="A", alertstate="firing"})'
RULE = {"alert": "A", "expr": EXPR}
OTHER = 'x{check="other"}'


def story(w: World, values: Iterable[float], at: float = 1000.0) -> list[str]:
    """The state of the alert of the check c after each of *values*, a quarter of a minute apart."""
    seen = []
    for i, value in enumerate(values):
        w.put('x{check="c"}', at + 15 * i, value)
        w.put(OTHER, at + 15 * i, 9)
        (state,) = w.alerts(at + 15 * i) or ["nothing"]
        seen.append(state.removeprefix("A{check=c} "))
    return seen


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([9, 10, 9], ["nothing"] * 3, id="below the first threshold nothing begins"),
        pytest.param(
            [11, 9, 8.5, 8, 9, 11],
            ["firing", "firing", "firing", "ended recovered", "ended recovered", "firing"],
            id="it ends below the second, and begins above the first again",
        ),
    ],
)
def test_an_alert_ends_where_it_would_not_begin(values, expected):
    """Between the thresholds what fires goes on, for each element by itself."""
    assert story(World(rules(RULE)), values) == expected


def test_it_says_what_opened_it():
    """The threshold in messages is the one that opens the alert."""
    w = World(rules(RULE))
    story(w, [11, 9])

    (alert,) = w.engine.alerts
    assert (alert.condition, alert.value, alert.peak) == ("> 10", 9.0, 11.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(9, ["firing (settling)", "firing", "firing"], id="between the thresholds it goes on"),
        pytest.param(7, ["firing (settling)", "ended recovered", "ended recovered"], id="below both it ends"),
        pytest.param(11, ["firing", "firing", "firing"], id="above both it fires"),
    ],
)
def test_a_restart_between_the_thresholds(value, expected):
    """After a restart, when no sample tells what fired, nothing is judged before the alert is among them again."""
    w = World(rules(RULE))
    story(w, [11])
    before = w.engine.alerts
    again = World(rules(RULE), 1100.0)
    again.engine.restore(before, 40.0, 1100.0)

    assert story(again, [value] * 3, 1100.0) == expected


def test_a_clock_that_steps_between_the_thresholds():
    """So it is when the samples begin anew after a step of the clock."""
    w = World(rules(RULE))
    story(w, [11, 9])
    engine = w.engine
    w = World(rules(RULE))
    w.engine = engine
    engine.restart(5000.0, 3970.0)

    assert story(w, [9, 9, 8], 5000.0) == ["firing (settling)", "firing", "ended recovered"]


def test_prometheus_does_the_same(tmp_path):
    """A test in promtool's format comes to the same here and there."""
    found = {"groups": [{"name": "g", "rules": [RULE]}]}
    fires = [{"exp_labels": {"check": "c"}}]
    expected = [("0s", []), ("15s", fires), ("30s", fires), ("45s", []), ("1m", [])]
    test = {
        "interval": "15s",
        "input_series": [{"series": 'x{check="c"}', "values": "9 11 9 7 9"}, {"series": OTHER, "values": "9x5"}],
        "alert_rule_test": [{"eval_time": at, "alertname": "A", "exp_alerts": alerts} for at, alerts in expected],
    }
    text = yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [test]}, width=1000)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(found, width=1000))
    (tmp_path / "test.yml").write_text(text)

    assert unittests.run(*unittests.read(text, "test.yml"), rules(RULE)) == []
    promtool = [program("promtool"), "test", "rules", str(tmp_path / "test.yml")]
    result = subprocess.run(promtool, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
