"""Taking up another configuration: when somebody asks, and when its files have changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog

from sidecar import config as configuration
from sidecar.clock import Clock
from sidecar.config import Config, Disk, kept
from sidecar.config.files import Signature, fingerprint
from sidecar.model.errors import ConfigError
from sidecar.model.families import CONFIG_INFO, CONFIG_LAST_GOOD, CONFIG_RELOAD_SUCCESS, CONFIG_RELOAD_TIME
from sidecar.model.labels import Labels
from sidecar.model.samples import Update
from sidecar.secrets import redact
from sidecar.services.evaluator import Stopped

log = structlog.get_logger(__name__)

AT_START: Final = ("database", "http", "log", "pod", "tick")
"""Settings that a running daemon keeps: a reload that changes them says that they need a restart."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration comes from, to be read again: its first file, the flags, and all that it was made of."""

    path: Path
    flags: Mapping[str, Any] = field(default_factory=dict)
    disk: Disk = field(default_factory=Disk)
    problem: str = ""  # why the daemon runs with the last good configuration instead of the files
    hash: str = ""  # of the files that run


@dataclass(frozen=True, slots=True)
class Status:
    """What runs, and how the last attempt to take up another configuration went."""

    loaded_at: float  # when what runs was loaded, seconds since the epoch
    problem: str = ""  # why the files are not what runs; empty when they are
    last_good: bool = False  # whether the daemon started with what was kept, because the files were broken
    needs_restart: tuple[str, ...] = ()  # settings in the files that wait for a restart
    hash: str = ""  # of the files that run: pods with the same configuration have the same

    @property
    def ok(self) -> bool:
        return not self.problem


class Reloader:
    """Reads *origin* again and hands what it says to *apply*. A file with a mistake changes nothing.

    Unless it *keeps* nothing, what could be used is written down beside the database.
    """

    def __init__(
        self,
        config: Config,
        origin: Origin | None,
        clock: Clock,
        apply: Callable[[Config], Awaitable[None]],
        *,
        keeps: bool = True,
    ) -> None:
        self._running = config
        self._origin = origin
        self._clock = clock
        self._apply = apply
        self._lock = asyncio.Lock()
        self._asked: set[asyncio.Task[Status]] = set()
        self._place = kept.place(config.settings.database) if origin and keeps else None
        problem = origin.problem if origin else ""
        self.status = Status(clock.time(), problem, last_good=bool(problem), hash=origin.hash if origin else "")
        self._disk = origin.disk if origin else Disk()  # what was read last, whether it could be used or not

    def facts(self) -> Iterator[Update]:
        """What the metrics say of it."""
        yield Update(CONFIG_RELOAD_SUCCESS, float(self.status.ok))
        yield Update(CONFIG_RELOAD_TIME, self.status.loaded_at)
        yield Update(CONFIG_LAST_GOOD, float(self.status.last_good))
        if self.status.hash:
            yield Update(CONFIG_INFO, 1.0, Labels(hash=self.status.hash))

    def ask(self) -> None:
        """Reload soon; for a signal, which cannot wait."""
        if len(self._asked) < 2:  # one that runs, and one that finds whatever is written meanwhile
            task = asyncio.create_task(self.reload(), name="reload")
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)

    async def reload(self) -> Status:
        """Take up what the files say now; afterwards the status says whether they could be."""
        async with self._lock:
            if self._origin is None:
                return self.status
            disk = Disk()
            try:
                # Away from the loop: many rules take longer to compile than anybody should wait.
                config = await asyncio.to_thread(configuration.read, self._origin.path, self._origin.flags, disk)
            except ConfigError as exc:
                self._failed(str(exc))
                return self.status
            except Exception as exc:
                log.exception("config.crashed")
                self._failed(f"reading the files failed with {type(exc).__name__}: {exc}")
                return self.status
            finally:
                self._disk = disk
            needs_restart = tuple(name for name in AT_START if _differs(name, config, self._running))
            try:
                await self._apply(config)
            except Stopped as exc:
                self._failed(str(exc))
                return self.status
            self.status = Status(self._clock.time(), needs_restart=needs_restart, hash=fingerprint(disk.texts))
            log.info("config.reloaded", file=str(self._origin.path), needs_restart=list(needs_restart))
            await self.keep()
            return self.status

    async def keep(self) -> None:
        """Write down what runs, for a start with broken files."""
        if self._place is None or self._origin is None or not self.status.ok:
            return
        try:
            await asyncio.to_thread(kept.save, self._place, self._disk)
        except OSError as exc:
            log.warning("config.not_kept", path=str(self._place), error=exc.strerror)

    async def watch(self, every: Callable[[], float | None]) -> None:
        """Reload when the files have changed and rest; *every* says the seconds between two looks, None for no look."""
        if self._origin is None:
            return
        await self.keep()
        restless: Signature | None = None
        while True:
            seconds = every()
            await asyncio.sleep(seconds or 5.0)
            if seconds is None:
                continue
            disk = self._disk
            now = await asyncio.to_thread(disk.now)
            if now == disk.seen():
                restless = None
            elif now == restless:  # a second look: whoever writes has finished
                restless = None
                await self.reload()
            else:
                restless = now

    def _failed(self, problem: str) -> None:
        problem = redact(problem)
        self.status = replace(self.status, problem=problem)
        log.error("config.not_reloaded", problem=problem, now="what ran before goes on")


def _differs(name: str, one: Config, other: Config) -> bool:
    return bool(getattr(one.settings, name) != getattr(other.settings, name))
