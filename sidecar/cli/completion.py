"""`sidecar completion`: what a shell needs to complete our commands."""

import sys
from typing import Final

import click
from click.shell_completion import get_completion_class

from sidecar.cli.groups import notes

_VARIABLE: Final = "_SIDECAR_COMPLETE"


@click.command(
    epilog=notes(
        "source <(sidecar completion bash)",
        "source <(sidecar completion zsh)",
        "sidecar completion fish > ~/.config/fish/completions/sidecar.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete `sidecar`.

    It completes commands, options, checks and channels of the configuration, and a running daemon's alerts. Put
    `source <(sidecar completion bash)` into ~/.bashrc, or the same for zsh into ~/.zshrc.
    """
    from sidecar.cli import cli

    found = get_completion_class(shell)
    assert found is not None  # one of the three above
    click.echo(found(cli, {}, "sidecar", _VARIABLE).source())
    if sys.stdout.isatty():
        click.echo(f"\nThis is for {shell} to read: source <(sidecar completion {shell})", err=True)
