"""The page about the command line, from the commands themselves."""

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click

from sidecar.cli import cli
from writers.markdown import MADE, block, code, first_line, heading, paragraphs, table

_EXAMPLES: Final = re.compile(r"^Examples?:\s*")
_SEPARATOR: Final = re.compile(r";\s+(?=sidecar )|\s*\n\s*|\s{2,}")
_WIDTH: Final = 4000  # nothing is broken into lines but by whoever reads


def page() -> Iterator[str]:
    """Every command with its arguments, its options and its examples."""
    yield "# Commands"
    yield ""
    yield f"{MADE} Every command has `--help`. Environment variables stand beside the options that they stand for:"
    yield "[all of them](environment.md), and the [exit codes](environment.md#exit-codes)."
    yield ""
    found = list(commands())
    yield from table(
        ("command", "does"),
        ((f"[`{ctx.command_path}`](#{ctx.command_path.replace(' ', '-')})", _short(command)) for ctx, command in found),
    )
    for ctx, command in found:
        yield from _command(ctx, command)


def commands() -> Iterator[tuple[click.Context, click.Command]]:
    """Every command that can be given, with its context, in the order of the help."""
    yield from _below(click.Context(cli, info_name="sidecar", terminal_width=_WIDTH), cli)


def _below(ctx: click.Context, group: click.Group) -> Iterator[tuple[click.Context, click.Command]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        inner = click.Context(command, parent=ctx, info_name=name, terminal_width=_WIDTH)
        if isinstance(command, click.Group):
            yield from _below(inner, command)
        elif not command.hidden:
            yield inner, command


def _command(ctx: click.Context, command: click.Command) -> Iterator[str]:
    yield from heading(ctx.command_path)
    yield from block("text", " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)]))
    yield ""
    yield from _help(command)
    yield from table(
        ("option", "means", "variable"),
        (
            (code(record[0]), record[1], code(param.envvar or ""))
            for param in command.params
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None
        ),
    )
    yield from _epilog(command)


def _epilog(command: click.Command) -> Iterator[str]:
    """What stands at the end of the help: examples are a script, the rest is a text."""
    said = inspect.cleandoc((command.epilog or "").replace("\b\n", "\n\n"))
    for part in filter(None, re.split(r"\n\s*\n", said)):
        script = _EXAMPLES.sub("", part)
        yield ""
        if script == part:
            yield from block("text", part)
        else:
            yield from block("sh", "\n".join(line.strip() for line in _SEPARATOR.split(script.strip())))


def _help(command: click.Command) -> Iterator[str]:
    """What the command says of itself: paragraphs, and what stands there line by line."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "").strip()):
        lines = paragraph.splitlines()
        if lines and lines[0].strip() == "\b":
            yield from block("text", "\n".join(lines[1:]))
            yield ""
        else:
            yield from paragraphs(paragraph)


def _short(command: click.Command) -> str:
    return first_line(inspect.cleandoc(command.help or "").replace("\b", "").strip()) or command.get_short_help_str(200)
