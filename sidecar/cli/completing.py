"""What a shell may complete beyond commands and options: names out of the configuration and of the daemon.

Whatever fails is silent, and nothing takes longer than somebody waits who has pressed a key.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from sidecar.cli.client import DEFAULT, Client, read_token
from sidecar.model.errors import SidecarError

_PATIENCE: Final = 1.0
"""Seconds for the daemon's answer."""

Named = Iterable[tuple[str, str]]
"""Names, and what stands beside them."""
Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _of_file(names: Callable[[Any], Named]) -> Completion:
    """Names in the configuration that the command is given."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from sidecar import config

        # A broken file has no names, and this is no place to say so.
        with contextlib.suppress(SidecarError, OSError):
            return _fitting(names(config.read(_file(ctx))), incomplete)
        return []

    return complete


def _of_daemon(path: str, parameters: dict[str, str], names: Callable[[Any], Named]) -> Completion:
    """Names in an answer of the daemon that the command asks."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with contextlib.suppress(click.ClickException):
            return _fitting(names(_client(ctx).data(path, parameters)), incomplete)
        return []

    return complete


checks: Final = _of_file(lambda found: ((check.name, check.type) for check in found.checks))
channels: Final = _of_file(lambda found: ((channel.name, channel.type) for channel in found.channels))
rules: Final = _of_file(lambda found: {rule.name: rule.spec.severity for rule in found.rules.alerting}.items())
alerts: Final = _of_daemon(
    "/api/v1/rules",
    {"type": "alert", "exclude_alerts": "true"},
    lambda data: {rule["name"]: rule["state"] for group in data["groups"] for rule in group["rules"]}.items(),
)
silences: Final = _of_daemon(
    "/api/v1/silences",
    {},
    lambda data: ((one["id"], ", ".join(one["matchers"])) for one in data["silences"] if one["state"] != "expired"),
)


def packs(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the shipped packs."""
    from sidecar import config

    return _fitting(((name, "a shipped pack") for name in sorted(config.packs())), incomplete)


def rule_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the shipped packs, and YAML files beside them; where no pack is meant, any file."""
    found = packs(ctx, param, incomplete)
    if not found:
        return [CompletionItem(incomplete, type="file")]  # bash takes either names or files
    return [*found, *(CompletionItem(str(path)) for path in sorted(Path().glob(f"{incomplete}*.y*ml")))]


def _file(ctx: click.Context) -> Path:
    """The configuration that the command is given, also where the shell's words are not yet complete."""
    given = ctx.params.get("file") or os.environ.get("SIDECAR_CONFIG") or "sidecar.yml"
    return Path(given)


def _client(ctx: click.Context) -> Client:
    url = ctx.params.get("url") or os.environ.get("SIDECAR_URL", DEFAULT)
    said = ctx.params.get("token") or os.environ.get("SIDECAR_TOKEN", "")
    file = ctx.params.get("token_file") or os.environ.get("SIDECAR_TOKEN_FILE")
    return Client(url.rstrip("/"), read_token(said, Path(file) if file else None), timeout=_PATIENCE)


def _fitting(names: Named, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=text) for name, text in names if name.startswith(incomplete)]
