"""The command line."""

import errno
import importlib
import sys
import traceback
from importlib.metadata import version
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from sidecar.model.errors import SidecarError

COMMANDS = {
    "run": "Run the daemon.",
    "status": "What a running daemon knows, on one screen.",
    "explain": "Why an alert fired or did not, and what comes next.",
    "query": "Ask a running daemon in PromQL.",
    "ack": "Say that somebody works on an alert.",
    "silence": "Silence alerts for a while.",
    "diagnose": "Try from here what the daemon will need: names, TLS, keys, clock, disk.",
    "check": "Probe once, print what happened, exit 1 if a check failed.",
    "config": "Check, show or describe the configuration.",
    "rules": "Check, test, list, show, export and import rule files.",
    "notify": "Send a real test message, or see what an alert would say.",
    "demo": "An incident in about a minute, with no key and no network.",
    "simulator": "A Claude API that misbehaves on request.",
    "completion": "What a shell needs to complete these commands.",
}

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


class _Lazy(click.Group):
    """Commands by the name of their module, imported when they are called: `run` never loads what tables need."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"sidecar.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 -- click
        return [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("claude-sidecar"), prog_name="sidecar")
def cli() -> None:
    """Observability and alerting beside an LLM gateway.

    \b
    sidecar demo                      see it work, in a minute
    sidecar config check sidecar.yml  every mistake at once, with its line
    sidecar check sidecar.yml         probe once
    sidecar run sidecar.yml           the daemon
    sidecar status                    what it knows
    sidecar explain ClaudeDown        why an alert fired, or did not
    """  # noqa: D301 -- click's mark for lines that stay as they are


def main() -> None:
    """Exit codes: 0 fine, 1 the answer is bad or we crashed, 2 wrong use or a configuration that cannot be used."""
    try:
        # Outside of its standalone mode click hands back the code of an Exit instead of raising it.
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code if exc.exit_code != 1 else 2)
    except SidecarError as exc:
        _say(f"sidecar: {exc}" if "\n" not in str(exc) else str(exc))
        sys.exit(2)
    except OSError as exc:
        if exc.errno not in _NO_ROOM or exc.filename is not None:
            _crashed()
        click.echo(f"sidecar: standard output cannot be written: {exc.strerror}; make room where it goes", err=True)
        sys.exit(2)
    except Exception:  # noqa: BLE001 -- Python itself would print it with the secrets that may be in it
        _crashed()


def _crashed() -> NoReturn:
    """Say what went wrong inside of us, as Python does, but without secrets."""
    _say(traceback.format_exc().rstrip())
    sys.exit(1)


def _say(text: str) -> None:
    from sidecar.secrets import redact

    click.echo(redact(text), err=True)
