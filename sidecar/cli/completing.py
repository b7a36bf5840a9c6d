"""What a shell may complete beyond commands and options: names out of the configuration and of the daemon."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from sidecar.cli.client import DEFAULT, Client, NoAnswer, Refused
from sidecar.model.errors import SidecarError

_PATIENCE = 1.0  # seconds; whoever presses a key does not wait longer


def checks(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of checks in the file that the command is given."""
    from sidecar import config

    with contextlib.suppress(SidecarError):  # a broken file has no names, and this is no place to say so
        found = config.read(Path(ctx.params.get("file") or "sidecar.yml"))
        return _fitting(((check.name, check.type) for check in found.checks), incomplete)
    return []


def alerts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the alerting rules of the daemon that the command asks."""
    token = ctx.params.get("token") or os.environ.get("SIDECAR_TOKEN", "")
    client = Client(ctx.params.get("url") or os.environ.get("SIDECAR_URL", DEFAULT), token, timeout=_PATIENCE)
    with contextlib.suppress(NoAnswer, Refused):
        groups = client.data("/api/v1/rules", {"type": "alert", "exclude_alerts": "true"})["groups"]
        return _fitting(((rule["name"], rule["state"]) for group in groups for rule in group["rules"]), incomplete)
    return []


def _fitting(names: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=text) for name, text in names if name.startswith(incomplete)]
