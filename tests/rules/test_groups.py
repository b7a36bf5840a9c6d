"""When groups are evaluated."""

import pytest

from sidecar.rules.compiled import Group
from sidecar.rules.files import Source, load_rules
from sidecar.rules.groups import missed_turns, next_turn, offset, readers


def group(name: str = "g", interval: float = 15.0) -> Group:
    return Group(name, "rules.yml", interval, ())


def test_the_grid_goes_on_unchanged():
    """Turns are one interval apart, whenever one asks."""
    first = next_turn(group(), 1_700_000_000.0)

    assert 1_700_000_000.0 < first <= 1_700_000_015.0
    assert next_turn(group(), first - 0.001) == first
    assert next_turn(group(), first) == pytest.approx(first + 15.0)
    assert next_turn(group(), first + 1000 * 15 + 7) == pytest.approx(first + 1001 * 15)


def test_groups_are_spread():
    """Groups of one interval do not come all at once, and each keeps its place."""
    offsets = [offset(group(f"g{i}")) for i in range(100)]

    assert len({int(o) for o in offsets}) == 15
    assert offsets == [offset(group(f"g{i}")) for i in range(100)]
    assert all(0 <= o < 15 for o in offsets)


@pytest.mark.parametrize(
    ("now", "missed"),
    [
        pytest.param(115.0, 0, id="the next turn"),
        pytest.param(116.0, 0, id="a little late"),
        pytest.param(130.0, 1, id="one turn later"),
        pytest.param(190.0, 5, id="much later"),
        pytest.param(100.0, 0, id="no time has passed"),
        pytest.param(90.0, 0, id="never backwards"),
    ],
)
def test_missed_turns_are_counted(now, missed):
    """Turns of the grid that nobody took are known by their number."""
    assert missed_turns(group(), 100.0, now) == missed


RULES = """
groups:
  - {name: third, rules: [{alert: C, expr: b > 1}]}
  - {name: first, rules: [{record: a, expr: probe_success}]}
  - {name: second, rules: [{record: b, expr: a}]}
  - {name: other, rules: [{alert: D, expr: up == 0}]}
  - {name: alerts, rules: [{alert: F, expr: 'ALERTS > 0'}]}
  - {name: all, rules: [{alert: E, expr: '{__name__=~"z.*"}'}]}
"""


def test_what_reads_a_change_is_evaluated_and_then_what_reads_that():
    """Groups that read a metric come first, then those that read what they record, each once."""
    groups = load_rules([Source((("rules.yml", RULES),))]).groups

    assert [group.name for group in readers(groups[:5], {"probe_success"})] == ["first", "second", "third", "alerts"]


def test_a_group_that_may_read_anything_is_evaluated():
    """A group whose selectors name no metric may read whatever has changed."""
    groups = load_rules([Source((("rules.yml", RULES),))]).groups

    assert [group.name for group in readers(groups, {"something"})] == ["all", "alerts"]


def test_nobody_reads_what_nobody_reads():
    """A change that no rule reads wakes no group that says what it reads."""
    groups = load_rules([Source((("rules.yml", RULES),))]).groups

    assert [group.name for group in readers(groups[:4], {"something"})] == []
