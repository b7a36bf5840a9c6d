"""The one SQLite file, behind one thread."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

import structlog

from sidecar.clock import Clock
from sidecar.db import copying, files
from sidecar.db.errors import DatabaseError, is_broken, is_storage
from sidecar.db.lock import FileLock
from sidecar.model.families import DATABASE_WAIT
from sidecar.model.samples import Update

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

RETRY: Final = 30.0
"""Seconds from one attempt to write to the file again to the next."""
_WAITS: Final = 10_000


class Database:
    """Runs functions over a connection, each in one transaction, one after the other.

    If the file cannot be written, the same tables live in memory from then on, and the file is tried again every
    30 s: announcing beats remembering. *on_writable* hears of each change. *rebuild* writes into a connection what
    the daemon knows by itself, for a disk that cannot even be read; it is called on the database's thread.

    `lock` is held from reading the alert book until what follows from it is committed and applied.
    """

    def __init__(
        self,
        path: str | Path | None,
        clock: Clock,
        *,
        on_writable: Callable[[bool], None] = lambda _: None,
        rebuild: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        self.path = Path(path) if path else None
        self.lock = asyncio.Lock()
        self.writable = True
        self.on_writable = on_writable
        self.rebuild = rebuild
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._file_lock: FileLock | None = None
        self._connection: sqlite3.Connection | None = None
        self._broken = False  # the file is to be moved aside before it is written again
        self._read = False  # what the file held is known in memory
        self._timeline = 0  # the last line that the file has
        self._waits: deque[float] = deque(maxlen=_WAITS)  # seconds that transactions took and nobody was told yet
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retrying: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Open the file; raises DatabaseInUse or NewerDatabase."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._loop.run_in_executor(self._thread, self._open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What *function* returns; all that it wrote is committed, or, if it raised, nothing is.

        It must have no effect but on the connection: it is called again if the file fails it.
        """
        if self._loop is None:
            raise DatabaseError("got a query before the database was opened, expected `async with` around it")
        began = self._clock.monotonic()
        try:
            return await self._loop.run_in_executor(self._thread, lambda: self._transact(function, *args, **kwargs))
        finally:
            self._waits.append(self._clock.monotonic() - began)

    def updates(self) -> tuple[Update, ...]:
        """How long transactions took since this was asked last."""
        waits = tuple(Update(DATABASE_WAIT, seconds) for seconds in self._waits)
        self._waits.clear()
        return waits

    # What happens on the database's thread.

    def _open(self) -> None:
        if self.path is None:
            self._connection = files.in_memory()
            return
        now = self._clock.time()
        try:
            files.make_place(self.path)
            self._file_lock = FileLock.take(self.path, now)
            self._connection = files.open_file(self.path, now)
        except (sqlite3.Error, OSError) as exc:
            if isinstance(exc, sqlite3.Error) and not is_storage(exc):
                raise
            self._connection = files.in_memory()
            self._copy_unwritable(self.path)
            self._set_writable(writable=False, reason=str(exc))

    def _copy_unwritable(self, path: Path) -> None:
        """What a file that only can be read held is known all the same."""
        assert self._connection is not None
        try:
            source = files.read_only(path)
        except sqlite3.Error:
            return
        try:
            self._timeline, lost = copying.to_memory(source, self._connection)
            self._read = not lost
        finally:
            source.close()

    def _transact(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        assert self._connection is not None, "the database is closed"
        try:
            return _transaction(self._connection, function, *args, **kwargs)
        except sqlite3.Error as exc:
            if not self.writable or self.path is None or not is_storage(exc):
                raise
            self._move_to_memory(exc)
        return _transaction(self._connection, function, *args, **kwargs)

    def _move_to_memory(self, exc: sqlite3.Error) -> None:
        """From now on the tables live in memory, with all that is known."""
        assert self._connection is not None
        file, memory = self._connection, files.in_memory()
        self._broken = is_broken(exc)
        self._timeline, lost = copying.to_memory(file, memory)
        if lost:
            self._rebuild(memory)
        self._read = True
        self._connection = memory
        _close(file)
        self._set_writable(writable=False, reason=str(exc))

    def _rebuild(self, memory: sqlite3.Connection) -> None:
        try:
            _transaction(memory, self.rebuild)
        except Exception:  # noqa: BLE001 -- half of what is known is better than a daemon that ends here
            _log.exception("database.rebuild_failed")

    def _move_to_file(self) -> None:
        """Try the file again; afterwards it is as the memory was, or everything is as before."""
        if self.path is None or self._connection is None or self.writable:
            return
        file: sqlite3.Connection | None = None
        try:
            now = self._clock.time()
            self._file_lock = self._file_lock or FileLock.take(self.path, now)
            if self._broken and self.path.exists():
                files.move_aside(self.path, now)
            self._broken = False
            file = files.open_file(self.path, now)
            copying.to_file(self._connection, file, self._timeline, keep_outbox=not self._read)
        except (sqlite3.Error, OSError, DatabaseError) as exc:
            _log.info("database.still_unwritable", path=str(self.path), error=str(exc))
            if file is not None:
                _close(file)
            return
        _close(self._connection)
        self._connection = file
        self._set_writable(writable=True)

    def _shut(self) -> None:
        if self._connection is not None:
            if not self.writable:
                self._move_to_file()  # the last chance
            _close(self._connection)
            self._connection = None
        if self._file_lock is not None:
            self._file_lock.release()
            self._file_lock = None

    def _set_writable(self, *, writable: bool, reason: str = "") -> None:
        self.writable = writable
        if writable:
            _log.info("database.writable", path=str(self.path))
        else:
            _log.error("database.unwritable", path=str(self.path), error=reason, consequence="state lives in memory")
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._changed, writable)

    # What happens on the event loop.

    def _changed(self, writable: bool) -> None:
        self.on_writable(writable)
        if not writable and (self._retrying is None or self._retrying.done()):
            assert self._loop is not None
            self._retrying = self._loop.create_task(self._retry())

    async def _retry(self) -> None:
        assert self._loop is not None
        while not self.writable:
            await asyncio.sleep(RETRY)
            await self._loop.run_in_executor(self._thread, self._move_to_file)

    async def _close(self) -> None:
        if self._retrying is not None:
            self._retrying.cancel()
        assert self._loop is not None
        await asyncio.shield(self._loop.run_in_executor(self._thread, self._shut))
        self._thread.shutdown(wait=False)


def _transaction(
    connection: sqlite3.Connection,
    function: Callable[Concatenate[sqlite3.Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = function(connection, *args, **kwargs)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have rolled back by themselves
            connection.execute("ROLLBACK")
        raise
    return result


def _close(connection: sqlite3.Connection) -> None:
    try:
        connection.close()
    except sqlite3.Error as exc:
        _log.warning("database.close_failed", error=str(exc))
