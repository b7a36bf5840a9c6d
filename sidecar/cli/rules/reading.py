"""Where the commands about rules read them from: files, shipped packs, or a whole configuration."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import click

from sidecar import config as configuration
from sidecar.cli import completing, progress
from sidecar.cli import files as reading_files
from sidecar.model.errors import ConfigError, Mistake
from sidecar.rules.compiled import RuleSet
from sidecar.rules.files import Source, load_rules
from sidecar.rules.lint import Outlook, unwatched
from sidecar.services import probing

_PACK: Final = "pack "  # how configurations name the files of packs, too

F = TypeVar("F", bound=Callable[..., None])


class UnreadableError(ConfigError):
    """A file that is not there, or is no text."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rules, and what is known of the daemon that would evaluate them."""

    rules: RuleSet
    outlook: Outlook
    unwatched: tuple[str, ...] = ()  # checks of the configuration that no rule judges


def sources(command: F) -> F:
    """The arguments of commands that take FILEs, packs or a configuration."""
    command = click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Take the rules of this configuration, with its overrides.",
    )(command)
    command = click.option(
        "--pack",
        "packs",
        multiple=True,
        metavar="NAME",
        help="A shipped pack; repeatable.",
        shell_complete=completing.packs,
    )(command)
    return click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completing.rule_files)(command)


def find(files: Sequence[str], packs: Sequence[str], config: Path | None) -> Found:
    """The rules of *files* and *packs*, or those of the configuration *config*; raises ConfigError."""
    if bool(files or packs) == (config is not None):
        raise click.UsageError("expected FILEs, packs, or --config with a configuration")
    if config is not None:
        return of(reading_files.read(config))
    texts = [*map(read, files), *map(read_pack, packs)]
    with progress.waiting("reading rules"):
        return Found(load_rules([Source(tuple(texts))]), Outlook())


def of(config: configuration.Config) -> Found:
    """The rules of *config*, and what is known of its daemon."""
    channels = {channel.name: channel.severities for channel in config.channels}
    watched = {check.name: probing.labels(check, config.settings.pod) for check in config.checks}
    # What a scrape reads is named by whoever wrote it.
    metrics = ("*",) if any(check.type == "scrape" for check in config.checks) else ()
    outlook = Outlook(config.settings.tick, metrics, channels)
    return Found(config.rules, outlook, unwatched(config.rules, watched))


def unjudged(check: str) -> str:
    """What to say of a *check* that no rule judges."""
    return f"no rule judges the state of the check {check}: nobody is told when it is down"


def read(name: str) -> tuple[str, str]:
    """Name and text of a file, or of a shipped pack; raises UnreadableError."""
    path = Path(name)
    if name in configuration.packs() and not path.is_file():
        return read_pack(name)
    try:
        return str(path), path.read_text("utf-8")
    except UnicodeDecodeError as exc:
        text = f"byte 0x{exc.object[exc.start]:02x} is not UTF-8, expected a YAML file in UTF-8"
        raise UnreadableError(Mistake(name, 0, "", text)) from exc
    except OSError as exc:
        why = (exc.strerror or str(exc)).lower()
        text = f"cannot be read: {why}; expected a file, or one of the packs: {_known()}"
        raise UnreadableError(Mistake(name, 0, "", text)) from exc


def read_pack(name: str) -> tuple[str, str]:
    """Name and text of a shipped pack; raises UnreadableError."""
    packs = configuration.packs()
    if name not in packs:
        raise UnreadableError(Mistake(name, 0, "", f"is no pack; known: {_known()}"))
    return f"{_PACK}{name}", packs[name].read_text("utf-8")


def is_pack(file: str) -> bool:
    """Whether *file*, as rules and mistakes name it, is a shipped pack."""
    return file.startswith(_PACK) and file.removeprefix(_PACK) in configuration.packs()


def _known() -> str:
    return ", ".join(sorted(configuration.packs()))


def refuse(error: ConfigError, code: int, *, as_json: bool = False) -> NoReturn:
    """Say every mistake of *error* and end with *code*; with 2 if a file could not be read at all."""
    if as_json:
        listed = [{"file": m.file, "line": m.line, "key": m.key, "message": m.message} for m in error.mistakes]
        click.echo(json.dumps({"ok": False, "mistakes": listed}, indent=2))
    else:
        click.echo(str(error), err=True)
    raise click.exceptions.Exit(2 if isinstance(error, UnreadableError) else code) from error
