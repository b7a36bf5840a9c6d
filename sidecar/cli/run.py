"""`sidecar run`: the daemon."""

import asyncio
import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sidecar.cli.groups import notes

if TYPE_CHECKING:
    from sidecar.config import Config

_USUAL: Final = "http://127.0.0.1:9797"
"""Where `sidecar status` looks without --url."""


@click.command(
    epilog=notes(
        "sidecar run",
        "sidecar run sidecar.yml --listen 127.0.0.1:9797",
        "sidecar run sidecar.yml --dry-run --log-level debug",
    )
)
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.option("--database", help="Path of the SQLite file; wins over the file and the environment.")
@click.option("--listen", help="host:port, or the path of a Unix socket.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="How much is logged.")
@click.option("--log-format", type=click.Choice(["auto", "json", "console"]), help="How it is logged.")
@click.option("--strict", is_flag=True, help="Do not start with the last good configuration when FILE is broken.")
@click.option(
    "--dry-run", "dry", is_flag=True, help="Send and remember nothing: messages are logged. Probes that cost money do."
)
def run(
    file: Path,
    database: str | None,
    listen: str | None,
    log_level: str | None,
    log_format: str | None,
    *,
    strict: bool,
    dry: bool,
) -> None:
    """Run the daemon with the configuration in FILE until SIGTERM; SIGHUP, or a change of the files, reloads it."""
    flags = {
        "database": database,
        "http": {"listen": listen} if listen else None,
        "log": {k: v for k, v in (("level", log_level), ("format", log_format)) if v} or None,
    }
    with _for_good():
        _import_structlog()
        from sidecar import app

        configuration, origin = app.load(file, {k: v for k, v in flags.items() if v is not None}, strict=strict)
        for line in _greeting(configuration, file) if _is_read(configuration.settings.log.format) else ():
            click.echo(line, err=True)
    asyncio.run(app.run(configuration, origin, dry=dry))


def _is_read(log_format: str) -> bool:
    """Whether a person reads what we say, and not a collector of logs."""
    return log_format != "json" and sys.stderr is not None and sys.stderr.isatty()


def _greeting(config: "Config", file: Path) -> Iterator[str]:
    """What is about to run, and where to look at it."""
    from sidecar.services import addresses

    rules = sum(len(group.rules) for group in config.rules.groups)
    counts = ((len(config.checks), "check"), (len(config.channels), "channel"), (rules, "rule"))
    yield f"{file}: " + ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)
    listen = config.settings.http.listen
    address = addresses.parse(listen)
    if not address.path and not address.port:
        return  # a free port, that the log names when it is taken
    here = f"http://{address}".replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104 -- looked at from here
    url = f"unix://{address.path}" if address.path else here
    if not address.path:
        yield f"  status page  {url}/"
    elsewhere = "" if url == _USUAL else f" --url {url}"
    yield f"  in a shell   sidecar status --watch{elsewhere}"
    yield "  Ctrl-C ends it"


@contextmanager
def _for_good() -> Iterator[None]:
    """What is loaded here stays, and the garbage collector does not look at it again.

    Else a full collection holds the event loop for 45 ms, and the many small ones make the start a tenth longer.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.collect()
    gc.freeze()


_UNUSED: Final = ("rich", "greenlet")


def _import_structlog() -> None:
    """Without what it imports wherever that is installed: five megabytes for what we do not use."""
    if sys.modules.keys() & {"structlog", *_UNUSED}:
        return
    for name in _UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own mark for what cannot be imported
    try:
        importlib.import_module("structlog")
    finally:
        for name in _UNUSED:
            del sys.modules[name]
