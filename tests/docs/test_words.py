"""Names in running text are names that there are: metrics, alerts, commands, expressions."""

import asyncio
import re

import pytest
import yaml

from sidecar.channels.webhook import signature
from sidecar.model import families
from sidecar.model.samples import Family
from sidecar.promql import QueryError, compile_
from sidecar.rules.exporting import FIELDS, PREFIX
from sidecar.simulator import KEY, Simulator, application
from sidecar.store.live import names
from tests.api.conftest import api, world
from tests.contracts.test_docs import CHANNELS, CHECKS, alerts, fields, labels, languages, metrics, webhook
from tests.contracts.test_docs import PAGES as MADE
from tests.docs import judges
from tests.docs.blocks import PAGES, ROOT, Block, blocks, prose

__all__ = ["api", "world"]  # pytest finds fixtures by their names here
WRITTEN = {str(path.relative_to(ROOT)): path for path in PAGES if str(path.relative_to(ROOT / "docs")) not in MADE} | {
    "README.md": ROOT / "README.md"
}
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
METRIC = re.compile(r"\b(?:sidecar|probe|claude|heartbeat|process|redis|system|command|scrape)_[a-z0-9_]+\b")
ALERT = re.compile(r"\b(?:Claude|Sidecar|LiteLLM|EnvoyAI|Heartbeat|Dependency|Queue|Redis)[A-Z][a-z]+[A-Za-z]+\b")
QUERY = re.compile(r"^(?:sum|max|min|avg|count|topk|bottomk|rate|increase|histogram_quantile)\b.*\)$")

KNOWN = {name for one in vars(families).values() if isinstance(one, Family) for name in names(one)}
FOREIGN = {f"{PREFIX}{field}": "an annotation of exported rules" for field in FIELDS} | {
    "probe_http_duration_seconds": "blackbox_exporter's",
    "probe_dns_lookup_time_seconds": "blackbox_exporter's",
    "probe_failed_due_to_regex": "blackbox_exporter's",
    "probe_cost": "a pack",
    "process_rows": "a name of an example",
    "claude_code": "Claude Code's",
}

OTHERS = {"group", "NAME", "ok", "send", "expect", "from", "grace"} | {*CHECKS, *CHANNELS, *KNOWN}
"""What such a cell may say besides: labels, types, metrics."""


def told(path) -> list[str]:
    return CODE.findall(prose(path))


@pytest.mark.parametrize("page", WRITTEN)
def test_metrics_are_ours(page):
    """A metric that a page names is in the catalogue; a beginning such as `sidecar_…` is of one."""
    unknown = [
        name
        for text in told(WRITTEN[page])
        for name in METRIC.findall(text)
        if name not in KNOWN | FOREIGN.keys() and not any(known.startswith(name) for known in KNOWN)
    ]

    assert unknown == []


@pytest.mark.parametrize("page", WRITTEN)
def test_alerts_are_shipped(page):
    """An alert that a page names is one of a pack, or of an example of that page."""
    path = WRITTEN[page]
    here = {name for block in blocks(path) for name in re.findall(r"alert: (\w+)", block.text)}
    chart = {"ClaudeSidecarDown", "ClaudeSidecarAbsent"}
    unknown = set(ALERT.findall(prose(path))) - set(alerts.names()) - here - chart

    assert unknown == set()


@pytest.mark.parametrize("page", WRITTEN)
def test_expressions_are_expressions(page):
    """What looks like PromQL is PromQL."""
    wrong = []
    for text in filter(QUERY.match, told(WRITTEN[page])):
        try:
            compile_(text)
        except QueryError as exc:
            wrong.append(f"{text}: {exc}")

    assert wrong == []


@pytest.mark.parametrize("page", sorted(WRITTEN.keys() - {"README.md"}))  # which joins some by a bar
def test_commands_are_commands(page, tmp_path):
    """What looks like a command of ours is one, with its arguments in capitals or written out."""
    said = [text for text in told(WRITTEN[page]) if re.match(r"sidecar [a-z]+", text) and "…" not in text]
    found = [each for text in said for each in judges.shell(Block(page, 0, "sh", "", f"{text}\n"), tmp_path)]

    # A page may name a command without all that it wants.
    assert [each for each in found if not each.startswith("Missing")] == []


RUNBOOKS = ROOT / "docs" / "runbooks.md"
SECTIONS = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^#|\Z)", RUNBOOKS.read_text("utf-8"), re.DOTALL | re.MULTILINE))


