"""What a daemon knows, on one screen of any size."""

import re
from pathlib import Path
from typing import Any

import click
import pytest

from sidecar.cli import terminal
from sidecar.cli.screen import took
from sidecar.cli.status.checks import bars, uptime
from sidecar.cli.status.page import lines
from tests.cli.known import INCIDENT, alert, check, known, percentiles, stamp

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture(autouse=True)
def a_clock_of_ours(monkeypatch):
    """Times are shown where the reader lives, and today has no date."""
    monkeypatch.setenv("TZ", "UTC")
    __import__("time").tzset()
    yield
    monkeypatch.undo()
    __import__("time").tzset()


def shown(found: dict[str, Any], monkeypatch, columns: int, **limits: int) -> list[str]:
    """The screen at that width, without its colours."""
    monkeypatch.setenv("COLUMNS", str(columns))
    return click.unstyle("\n".join(lines(found, "http://127.0.0.1:9797", **limits))).splitlines()


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_the_screen_at_every_width(columns, monkeypatch):
    """Nothing is wider than the terminal; what matters least leaves first, and the golden file says what that is."""
    screen = shown(INCIDENT, monkeypatch, columns)

    assert max(map(terminal.measure, screen)) <= columns
    assert screen == (GOLDEN / f"status_{columns}.txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize("rows", [10, 16, 24, 40])
def test_the_screen_at_every_height(rows, monkeypatch):
    """What fires and what is down stay; what there is no room for is counted."""
    screen = shown(INCIDENT, monkeypatch, 80, room=rows)

    assert len(screen) <= rows
    assert screen[0].startswith("● critical")
    assert any(line.startswith("  ✗ claude") for line in screen)
    if rows < 40:
        assert any(re.match(r"  and \d+ more ", line) for line in screen)
    if rows > 10:
        assert any("FIRING critical  ClaudeDown" in line for line in screen)


def test_a_thousand_checks_are_counted(monkeypatch):
    """Of many checks those that are down are shown, the critical above the others; the rest is a number."""
    checks = [check(f"c{n}", "up") for n in range(1000)]
    checks[500] = check("wrong", "down")
    checks[700] = check("worse", "down", critical=True)

    screen = shown(known(checks), monkeypatch, 80, most=30)

    names = [line.split()[1] for line in screen if re.match(r"  [✗✓] ", line)]
    assert names[:3] == ["worse", "wrong", "c0"]
    assert len(names) == 30
    assert "  and 970 more checks: 970 up" in screen


def test_many_that_are_down_have_their_reasons_beside_them(monkeypatch):
    """When much is broken each check is one line, and of what there is no room for one reads how it is."""
    checks = [check(f"c{n:02}", "up" if n > 40 else "unknown" if n > 35 else "down") for n in range(50)]

    screen = shown(known(checks), monkeypatch, 100, room=20)

    assert len(screen) <= 20
    assert all("  3 failures in a row: connect: no" in line for line in screen if line.startswith("  ✗ c"))
    assert screen[-1] == "  and 34 more checks: 20 down, 5 unknown, 9 up"


def test_a_pipe_has_each_check_on_one_line():
    """Whoever filters lines finds a check's name and its reason in the same one."""
    screen = click.unstyle("\n".join(lines(INCIDENT, "http://daemon"))).splitlines()

    (line,) = [line for line in screen if line.startswith("  ✗ claude")]
    assert line.endswith("by the gateway's own proxy  https://claude.example/health")
    assert not re.search("[─│╭╮╰╯]", "".join(screen))


def test_what_is_wrong_stands_above_what_is_well(monkeypatch):
    """Of many checks those that are down come first; of many alerts the first ten have all their words."""
    states = [("a", "up"), ("b", "unknown"), ("c", "down"), ("d", "down")]
    checks = [check(name, state) for name, state in states]
    alerts = [alert(f"Alert{n}", next=[], next_step="look") for n in range(12)]

    screen = shown(known(checks, alerts), monkeypatch, 100)

    assert [line.split()[1] for line in screen if re.match(r"  [✗✓?] ", line)] == ["c", "d", "b", "a"]
    assert sum("  Alert" in line for line in screen) == 12
    assert sum(line == "    → look" for line in screen) == 10


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        pytest.param([], "told: oncall, mail ", id="all have heard of it"),
        pytest.param([("opening", "mail")], "told: oncall, on its way to mail ", id="one has not"),
        pytest.param(
            [("opening", "mail"), ("opening", "oncall")], "told: nobody yet, on its way to oncall, mail ", id="nobody"
        ),
        pytest.param([("reminder", "mail")], "told: oncall, mail ", id="a reminder waits"),
    ],
)
def test_told_is_who_has_heard_of_it(waiting, said, monkeypatch):
    """A channel that is away has not been told yet."""
    about = [{"fingerprint": alert("A")["fingerprint"]}]
    messages = [{"kind": kind, "channel": channel, "alerts": about} for kind, channel in waiting]

    screen = shown(known([], [alert("A")]) | {"waiting": messages}, monkeypatch, 200)

    assert any(f"; {said}" in line for line in screen)


