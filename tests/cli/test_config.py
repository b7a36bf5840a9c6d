"""`sidecar config`."""

import json

import pytest
import yaml

from sidecar import config as configuration

GOOD = """
external_url: https://sidecar.example
checks:
  - {type: http, name: gateway, url: "http://127.0.0.1:1/", critical: true}
channels:
  - {type: webhook, name: hook, url: "http://hook.example/path-that-nobody-may-see", signing_secret: planted-secret}
rules:
  - pack: availability
"""


@pytest.fixture
def file(tmp_path):
    """A good configuration."""
    path = tmp_path / "sidecar.yml"
    path.write_text(GOOD)
    return path


def test_check_says_that_all_is_fine(sidecar, file):
    """A good file is answered in one line, with what is in it and what is probably not meant."""
    said = sidecar("config", "check", file)

    assert said.code == 0
    assert "fine: 1 check, 1 channel, " in said.out
    assert "a restart forgets what was told" in said.out


def test_check_names_every_mistake(sidecar, file):
    """A bad file is answered with every mistake, one line each, and exit code 2."""
    file.write_text(GOOD + "tick: 5\ncheks: []\n")

    said = sidecar("config", "check", file)

    assert said.code == 2
    assert f"{file}:9: tick: got 5" in said.err
    assert f"{file}:10: cheks: unknown key; did you mean 'checks'?" in said.err
    assert "2 mistakes; the daemon would not start" in said.err


ODD = """
checks:
  - {type: http, name: gateway, url: "http://127.0.0.1:1/", critical: true}
  - {type: heartbeat, name: backup, period: 1h}
channels: [{type: log, name: log, severities: [critical]}]
database: ""
rules:
  - {pack: availability, override: {CheckDown: {repeat: 1m}}}
  - {file: mine.yml}
"""
MINE = """
groups:
  - name: mine
    rules:
      - {alert: Slow, expr: myapp_seconds > 3, severity: critical, annotations: {summary: Slow, next_step: Look}}
      - alert: Typo
        expr: rate(claude_request_total[5m]) > 3
        severity: critical
        annotations: {summary: No, next_step: Look}
"""


def notes(said) -> list[str]:
    """The notes about rules, without what is said of a configuration anyway."""
    return [note for note in json.loads(said.out)["notes"] if "rule" in note or "[" in note]


def test_check_says_what_is_odd_about_rules(sidecar, file):
    """Rules that are written or changed here are looked at by lint, and checks that no rule judges are named."""
    file.write_text(ODD)
    file.with_name("mine.yml").write_text(MINE)

    said = notes(sidecar("config", "check", file, "--json"))

    assert [note.rpartition(" [")[2] for note in said] == [
        "unknown-metric]",
        "repeat-below-cooldown]",
        "unheard-severity]",
        said[-1],
    ]
    assert "mine.yml:6: Typo: reads claude_request_total" in said[0]
    assert said[-1] == "no rule judges the state of the check backup: nobody is told when it is down"
    assert f"{file}: note: {said[-1]}" in sidecar("config", "check", file).out


def test_check_names_the_secrets_that_are_not_here(sidecar, file):
    """A secret's file may be mounted only where the daemon runs: it is no mistake, and a slip in its path is seen."""
    here, gone = file.with_name("here"), file.with_name("gone")
    here.write_text("canary-a-key")
    checks = [{"name": path.name, "type": "claude.models", "api_key": {"file": str(path)}} for path in (here, gone)]
    file.write_text(json.dumps({"checks": checks}))

    said = sidecar("config", "check", file, "--json")

    assert said.code == 0
    assert [note for note in json.loads(said.out)["notes"] if "api_key" in note] == [
        f"gone.api_key: the secret's file {gone} cannot be read: No such file or directory; is it mounted?"
    ]


def test_check_says_nothing_of_what_is_shipped(sidecar, file):
    """Packs as they are give no notes, whatever the channels take; nor does it say twice that there are no rules."""
    packs = ", ".join(f"{{pack: {name}}}" for name in configuration.packs())
    file.write_text(ODD.partition("rules:")[0] + f"rules: [{packs}]\n")
    assert notes(sidecar("config", "check", file, "--json")) == []

    file.write_text(ODD.partition("rules:")[0])
    assert len(notes(sidecar("config", "check", file, "--json"))) == 1


@pytest.mark.parametrize("text", [GOOD, "tick: 5\n"], ids=["good", "bad"])
def test_check_for_machines(sidecar, file, text):
    """With --json the answer is one object that says the same."""
    file.write_text(text)

    said = sidecar("config", "check", file, "--json")

    answer = json.loads(said.out)
    assert answer["ok"] is (said.code == 0)
    assert [m["key"] for m in answer["mistakes"]] == ([] if answer["ok"] else ["tick"])


def test_show_hides_secrets(sidecar, file):
    """What the daemon would run with is shown whole, without one secret."""
    said = sidecar("config", "show", file)

    shown = yaml.safe_load(said.out)
    assert said.code == 0
    assert shown["checks"][0]["every"] == "15s"
    assert shown["channels"][0]["signing_secret"] == "***"
    assert "planted-secret" not in said.out
    assert "nobody-may-see" not in said.out


def test_show_hides_the_body_of_a_request(sidecar, file):
    """A request's body is no secret by its type, and yet may hold one."""
    file.write_text("checks: [{type: http, name: a, url: 'http://a/', body: 'password=canary'}]")

    said = sidecar("config", "show", file, "--json")

    assert json.loads(said.out)["checks"][0]["body"] == "***"
    assert "canary" not in said.out


def test_shown_is_readable_again(sidecar, file, tmp_path):
    """What `show` prints is a configuration."""
    again = tmp_path / "again.yml"
    again.write_text(sidecar("config", "show", file).out.replace("'***'", "http://hook.example/"))

    assert sidecar("config", "check", again).code == 0


def test_schema_knows_every_type(sidecar):
    """The schema names the fields of every check and channel."""
    said = sidecar("config", "schema")

    schema = json.loads(said.out)
    assert said.code == 0
    assert schema["$defs"]["sidecar.checks.http"]["properties"]["url"]["description"]
    assert {"$ref": "#/$defs/sidecar.channels.webhook"} in schema["properties"]["channels"]["items"]["oneOf"]


def test_wrong_use(sidecar):
    """An unknown command is exit code 2 and a hint."""
    said = sidecar("frobnicate")

    assert said.code == 2
    assert "No such command" in said.err
