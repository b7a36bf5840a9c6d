"""What each kind of block has to be: functions that say what is wrong with one."""

import json
import re
import shlex
import subprocess
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import dropwhile
from pathlib import Path

import click
import pytest
import yaml

from sidecar import config
from sidecar.cli import cli
from sidecar.client import Client
from sidecar.ingest import reading
from sidecar.ingest.events import Decoder
from sidecar.model.errors import ConfigError
from sidecar.promql import QueryError
from sidecar.promql.parse import parse
from sidecar.rules import unittests
from sidecar.rules.files import Source, load_rules
from tests.docs.blocks import Block
from tests.programs import program

Judge = Callable[[Block, Path], Iterator[str]]

STUB = "groups: [{name: example, rules: [{alert: Example, expr: sidecar_check_up == 0}]}]\n"
SECRET = re.compile(r"\{env: (\w+)\}|\$\{(\w+)\}")
PROGRAMS = {"sidecar", "curl", "export", "kubectl", "helm", "pip", "python3", "promtool", "make", "source", "sqlite3"}
ROUTES = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text("utf-8"))["paths"]


def configuration(block: Block, folder: Path) -> Iterator[str]:
    """What `sidecar config check` would say, with every variable set and every named rule file there."""
    with pytest.MonkeyPatch.context() as patch:
        for found in SECRET.finditer(block.text):
            name = found[1] or found[2]
            url = "https://hooks.slack.com/services/T/B/x"
            patch.setenv(name, url if name.endswith("URL") else "example")
        for number, name in enumerate(re.findall(r"file: ([\w./*-]+\.yml)", block.text)):
            path = folder / name.replace("*", "example")
            path.parent.mkdir(exist_ok=True)
            path.write_text(STUB.replace("Example", f"Example{number}").replace("example,", f"example{number},"))
        for name in re.findall(r"include: \[([\w.]+)\]", block.text):
            (folder / name).mkdir(exist_ok=True)
            (folder / name / "more.yml").write_text("checks: []\n")
        yield from _mistakes(lambda: config.parse(block.text, str(block), folder=folder))


def rules(block: Block, folder: Path) -> Iterator[str]:
    """What `sidecar rules check` would call a mistake."""
    (folder / "rules.yml").write_text(block.text)
    yield from _mistakes(lambda: load_rules([Source(((str(block), block.text),))], channels=None))


def prometheus_rules(block: Block, folder: Path) -> Iterator[str]:
    """As `rules`, and Prometheus takes them as well."""
    yield from rules(block, folder)
    yield from _promtool(folder, "check", "rules", "rules.yml")


def rule_tests(block: Block, folder: Path) -> Iterator[str]:
    """Unit tests that the rules before them in the page meet."""
    known = load_rules([Source((("rules.yml", (folder / "rules.yml").read_text()),))], channels=None)
    tests, document = unittests.read(block.text, str(block))
    yield from map(str, unittests.run(tests, document, known))


def prometheus(block: Block, folder: Path) -> Iterator[str]:
    """A configuration of Prometheus."""
    (folder / "prometheus.yml").write_text(block.text)
    yield from _promtool(folder, "check", "config", "--syntax-only", "prometheus.yml")


def kubernetes(block: Block, _: Path) -> Iterator[str]:
    """Resources of Kubernetes, as its own schemas have them."""
    import kubernetes_validate  # type: ignore[import-untyped]  # ships no types

    for resource in yaml.safe_load_all(block.text):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                kubernetes_validate.validate(resource, "1.30", strict=True)
            except kubernetes_validate.ValidationError as exc:
                yield str(exc)


def theirs(block: Block, _: Path) -> Iterator[str]:
    """Another program's file, of which nobody here knows more than its language."""
    if not isinstance(yaml.safe_load(block.text), dict):
        yield "is no mapping"


def helm_values(block: Block, folder: Path) -> Iterator[str]:
    """Values for the chart: each is one that the chart has, and `config` is a configuration."""
    chart = yaml.safe_load((Path(__file__).parents[2] / "helm" / "claude-sidecar" / "values.yaml").read_text("utf-8"))
    given = yaml.safe_load(block.text)
    yield from (f"the chart has no value {key!r}" for key in given if key not in chart)
    yield from configuration(replace(block, text=yaml.safe_dump(given["config"])), folder)


def events(block: Block, _: Path) -> Iterator[str]:
    """Events that are all taken."""
    found = Decoder().decode(reading.read(block.text.encode(), lines=False), 0, 0.0)
    yield from (f"event {one.index}: {one.message}" for one in found.rejected)
    if not found.counted and not found.measured:
        yield "nothing came of it"


