"""Pages to open, and commands to paste."""

import re
import shlex
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.cli.wanted import read
from sidecar.model.alerts import Alert
from sidecar.model.labels import Labels
from sidecar.model.matchers import MatchOp
from sidecar.templating import links
from tests.channels.stories import DOWN, EVIL, RUNBOOK


def labelled(**labels: str) -> Alert:
    return replace(DOWN, labels=Labels({"alertname": "ClaudeDown"} | labels))


def silenced(line: str) -> dict[str, str]:
    """What `sidecar silence add` reads from *line*, as a shell hands it over."""
    command, words, rest = line[:20], shlex.split(line[20:])[:-2], shlex.split(line)[-2:]
    assert (command, rest) == ("sidecar silence add ", ["--for", "2h"])
    wanted = read(words)
    assert not wanted.name
    assert not wanted.fingerprint
    assert {matcher.op for matcher in wanted.matchers} == {MatchOp.EQ}
    return {matcher.name: matcher.value for matcher in wanted.matchers}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({}, "alertname=ClaudeDown", id="a rule with one alert"),
        pytest.param({"model": "claude-haiku-5-5"}, "alertname=ClaudeDown model=claude-haiku-5-5", id="a label"),
        pytest.param(
            {"check": "gateway", "type": "http", "target": "http://gateway/", "critical": "true", "phase": "tls"},
            "alertname=ClaudeDown check=gateway phase=tls",
            id="a check's name says what it is",
        ),
        pytest.param({"target": "http://a/?b"}, "alertname=ClaudeDown 'target=http://a/?b'", id="what a shell expands"),
        pytest.param({"path": "$HOME *"}, "alertname=ClaudeDown 'path=$HOME *'", id="what a shell replaces"),
        pytest.param({"severity": "info"}, "alertname=ClaudeDown", id="the severity"),
    ],
)
def test_a_silence_is_of_this_alert(labels, expected):
    """The command names what tells the alert from the others of its rule."""
    line = links.silence(labelled(**labels))

    assert line == f"sidecar silence add {expected} --for 2h"
    assert silenced(line).items() <= {"alertname": "ClaudeDown", **labels}.items()


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=12), max_size=3))
@settings(max_examples=50)
def test_a_silence_is_never_of_another_alert(labels):
    """Whatever the labels are, the command means exactly them, or there is none."""
    alert = labelled(**labels)

    line = links.silence(alert)

    if line:
        assert silenced(line) == dict(alert.labels)
        assert line.isascii()
        assert line.isprintable()
        assert "`" not in line
        assert "@" not in line


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=repr(text))
        for text in (
            "it's",
            'a"b',
            "a\\b",
            "`id`",
            "~x",
            "=x",
            " x",
            "x ",
            "a\nb",
            "@here",
            "ü",
            "\u202e",
            EVIL,
            "x" * 300,
        )
    ],
)
def test_what_would_be_altered_on_its_way_is_no_command(text):
    """A shell, a chat or a terminal that changes a character would silence something else."""
    assert links.silence(labelled(path=text)) == ""


@pytest.mark.parametrize(
    "name", [pytest.param(EVIL, id="hostile"), pytest.param("", id="none"), pytest.param("a b", id="two words")]
)
def test_a_rule_without_a_plain_name_has_no_command(name):
    """Silencing by labels alone would take in other rules."""
    assert links.silence(labelled(alertname=name)) == ""


def test_an_acknowledgement_names_the_fingerprint():
    """`sidecar ack` takes it for one, and not for a rule's name."""
    line = links.ack(DOWN)

    assert line == f"sidecar ack {DOWN.fingerprint}"
    assert read([line.rpartition(" ")[2]]).fingerprint == DOWN.fingerprint


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({}, ["Alert"], id="ours"),
        pytest.param({"runbook_url": RUNBOOK}, ["Alert", "Runbook"], id="a runbook"),
        pytest.param({"dashboard": "https://d/x", "runbook": RUNBOOK}, ["Alert", "Runbook", "Dashboard"], id="both"),
        pytest.param(
            {"runbook_url": "the wiki", "runbook": RUNBOOK}, ["Alert", "Runbook"], id="the first that is a link"
        ),
        pytest.param({"dashboard_url": "javascript:alert(1)"}, ["Alert"], id="what is no page"),
    ],
)
def test_pages_are_in_one_order(annotations, expected):
    """The alert's own page comes first, then the runbook, then the dashboard."""
    found = list(links.links(replace(DOWN, annotations=Labels(annotations)), "https://s.example/"))

    assert [link.text for link in found] == expected
    assert found[0].url == f"https://s.example/alerts/{DOWN.fingerprint}"
    assert all(re.match(r"https?://", link.url) for link in found)


def test_without_an_address_there_is_no_page():
    """Nobody is sent to a page that is not there."""
    assert links.alert_url("", DOWN) == ""
    assert links.alert_url("javascript:x", DOWN) == ""
