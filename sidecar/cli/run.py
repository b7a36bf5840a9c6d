"""`sidecar run`: the daemon."""

import asyncio
import importlib
import sys
from pathlib import Path

import click


@click.command(epilog="Example: sidecar run sidecar.yml --listen 127.0.0.1:9797")
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.option("--database", help="Path of the SQLite file; wins over the file and the environment.")
@click.option("--listen", help="host:port, or the path of a Unix socket.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="How much is logged.")
@click.option("--log-format", type=click.Choice(["auto", "json", "console"]), help="How it is logged.")
def run(file: Path, database: str | None, listen: str | None, log_level: str | None, log_format: str | None) -> None:
    """Run the daemon with the configuration in FILE until SIGTERM."""
    _import_structlog()
    from sidecar import app, config

    flags = {
        "database": database,
        "http": {"listen": listen} if listen else None,
        "log": {k: v for k, v in (("level", log_level), ("format", log_format)) if v} or None,
    }
    configuration = config.read(file, {k: v for k, v in flags.items() if v is not None})
    asyncio.run(app.run(configuration))


def _import_structlog() -> None:
    """Without rich, which it imports wherever that is installed: four megabytes for tracebacks that we do not write."""
    if sys.modules.keys() & {"rich", "structlog"}:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's own mark for what cannot be imported
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]
