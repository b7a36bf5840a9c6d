"""Asking a running daemon: status, explain, query."""

import json
import re
from dataclasses import replace
from typing import Any, cast

import pytest

from sidecar.cli import screen
from sidecar.cli.client import Client
from sidecar.cli.explain import look
from sidecar.cli.wanted import Wanted
from tests.cli.living import living


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """A daemon with one check that is down, and an alert that was told."""
    with living(tmp_path_factory.mktemp("daemon")) as daemon:
        yield daemon


@pytest.fixture
def ask(daemon, sidecar, monkeypatch):
    """Call a command with the daemon's address; what the daemon itself logs meanwhile is left out."""
    monkeypatch.setenv("SIDECAR_URL", daemon.url)

    def call(*words: object):
        said = sidecar(*words)
        lines = [line for line in said.out.splitlines() if not re.match(r"\d{4}-\d\d-\d\d \d\d:", line)]
        return replace(said, out="\n".join(lines))

    return call


def test_status_on_one_screen(ask):
    """Health, each check with its reason, the alert with whom it was told to what comes next; exit code 1."""
    said = ask("status")

    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0].startswith("● degraded   checks: 1 down, 1 up   alerts: ")
    assert any(re.match(r"  ✓ good +up \d+s +\d+ms, (\ds ago|now) ", line) for line in lines)
    assert any(re.match(r"  ✗ bad +down .* failed, .* failures in a row: connect: ", line) for line in lines)
    assert re.search(r"CHANNELS +last 5m\n  hook +\d delivered$", said.out)
    assert any("FIRING critical  TargetDown  bad  firing for" in line and "told: hook" in line for line in lines)
    assert "    → start it again" in lines
    assert any(line.startswith("    next: reminder to hook at ") for line in lines)
    assert "\x1b" not in said.out, "no colours in a pipe"


def test_status_for_machines(ask):
    """--json has everything that the screen is made of."""
    said = ask("status", "--json", "--window", "1m")

    known = json.loads(said.out)
    assert known["summary"]["window"] == "1m"
    assert [check["name"] for check in known["checks"]] == ["bad", "good"]
    assert known["alerts"][0]["rule"] == "TargetDown"


def test_status_is_as_wide_as_the_terminal(ask, monkeypatch):
    """Columns are cut where the terminal ends; the words of an alert go on in the next line, with its fingerprint."""
    monkeypatch.setenv("COLUMNS", "50")

    shown = ask("status").out.splitlines()[1:]

    assert max(map(len, shown)) <= 50
    assert "  FIRING critical  TargetDown  bad" in shown
    assert any(re.fullmatch(r"    firing for \w+; told: hook \[\w{8}\]", line) for line in shown)


@pytest.mark.parametrize(
    ("due", "said"),
    [
        pytest.param(
            {"what": "nothing: the channel does not take the severity", "channel": "mail", "at": None},
            "next for mail: nothing: the channel does not take the severity",
            id="a channel to which nothing goes",
        ),
        pytest.param(
            {"what": "reminder", "channel": "mail", "at": "2026-05-01T09:40:00Z"},
            "next: reminder to mail at ",
            id="a reminder",
        ),
        pytest.param({"what": "fires", "channel": "", "at": None}, "next: fires", id="no channel"),
    ],
)
def test_what_comes_next(due, said):
    """What has no time is said of its channel, instead of being sent to it."""
    assert screen.step(due, 1777628390.0).startswith(said)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["TargetDown"], id="a name"),
        pytest.param(["TargetDown", "check=bad"], id="a name and a label"),
        pytest.param(["severity=critical"], id="a label"),
        pytest.param(['{alertname=~"Target.*", check!="good"}'], id="matchers as Prometheus writes them"),
    ],
)
def test_explain_an_alert_that_fires(ask, words):
    """The story: the condition turned, it fired, who was told and when; then the value beside its threshold."""
    said = ask("explain", *words)

    assert said.code == 1
    assert said.out.startswith('TargetDown{check="bad", ')
    story = [line.split("  ", 3)[-1] for line in said.out.splitlines() if line.startswith("    ")]
    assert story[:2] == ["firing", "a message for hook: it fires (for the first time)"]
    assert story[2].startswith("delivered to hook")
    assert "evidence: connect: " in said.out
    assert "next step: start it again" in said.out
    assert "next: reminder to hook at " in said.out
    assert "now: sidecar_check_up, fires if == 0" in said.out
    assert re.search(r'0  sidecar_check_up\{check="bad"', said.out)


