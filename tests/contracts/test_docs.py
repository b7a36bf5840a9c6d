"""What is documented is there, and what is there is documented."""

import re
import runpy
from pathlib import Path

import pytest

from sidecar import config, plugins
from sidecar.cli import COMMANDS
from sidecar.client import Client
from sidecar.ingest import reading
from sidecar.ingest.events import Decoder
from sidecar.rules.files import Source, load_rules

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
RULES = (ROOT / "docs" / "rules.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("name", [*plugins.names("sidecar.checks"), *plugins.names("sidecar.channels")])
def test_the_readme_names_every_type(name):
    """Every check and channel is in the README."""
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", [*COMMANDS, *(f"`{pack}`" for pack in config.packs())])
def test_the_readme_names_every_command_and_pack(name):
    """Every command and rule pack is in the README."""
    assert name in README


def test_the_example_is_a_configuration(tmp_path, monkeypatch):
    """The README's configuration is read without a mistake."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-example")
    monkeypatch.setenv("GATEWAY_KEY", "sk-example")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.example/services/T/B/x")
    found = config.parse(BLOCKS[0], "sidecar.yml", folder=tmp_path)

    assert [check.type for check in found.checks] == ["claude.messages", "claude.models", "claude.stream", "http"]


def test_the_example_is_a_rule_file():
    """The README's rule file is read without a mistake."""
    rules = load_rules([Source((("mine.yml", BLOCKS[1]),))], channels={"oncall"})

    assert [rule.name for rule in rules.rules] == ["SlowFirstToken"]


def test_the_example_events_are_taken():
    """Each line that the README sends is an event, and none is refused."""
    (lines,) = re.findall(r"<<'END'\n(.*?)END\n", README, re.DOTALL)
    events = list(reading.read(lines.encode(), lines=True))

    found = Decoder().decode(events, 0, 0.0)

    assert (len(events), found.rejected) == (2, [])
    assert found.counted


def test_the_example_of_the_client_runs():
    """The README's Python runs, also where nobody listens."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    found: dict[str, object] = {}

    exec(compile(example, "README.md", "exec"), found)

    client = found["sidecar"]
    assert isinstance(client, Client)
    client.close(timeout=0)


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", RULES, re.DOTALL))
def test_examples_of_rules_are_rule_files(text):
    """Each example of the guide to rules is read without a mistake."""
    if text.lstrip().startswith("groups:"):
        assert list(load_rules([Source((("example.yml", text),))], channels=None).rules)


def test_the_reference_is_up_to_date():
    """docs/reference.md is what the code says now; `make docs` writes it."""
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))

    assert (ROOT / "docs" / "reference.md").read_text("utf-8") == generate["text"]()
