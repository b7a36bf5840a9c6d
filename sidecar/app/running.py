"""From a configuration to a running daemon."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from sidecar import config as configuration
from sidecar.app.daemon import App
from sidecar.app.reloading import Origin
from sidecar.app.telemetry import preload
from sidecar.clock import SystemClock
from sidecar.config import Config, Disk, kept
from sidecar.config.files import fingerprint
from sidecar.db import Database, state
from sidecar.model.errors import ConfigError
from sidecar.outbound import Outbound
from sidecar.secrets import redact
from sidecar.services.connectivity import Reach, reach
from sidecar.telemetry import logs

log = structlog.get_logger(__name__)


def load(path: Path, flags: Mapping[str, Any], *, strict: bool = False) -> tuple[Config, Origin]:
    """The configuration at *path*, or, unless *strict*, the last good one when it is broken; raises ConfigError."""
    config, origin = _read(path, flags, strict=strict)
    preload(config.settings)
    return config, origin


def _read(path: Path, flags: Mapping[str, Any], *, strict: bool) -> tuple[Config, Origin]:
    disk = Disk()
    try:
        config = configuration.read(path, flags, disk)
        return config, Origin(path, flags, disk, hash=fingerprint(disk.texts))
    except ConfigError as exc:
        place = kept.place(kept.database_of(disk, flags))
        if strict or place is None:
            raise
        try:
            files = kept.restore(place)
            config = configuration.read(path, flags, files)
        except (kept.NothingKept, ConfigError):
            raise exc from None
        return config, Origin(path, flags, disk, problem=str(exc), hash=fingerprint(files.texts))


@asynccontextmanager
async def build(
    config: Config,
    *,
    clock: SystemClock | None = None,
    outbound: Outbound | None = None,
    origin: Origin | None = None,
    reach: Reach = reach,
    dry: bool = False,
) -> AsyncIterator[App]:
    """The daemon that *config* asks for, with its database open and its state restored.

    *origin* is where the configuration came from, if it can change. A *dry* daemon does everything but send: messages
    are logged, and nothing is remembered, because nobody was told.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        outbound = outbound or Outbound()
        stack.push_async_callback(outbound.close)
        database = await stack.enter_async_context(Database("" if dry else config.settings.database, clock))
        saved = await database.run(state.load)
        yield App(config, clock, outbound, database, saved, origin=origin, reach=reach, dry=dry)


async def run(config: Config, origin: Origin | None = None, *, dry: bool = False) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reloads."""
    said = config.settings.log
    logs.configure(level=said.level, form=said.format, redact=redact, file=said.file)
    if origin is not None and origin.problem:
        log.error("config.last_good", problem=redact(origin.problem), now="the last good configuration runs instead")
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        async with build(config, origin=origin, dry=dry) as app:
            loop.add_signal_handler(signal.SIGHUP, app.reloader.ask)
            await app.run()
    except asyncio.CancelledError:
        log.info("daemon.stopped")
