"""`sidecar rules`: check, test, list, show, export and import rule files."""

import click

from sidecar import config as configuration
from sidecar.cli.rules.check import check
from sidecar.cli.rules.exchange import export, import_
from sidecar.cli.rules.looking import list_, show
from sidecar.cli.rules.testing import test


@click.group(
    short_help="Check, test, list, show, export and import rule files.",
    epilog=f"Shipped packs: {', '.join(sorted(configuration.packs()))}.",
)
def rules() -> None:
    """Rule files: Prometheus' format, with a few fields of ours. FILEs are paths, or names of shipped packs."""


for _command in (check, test, list_, show, export, import_):
    rules.add_command(_command)
