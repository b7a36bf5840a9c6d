"""What every command says of itself."""

import re
import shlex

import click
import pytest

from sidecar.cli import COMMANDS, cli


def every(group: click.Group, parent: click.Context) -> list[tuple[str, click.Context, click.Command]]:
    """Every command with its path, groups included."""
    found = []
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        ctx = click.Context(command, info_name=name, parent=parent)
        found.append((ctx.command_path.removeprefix("sidecar "), ctx, command))
        if isinstance(command, click.Group):
            found += every(command, ctx)
    return found


EVERY = {
    path: (ctx, command)
    for path, ctx, command in every(cli, click.Context(cli, info_name="sidecar", **cli.context_settings))
}
LEAVES = [path for path, (_, command) in EVERY.items() if not isinstance(command, click.Group)]
FOR_PEOPLE = {"run", "demo", "completion", "config schema"}
"""Commands without --json: a daemon whose log has its own setting, a story, a script, and what is JSON already."""


def help_of(path: str) -> str:
    ctx, command = EVERY[path]
    assert ctx.parent is not None
    return command.get_help(click.Context(command, info_name=ctx.info_name, parent=ctx.parent, max_content_width=80))


@pytest.mark.parametrize("path", EVERY)
def test_help_fits_the_narrowest_usual_terminal(path, monkeypatch):
    """No line of help is wider than 80 columns, unless it is an example that has to be copied in one piece."""
    monkeypatch.setenv("COLUMNS", "80")

    shown = help_of(path).splitlines()

    assert [line for line in shown if len(line) > 80 and "sidecar " not in line] == []
    assert [line for line in shown if line.endswith("...") and not line.startswith("Usage")] == []


@pytest.mark.parametrize("path", LEAVES)
def test_examples_are_words_that_the_command_takes(path, tmp_path, monkeypatch):
    """Each command has examples, and each example is parsed without an error where there is a configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sidecar.yml").touch()
    _, command = EVERY[path]
    section = re.search(r"\bExamples:\n((?:  .*\n?)+)", command.epilog or "")
    assert section, "no examples"
    mine = [line for line in section[1].splitlines() if f"sidecar {path}" in line]
    assert mine
    for line in mine:
        words = shlex.split(line.partition(f"sidecar {path}")[2].removesuffix(")"))
        end = next((n for n, word in enumerate(words) if word in ("|", ">")), None)
        command.make_context(path, words[:end], parent=EVERY[path][0].parent)


@pytest.mark.parametrize("path", LEAVES)
def test_whatever_a_machine_may_read_is_there_as_json(path):
    """Each command has --json and says its shape, but for those that print no facts."""
    _, command = EVERY[path]
    options = {name for param in command.params for name in param.opts}

    assert ("--json" in options) is (path not in FOR_PEOPLE)
    assert ("--json: " in (command.epilog or "")) is (path not in FOR_PEOPLE)


def test_commands_stand_by_what_one_wants_to_do(sidecar):
    """The help has every command once, under its task."""
    said = sidecar("--help")

    below = said.out.partition("\nRun:")[2]
    assert said.code == 0
    assert re.findall(r"^([A-Z][a-z ]+):$", said.out, re.MULTILINE) == ["Options", "Run", "On call", "Write", "Try"]
    assert re.findall(r"^  ([a-z]+) {2,}\w", below, re.MULTILINE) == list(COMMANDS)


def test_the_version_says_what_runs_it(sidecar):
    """Whoever reports something copies one line."""
    assert re.fullmatch(r"sidecar \S+ \(Python 3\.\d+\.\d+\S*, \w+ \w+\)\n", sidecar("--version").out)


def test_one_way_to_name_the_daemon_and_its_token():
    """Commands that ask a daemon have the same four options, from the same variables."""
    asking = [command for _, command in EVERY.values() if any("--url" in param.opts for param in command.params)]

    assert len(asking) == 7
    for command in asking:
        envvars = {param.opts[0]: param.envvar for param in command.params if isinstance(param, click.Option)}
        assert {name: envvars[name] for name in ("--url", "--token", "--token-file")} == {
            "--url": "SIDECAR_URL",
            "--token": "SIDECAR_TOKEN",
            "--token-file": "SIDECAR_TOKEN_FILE",
        }