def test_explain_by_the_beginning_of_a_fingerprint(ask, daemon):
    """Eight digits are enough."""
    fingerprint = daemon.client().data("/api/v1/alerts")["alerts"][0]["fingerprint"]

    said = ask("explain", fingerprint, "--json")

    assert json.loads(said.out)["alerts"][0]["fingerprint"] == fingerprint


def test_explain_what_did_not_fire(ask):
    """A rule that does not fire is told with the value that it judges, and its threshold."""
    said = ask("explain", "Slow")

    assert said.code == 0
    assert said.out.startswith("Slow does not fire")
    assert 'now: probe_duration_seconds{check="good"}, fires if > 2' in said.out
    assert re.search(r'0\.\d+  probe_duration_seconds\{check="good"', said.out)
    assert ", for 1m" in said.out


def test_explain_what_another_part_takes_out(ask):
    """An element that meets the condition and does not fire says so, or nobody understands why."""
    said = ask("explain", "Excepted")

    assert said.code == 0
    assert re.search(r'0  \(does not fire: the rest of the rule takes it out\) sidecar_check_up\{check="bad"', said.out)
    assert re.search(r'1  sidecar_check_up\{check="good"', said.out)
    assert "takes it out" not in ask("explain", "TargetDown").out


def test_explain_what_has_no_data(ask):
    """A rule over a metric that is not there says so."""
    said = ask("explain", "Nothing")

    assert "no data: no series has a value now" in said.out


def test_explain_the_past(ask):
    """--at tells what was the case then, before anything had happened."""
    said = ask("explain", "TargetDown", "--at", "10m")

    assert said.code == 0
    assert "nothing yet" in said.out
    assert "not known any more" in ask("explain", "TargetDown", "--at", "3h").out
    assert "no data: no series has a value then" in said.out


class Remembering:
    """A daemon that remembers alerts by fingerprint, with the last state of each."""

    def __init__(self, states: dict[str, str]) -> None:
        self.states = states

    def data(self, path: str, _parameters: object = None) -> Any:
        if path == "/api/v1/history":
            return [{"fingerprint": name, "labels": {"alertname": "X"}} for name in self.states]
        if path == "/api/v1/alerts":
            return {"alerts": []}
        if path == "/api/v1/rules":
            return {"groups": []}
        name = path.split("/")[-2]
        line = {"at": "2026-05-01T09:40:00Z", "event": "state", "detail": self.states[name]}
        return {"fingerprint": name, "labels": {"alertname": "X"}, "timeline": [line], "next": [], "alert": None}


def test_what_fired_then_comes_first():
    """Of many alerts, whoever asks for the past sees those that fired at that time."""
    daemon = Remembering({f"over{n}": "ended: recovered" for n in range(6)} | {"fired": "firing"})

    found = look(cast(Client, daemon), Wanted("X"), 1777628460.0)

    assert [story["fingerprint"] for story in found["alerts"]] == ["fired", "over0", "over1", "over2", "over3"]
    assert found["more"] == 2


def test_explain_what_nobody_knows(ask):
    """A misspelt name is answered with the nearest."""
    said = ask("explain", "TargetDwon")

    assert said.code == 2
    assert "no alert and no rule fits 'TargetDwon'; did you mean TargetDown?" in said.err


def test_query_now(ask):
    """Each element of a vector is its value and its labels."""
    said = ask("query", "probe_success")

    assert said.code == 0
    assert sorted(line.split()[0] for line in said.out.splitlines()) == ["0", "1"]
    assert 'probe_success{check="bad"' in said.out


def test_query_a_range(ask):
    """A range is a line of bars for each series, with its last value and its bounds."""
    said = ask("query", "vector(time())", "--range", "1m", "--step", "10s")

    assert re.match(r"▁▂▃\S*█  last \S+ +\S+ … \S+ +\{\}$", said.out.strip())