def test_every_alert_has_a_runbook():
    """Whoever is paged finds what it means, whose it is, where to look and what to do; nothing is left over."""
    asked = {name: re.findall(r"^- \*\*(\w+)\*\*: \S", text, re.MULTILINE) for name, text in SECTIONS.items()}

    assert asked == {name: ["Means", "Whose", "Look", "Do"] for name in alerts.names()}


def test_a_receiver_can_check_our_signature():
    """The example for receivers takes what the channel signs, and nothing else."""
    (text,) = [block.text for block in blocks(ROOT / "docs" / "guides" / "receivers.md") if block.language == "python"]
    found: dict[str, object] = {}
    exec(compile(text, "receivers.md", "exec"), found)
    genuine = found["is_genuine"]
    assert callable(genuine)
    header = signature("secret", 1000.0, b"{}")

    assert genuine(header, b"{}", "secret", now=1100.0)
    assert not genuine(header, b"{ }", "secret", now=1100.0)
    assert not genuine(header, b"{}", "another", now=1100.0)
    assert not genuine(header, b"{}", "secret", now=1400.0)


def test_every_field_of_a_message_is_explained():
    """Each key of the JSON has a meaning in the reference, and each meaning a key."""
    message = webhook.messages()["opening"]

    assert set(webhook.MESSAGE) == set(message)
    assert set(webhook.ALERT) == set(message["alerts"][0])


def test_every_function_of_templates_is_explained():
    """Each function that a text may call has a meaning in the reference, and each meaning a function."""
    assert set(languages.TEXTS) == {*languages.DAEMON, *languages.FUNCTIONS}


async def test_labels_are_those_that_the_reference_names(world, api):
    """What a running daemon shows of our metrics has no label that the page of metrics does not name."""
    world.wire.serve("claude", application(Simulator()))
    claude = {"base_url": "http://claude", "api_key": KEY, "every": "1m"}
    kinds = ["claude.models", "claude.messages", "claude.stream", "claude.count_tokens"]
    checks = [{"type": kind, "name": kind, **claude} for kind in kinds]
    checks += [{"type": "heartbeat", "name": "job", "period": "1h"}, {"type": "system", "name": "pod"}]
    settings = world.settings()
    app = await world.start(settings | {"checks": [*settings["checks"], *checks]})
    headers = {"Content-Type": "application/json"}
    for block in blocks(ROOT / "docs" / "events.md"):
        if (block.language, block.kind) == ("json", "events"):
            taken = await api.ask("POST", "/api/v1/events?sender=a", data=block.text, headers=headers)
            assert taken.body["rejected"] == []
    await api.post("/api/v1/heartbeats/job/start")
    await api.post("/api/v1/heartbeats/job")
    world.status = 500
    await asyncio.sleep(120)

    shown = {(family.name, name) for family, children in app.live() for series, _ in children for name in series}
    ours = {one.name: {*labels.of(one.name), "pod"} for one in metrics.catalogue()}

    # Of a probe's requests, the check's labels stand beside; of traffic, where it went and the event's own.
    ours |= {name: {*known, *labels.CHECK, "team"} for name, known in ours.items() if name.startswith("claude_")}
    odd = {(metric, name) for metric, name in shown if metric in ours and name not in ours[metric]}
    assert odd == set()
    assert {metric for metric, _ in shown} >= {"claude_requests_total", "claude_ratelimit_limit", "system_load1"}


def keys(value) -> set[str]:
    """Every key of *value*, and of what is in it."""
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("page", sorted(name for name in WRITTEN if "/from-" in name))
def test_what_becomes_of_a_setting_is_a_setting(page):
    """In the tables of those who come from elsewhere, what stands in the column `here` has keys of ours."""
    known = {key for _, key, _ in fields()} | {"type"}
    cells = [row.split(" | ")[1] for row in re.findall(r"^\| (.+) \|$", prose(WRITTEN[page]), re.MULTILINE)[2:]]
    said = [text for cell in cells for text in CODE.findall(cell) if re.match(r"[a-z_]+(: |$)|\{", text)]
    unknown = []
    for text in said:
        value = yaml.safe_load(text.replace("…", "x"))
        unknown += sorted((keys(value) if isinstance(value, dict) else {str(value)}) - known - OTHERS)

    assert unknown == []
