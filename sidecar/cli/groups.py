"""Commands that are imported when they are called, and the form of examples in help."""

import importlib
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from sidecar.cli import failing


def notes(*examples: str, json: str = "") -> str:
    """The end of a command's help: *examples* that can be copied, and the shape of what `--json` prints."""
    text = "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)
    return f"{text}\n\n--json: {json}" if json else text


class Lazy(click.Group):
    """Commands by the name of their module, imported when they are called: `run` never loads what tables need."""

    def __init__(self, *args: Any, tasks: Mapping[str, Mapping[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tasks = tasks
        self._words = {name: text for commands in tasks.values() for name, text in commands.items()}

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with failing.reading():  # help is written here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with failing.reading():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._words and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = "".join(f" Did you mean {name!r}?" for name in get_close_matches(args[0], self._words, 1))
            ctx.fail(f"No such command {args[0]!r}.{near}")
        return super().resolve_command(ctx, args)

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return ["-h", "--help"]  # click keeps the first answer, whoever asks, also where a context has no settings

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(self._words)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click
        if cmd_name not in self._words:
            return None
        command: click.Command = getattr(importlib.import_module(f"sidecar.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click
        widest = max(map(len, self._words))
        for task, commands in self._tasks.items():
            with formatter.section(task):
                formatter.write_dl([(name.ljust(widest), text) for name, text in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        named = [CompletionItem(name, help=text) for name, text in self._words.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]
