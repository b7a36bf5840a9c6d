"""What is documented is there, and what is there is documented."""

import json
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

from sidecar import config, plugins
from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.claude.errors import ErrorType
from sidecar.cli import COMMANDS
from sidecar.client import Client
from sidecar.ingest import reading
from sidecar.ingest.events import Decoder
from sidecar.rules.files import Source, load_rules
from sidecar.rules.model import AlertingRule, Override, RecordingRule, RuleGroup

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
sys.path.insert(0, str(ROOT / "docs"))
generate = import_module("generate")
alerts, commands, labels, languages, metrics, models, webhook = (
    import_module(f"writers.{name}")
    for name in ("alerts", "commands", "labels", "languages", "metrics", "models", "webhook")
)
cell = import_module("writers.markdown").cell
PAGES = sorted(generate.PAGES)
REFERENCE = "\n".join((ROOT / "docs" / page).read_text("utf-8") for page in PAGES)
CHECKS, CHANNELS = plugins.names("sidecar.checks"), plugins.names("sidecar.channels")


def every_model():
    """Each model of which somebody may write a value into a file."""
    roots = [config.Settings, Check, Channel, RuleGroup, AlertingRule, RecordingRule, Override]
    roots += [plugins.find("sidecar.checks", name, Check) for name in CHECKS]
    roots += [plugins.find("sidecar.channels", name, Channel) for name in CHANNELS]
    return list(dict.fromkeys(model for root in roots for model in (root, *(one for _, one in models.nested(root)))))


MODELS = every_model()
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


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_is_up_to_date(page):
    """Each page of the reference is what the code says now; `make docs` writes it."""
    written = (ROOT / "docs" / page).read_text("utf-8")

    assert written == generate.text(page), "run `make docs`"


def test_no_page_of_the_reference_is_left_over():
    """What nothing writes any more is not there either."""
    found = {f"reference/{path.name}" for path in (ROOT / "docs" / "reference").iterdir()}

    assert found == {page for page in PAGES if page.startswith("reference/")}


def test_every_type_has_an_example():
    """Each check and channel has a worked example, which its page shows, and none is left over."""
    found = {path.stem for path in (ROOT / "docs" / "examples").iterdir()}

    assert found == {*CHECKS, *CHANNELS, "configuration"}


def test_every_setting_can_be_written_after_its_example(monkeypatch):
    """A setting without a default that shows how it looks has examples, and each of them is a value that it takes."""
    for name in ("ANTHROPIC_API_KEY", "OTLP_AUTHORIZATION"):
        monkeypatch.setenv(name, "example")
    bare = [(m, key) for m, key, field in fields() if models.default(field) in ("", "required") and not field.examples]
    wrong = [f"{m.__name__}.{key}: {mistake}" for m, key, field in fields() for mistake in mistakes(m, key, field)]

    assert (bare, wrong) == ([], [])


def fields():
    """Every setting: its model, its key, and what is known of it."""
    for model in MODELS:
        for name, field in model.model_fields.items():
            if name != "type":
                yield model, field.alias or name, field


def mistakes(model, key, field):
    """What *model* has to say against the examples of *field*, whatever else it lacks."""
    for example in field.examples or ():
        try:
            model.model_validate({key: example})
        except ValidationError as exc:
            yield from (each["msg"] for each in exc.errors() if each["loc"][:1] == (key,))


def test_every_setting_is_in_the_reference():
    """Each key, and what it means, stands in a page."""
    lines: dict[str, str] = {}
    for key, said in re.findall(r"^\| `(\S+)` \|(.+)$", REFERENCE, re.MULTILINE):
        lines[key] = lines.get(key, "") + said
    missing = [f"{m.__name__}.{key}" for m, key, field in fields() if cell(field.description) not in lines.get(key, "")]

    assert missing == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([f"type: {name}" for name in (*CHECKS, *CHANNELS)], id="types of checks and channels"),
        pytest.param([f"`{family.name}`" for family in metrics.catalogue()], id="metrics"),
        pytest.param([f"### {name}\n" for name in alerts.names()], id="alerts"),
        pytest.param([f"## {ctx.command_path}\n" for ctx, _ in commands.commands()], id="commands"),
        pytest.param([f"`{word}`" for word in ErrorType], id="words of error_type"),
    ],
)
def test_the_reference_names_everything(words):
    """Whatever there is can be looked up."""
    assert [word for word in words if word not in REFERENCE] == []


def test_every_variable_of_ours_is_in_the_reference():
    """No module reads a SIDECAR_ variable that is written down nowhere."""
    read = {
        name
        for path in (ROOT / "sidecar").rglob("*.py")
        for name in re.findall(r"['\"](SIDECAR_[A-Z_]*[A-Z])\b", path.read_text("utf-8"))
    }

    assert {name for name in read if name not in REFERENCE} == set()


def test_every_field_of_the_api_is_described():
    """Each field of an answer, and each parameter of a route that is described at all, says what it is."""
    api = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    schemas = api["components"]["schemas"].items()
    bare = [
        f"{name}.{key}"
        for name, schema in schemas
        for key, each in schema.get("properties", {}).items()
        if not each.get("description")
    ]
    operations = [each for methods in api["paths"].values() for each in methods.values() if "summary" in each]
    bare += [
        f"{operation['summary']} {each['name']}"
        for operation in operations
        for each in operation.get("parameters", ())
        if not each["description"]
    ]

    assert bare == []