def answer(block: Block, _: Path) -> Iterator[str]:
    """JSON, whatever it says."""
    yield from _raised(ValueError, lambda: json.loads(block.text))


def toml(block: Block, _: Path) -> Iterator[str]:
    """A file in TOML, such as a pyproject.toml."""
    yield from _raised(ValueError, lambda: tomllib.loads(block.text))


def promql(block: Block, _: Path) -> Iterator[str]:
    """An expression; a rule's vars count as numbers."""
    yield from _raised(Exception, lambda: parse(re.sub(r"\$\{\w+\}", "1", block.text)))


def python(block: Block, _: Path) -> Iterator[str]:
    """It runs, also where no daemon listens."""
    found: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDECAR_URL", "http://127.0.0.1:9")
        exec(compile(block.text, str(block), "exec"), found)
    for value in found.values():
        if isinstance(value, Client):
            value.close(timeout=0)
    yield from ()  # what is wrong with it, it raises


def shell(block: Block, folder: Path) -> Iterator[str]:
    """Each command is one that there is, with options that it has; nothing is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in re.findall(r"(?<=\s)[\w./-]+\.ya?ml\b", block.text):
            if not Path(name).is_absolute():
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).touch()
        yield from _commands(block)


def _commands(block: Block) -> Iterator[str]:
    for line in commands(block.text):
        words = [*dropwhile(lambda word: re.fullmatch(r"[A-Z_]+=.*", word), line)]
        if words and words[0] not in PROGRAMS:
            yield f"{words[0]!r} is no program that these pages use"
        if words and words[0] == "sidecar":
            yield from _raised((click.ClickException, QueryError), partial(_parsed, words[1:]))
        if words and words[0] == "curl":
            yield from _asked(words)


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a script, as words; what a here-document holds is none."""
    text = re.sub(r"<<'?(\w+)'?\n.*?^\1$", "", text.replace("\\\n", " "), flags=re.DOTALL | re.MULTILINE)
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("|;&"):
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words[: next((n for n, word in enumerate(words) if word in ("<", ">")), None)]


def _parsed(words: list[str]) -> None:
    """Let click read a command line, and run nothing."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            return
        name, *words = words
        found = command.get_command(click.Context(command), name)
        if found is None:
            raise click.UsageError(f"no command {name!r}")
        command = found
    if not {"-h", "--help"} & set(words):
        ctx = command.make_context("example", list(words))
        if command.name == "query" and ctx.params["expr"]:
            parse(ctx.params["expr"])


def _asked(words: list[str]) -> Iterator[str]:
    """Whether a curl asks for a route that there is."""
    for word in words:
        found = re.match(r"http://127\.0\.0\.1:9797(/[^?#]*)", word)
        if found is None:
            continue
        method = next((words[n + 1] for n, each in enumerate(words) if each == "-X"), "")
        sends = any(each.startswith(("-d", "--data")) for each in words)
        method = (method or ("POST" if sends else "GET")).lower()
        methods = [each for path, each in ROUTES.items() if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), found[1])]
        if not any(method in each for each in methods):
            yield f"the daemon answers no {method.upper()} of {found[1]}"


def _promtool(folder: Path, *words: str) -> Iterator[str]:
    done = subprocess.run([program("promtool"), *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stdout + done.stderr


def _mistakes(read: Callable[[], object]) -> Iterator[str]:
    try:
        read()
    except ConfigError as exc:
        yield str(exc)


def _raised(kind: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object]) -> Iterator[str]:
    try:
        call()
    except kind as exc:
        yield exc.format_message() if isinstance(exc, click.ClickException) else f"{type(exc).__name__}: {exc}"


def nothing(_: Block, __: Path) -> Iterator[str]:
    """Text that nobody runs: what is printed, a picture, a tree."""
    yield from ()


JUDGES: dict[tuple[str, str], Judge] = {
    ("yaml", "configuration"): configuration,
    ("yaml", "rules"): rules,
    ("yaml", "prometheus-rules"): prometheus_rules,
    ("yaml", "rule-tests"): rule_tests,
    ("yaml", "prometheus"): prometheus,
    ("yaml", "kubernetes"): kubernetes,
    ("yaml", "values"): helm_values,
    ("yaml", "gatus"): theirs,
    ("yaml", "alertmanager"): theirs,
    ("yaml", "blackbox_exporter"): theirs,
    ("yaml", "litellm"): theirs,
    ("json", "events"): events,
    ("json", "answer"): answer,
    ("toml", ""): toml,
    ("promql", ""): promql,
    ("python", ""): python,
    ("sh", ""): shell,
    ("text", ""): nothing,
}
"""By language and kind; a block of any other kind is a mistake."""