def test_the_worst_alert_is_the_first(monkeypatch):
    """What fires stands above what is about to, and critical above warning."""
    alerts = [
        alert("A", state="pending"),
        alert("B", severity="warning"),
        alert("C", severity="custom"),
        alert("D", severity="critical"),
    ]

    screen = shown(known([], alerts), monkeypatch, 200)

    found = [re.search(r"(?:FIRING|PENDING) \w+  (\w)", line) for line in screen]
    assert [match[1] for match in found if match] == ["D", "B", "C", "A"]


@pytest.mark.parametrize(
    ("targets", "seen"),
    [
        pytest.param(["https://a/v1", "traffic"], ["a/v1", "traffic"], id="two are told apart"),
        pytest.param(["https://a/v1"], ["probe"], id="one needs no name"),
    ],
)
def test_percentiles_name_their_targets(targets, seen, monkeypatch):
    """The direct check and the one through the gateway have the same model, and are two rows."""
    found = [percentiles("claude_request_duration_seconds", target) for target in targets]

    screen = shown(known([], percentiles=found), monkeypatch, 200)

    assert [line.split()[-1] for line in screen if re.match("  claude-haiku.*s ", line)] == seen


@pytest.mark.parametrize(("ratio", "text"), [(1.0, "100%"), (0.99999, "99.99%"), (0.5, "50%"), (0.0, "0%"), (None, "")])
def test_uptime_is_never_rounded_up(ratio, text):
    """100 % is what was never down; what was not seen has no number."""
    assert uptime({"uptime": {"24h": {"ratio": ratio}}}) == text
    assert uptime({}) == ""


@pytest.mark.parametrize(
    ("recent", "text"),
    [
        pytest.param([("success", 0.1), ("success", 0.8), ("success", 0.4)], "▁█▄", id="as high as it took long"),
        pytest.param([("success", 0.1), ("failure", 9.0), ("unknown", 0.0)], "█✗?", id="what failed has its mark"),
        pytest.param([("success", 0.0)], "▁", id="at once"),
        pytest.param([], "", id="none"),
    ],
)
def test_the_last_probes_as_bars(recent, text):
    """A bar for each success, scaled from nothing to the slowest; a failure is told apart without colours."""
    assert bars([{"outcome": outcome, "seconds": seconds} for outcome, seconds in recent]) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0004, "0ms"), (0.0351, "35ms"), (0.9996, "1.00s"), (1.234, "1.23s"), (31.2, "31s")]
)
def test_how_long_a_probe_took(seconds, text):
    """Three digits are enough."""
    assert took(seconds) == text


def test_a_probe_without_a_verdict_did_not_fail(monkeypatch):
    """A job that need not have called yet, or a probe while we are cut off, says nothing against anybody."""
    last = {"at": stamp(2), "ok": False, "seconds": 0.0, "text": "waiting: no call came yet"}
    recent = [{"at": stamp(2), "outcome": "unknown", "seconds": 0.0}]

    screen = shown(known([check("job", "unknown", last=last, recent=recent)]), monkeypatch, 160)

    assert any("no verdict, 2s ago" in line for line in screen)
    assert not any("failed, 2s ago" in line for line in screen)


def test_a_little_money_is_not_none(monkeypatch):
    """What a few probes cost is said as a bound, and requests say whether they were ours."""
    counts = [
        {"labels": {"model": "m", "source": source, "outcome": "failed", "error_type": "timeout"}, "count": 2.0}
        for source in ("probe", "traffic")
    ]

    found = known([])
    found["summary"] |= {"requests": counts, "cost_dollars": [{"labels": {"model": "m"}, "count": 1.8e-05}]}
    screen = shown(found, monkeypatch, 100)

    assert [line.strip() for line in screen if "requests" in line or "cost" in line] == [
        "2 requests failed timeout (m, probe)",
        "2 requests failed timeout (m, traffic)",
        "cost: under $0.0001",
    ]