def test_query_for_machines(ask):
    """--json is Prometheus' own answer."""
    said = ask("query", "1+1", "--json")

    answer = json.loads(said.out)
    assert answer["status"] == "success"
    assert answer["data"]["resultType"] == "scalar"
    assert answer["data"]["result"][1] == "2"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["nothing_like_that"], 1, "no series: nothing has these names", id="an empty result"),
        pytest.param(["sum("], 2, 'invalid parameter "query"', id="no expression"),
        pytest.param(["up", "--step", "5s"], 2, "expected --range beside it", id="a step without a range"),
        pytest.param(["up", "--at", "soon"], 2, "expected a time such as 09:40", id="no time"),
        pytest.param(["up", "--range", "0s"], 2, "expected a duration of more than nothing", id="no range"),
    ],
)
def test_queries_that_come_to_nothing(ask, words, code, message):
    """Whatever is wrong is said in one line, with what to do."""
    said = ask("query", *words)

    assert said.code == code
    assert message in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("values", "line"),
    [([1, 2, 3], "▁▅█"), ([1, float("nan"), 2], "▁ █"), ([5, 5], "▁▁"), ([float("inf")], " "), ([], "")],
)
def test_sparklines(values, line):
    """The lowest value is the lowest bar; what is no number is a gap."""
    from sidecar.cli.query import sparkline

    assert sparkline(values) == line


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (59.6, "1m"), (61, "1m1s"), (14_400, "4h"), (14_397, "3h59m"), (90_061, "1d1h")]
)
def test_durations_for_people(seconds, text):
    """Two units are enough."""
    assert screen.lasting(seconds) == text


def test_names_of_the_daemon_are_completed(ask, daemon, monkeypatch):
    """The shell hears the names of rules and the ids of silences; without a daemon it hears nothing, and no error."""
    asked = {"match": '{alertname="Completed"}', "created_by": "anna"}
    silence = daemon.client().answer("/api/v1/silences", asked, method="POST")["data"]["id"]

    def complete(*words: str) -> Any:
        monkeypatch.setenv("_SIDECAR_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["sidecar", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        return ask()

    assert complete("explain", "Tar").out.split() == ["plain,TargetDown"]
    assert complete("silence", "expire", silence[:6]).out.split() == [f"plain,{silence}"]
    silent = complete("ack", "--url", "http://127.0.0.1:1", "Tar")
    assert (silent.out, silent.err) == ("", "")
    daemon.client().answer(f"/api/v1/silences/{silence}", method="DELETE")


def test_what_held_a_message_back_is_told_with_its_end():
    """A line about somebody who was not told says until when."""
    from sidecar.cli.explain import lines

    story = {
        "fingerprint": "0" * 16,
        "labels": {"alertname": "Down"},
        "alert": None,
        "next": [],
        "timeline": [
            {
                "at": "2026-01-05T12:00:00Z",
                "event": "nothing",
                "text": "hook: not told, because its cooldown has not passed",
                "due": "2026-01-05T12:05:00Z",
            }
        ],
    }

    told = list(lines({"at": 0.0, "past": False, "alerts": [story], "more": 2, "rules": []}))

    assert re.search(r"not told, because its cooldown has not passed \(until .*:05:00\)$", told[2])
    assert told[-1] == "and 2 more; name one by its fingerprint or by labels"


def test_an_alert_is_acknowledged_and_taken_back(ask):
    """By name, with who and why; what does not fire is named, with exit code 1."""
    said = ask("ack", "TargetDown", "check=bad", "--by", "anna", "--comment", "on it")
    assert (said.code, "acknowledged by anna" in said.out) == (0, True)
    assert "acknowledged by anna: on it" in ask("explain", "TargetDown").out
    assert "not acknowledged any more" in ask("ack", "TargetDown", "--undo").out

    said = ask("ack", "Nothing")
    assert (said.code, "firing: TargetDown" in said.err) == (1, True)


def test_a_silence_is_added_listed_and_ended(ask):
    """What is silent, until when, by whom and why stands on one line; the beginning of its id is enough to end it."""
    said = ask("silence", "add", "Slow", "check=~g.*", "--for", "2h", "--by", "anna", "--comment", "moving house")
    assert said.code == 0
    assert 'alertname="Slow", check=~"g.*" by anna (moving house)' in said.out
    assert "Nothing fires that it means" in said.out
    assert said.out.split()[0][:8] in ask("silence", "list").out
    assert "ended" in ask("silence", "expire", said.out[:6]).out
    assert ask("silence", "list").out == "nothing is silenced"
    assert json.loads(ask("silence", "list", "--all", "--json").out)[0]["state"] == "expired"

    said = ask("silence", "add", "alertname=~.*")
    assert (said.code, "at least one non-empty matcher" in said.err) == (2, True)
