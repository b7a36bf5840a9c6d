"""The command line."""

import os
import sys
from typing import Final

import click

from sidecar.cli import failing, terminal
from sidecar.cli.groups import Lazy

TASKS: Final = {
    "Run": {
        "run": "Run the daemon.",
        "check": "Probe once, print what happened, exit 1 if a check failed.",
        "diagnose": "Try from here what the daemon will need: names, TLS, keys, disk.",
    },
    "On call": {
        "status": "What a running daemon knows, on one screen.",
        "explain": "Why an alert fired or did not, and what comes next.",
        "query": "Ask a running daemon in PromQL.",
        "ack": "Say that somebody works on an alert.",
        "silence": "Silence alerts for a while.",
    },
    "Write": {
        "config": "Check, show or describe the configuration.",
        "rules": "Check, test, list, show, export and import rule files.",
        "notify": "Send a real test message, or see what an alert would say.",
        "dashboards": "List, write or install the Grafana dashboards.",
    },
    "Try": {
        "demo": "An incident in about a minute, with no key and no network.",
        "simulator": "A Claude API that misbehaves on request.",
        "completion": "What a shell needs to complete these commands.",
    },
}
"""Every command by what one wants to do, each with its line of help."""
COMMANDS: Final = {name: text for commands in TASKS.values() for name, text in commands.items()}


@click.group(
    cls=Lazy,
    tasks=TASKS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Exit codes: 0 fine, 1 the answer is bad, 2 wrong use or nothing to work with, 130 Ctrl-C. With --json "
    'an error is {"error": {"type", "message"}} on standard error. NO_COLOR and FORCE_COLOR choose colours.',
)
@click.version_option(
    package_name="claude-sidecar",
    prog_name="sidecar",
    message=f"%(prog)s %(version)s (Python {sys.version.split()[0]}, {sys.platform} {os.uname().machine})",
)
@click.option(failing.TRACEBACK, is_flag=True, expose_value=False, help="Say where in sidecar itself something failed.")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Observability and alerting beside an LLM gateway.

    \b
    sidecar demo                      see it work, in a minute
    sidecar config check sidecar.yml  every mistake at once, with its line
    sidecar check sidecar.yml         probe once
    sidecar run sidecar.yml           the daemon
    sidecar status --watch            what it knows, live
    sidecar explain ClaudeDown        why an alert fired, or did not
    """  # noqa: D301 -- click's mark for lines that stay as they are
    ctx.color = terminal.colours()


def main() -> None:
    """Exit codes: 0 fine, 1 the answer is bad or we crashed, 2 wrong use or a configuration that cannot be used.

    Also 141 when nobody reads the output any more. How a command fails is said by `failing`.
    """
    terminal.prepare()
    try:
        # Outside of its standalone mode click hands back the code of an Exit instead of raising it.
        sys.exit(cli.main(prog_name="sidecar", standalone_mode=False) or 0)
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 -- Python would print it with the secrets in it
        failing.end(exc)
