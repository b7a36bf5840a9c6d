"""`sidecar notify`: try out where people are told, and what."""

import click

from sidecar.cli.notify.preview import preview
from sidecar.cli.notify.testing import test


@click.group(short_help="Send a real test message, or see what an alert would say.")
def notify() -> None:
    """Try out where people are told, and what."""


for _command in (test, preview):
    notify.add_command(_command)
