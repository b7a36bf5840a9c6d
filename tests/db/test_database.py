"""The file: one transaction at a time, one daemon at a time, and memory when it fails."""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from sidecar.alerts.record import Record
from sidecar.clock import SystemClock
from sidecar.db import (
    Database,
    DatabaseError,
    DatabaseInUse,
    NewerDatabase,
    alerts,
    files,
    history,
    outbox,
    records,
    state,
)
from sidecar.model.notifications import NotifyKind
from tests.alerts.examples import NOON, firing, message

ROOT = Path(__file__).parents[2]
RECORD = Record("f", "hook", open=True, opened_at=NOON, told_at=NOON)


@pytest.fixture
def path(tmp_path):
    """Where the database is."""
    return tmp_path / "sidecar.db"


@pytest.fixture
async def heard() -> list[bool]:
    """What was said about whether the file can be written."""
    return []


@pytest.fixture
async def database(path, clock, heard):
    """An open database in a file."""
    async with Database(path, clock, on_writable=heard.append) as database:
        yield database


def put(connection: sqlite3.Connection, *checks: str) -> None:
    """An alert, a record and a message per check."""
    for check in checks:
        alerts.save(connection, [firing(check)])
        records.save(connection, [Record(firing(check).fingerprint, "hook", open=True, opened_at=NOON, told_at=NOON)])
        outbox.put(connection, [message(NotifyKind.OPENING, check)])


def checks(connection: sqlite3.Connection) -> list[str]:
    """The checks of which everything is there."""
    known = {record.fingerprint for record in records.load(connection)}
    waiting = {told.alert.fingerprint for row in outbox.waiting(connection) for told in row.notification.alerts}
    return sorted(alert.labels["check"] for alert in alerts.load(connection) if alert.fingerprint in known & waiting)


def waiting_in(path: Path) -> int:
    """How many messages wait in the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return len(outbox.waiting(connection))


def full(connection: sqlite3.Connection) -> None:
    """From now on the file may not grow."""
    connection.execute("PRAGMA max_page_count = 1")


def large(connection: sqlite3.Connection, text: str = "a") -> None:
    """More than there is room for in the pages that are there."""
    put(connection, *(text * 2000 + str(n) for n in range(20)))


async def test_what_was_written_is_found_again(path, clock):
    """What was committed is there for the next daemon."""
    async with Database(path, clock) as database:
        await database.run(put, "a")
    async with Database(path, clock) as database:
        assert await database.run(checks) == ["a"]


async def test_a_function_that_raises_has_written_nothing(database):
    """Everything in one call is one transaction."""

    def half(connection: sqlite3.Connection) -> None:
        put(connection, "a")
        raise KeyError("half")

    with pytest.raises(KeyError, match="half"):
        await database.run(half)

    assert await database.run(checks) == []
    assert database.writable


async def test_a_wrong_statement_is_our_own_mistake(database):
    """An error that is not the disk's does not move anything into memory."""
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        await database.run(lambda connection: connection.execute("SELECT * FROM nothing"))

    assert database.writable


async def test_a_database_without_a_path(clock):
    """Without a path everything works, in memory."""
    async with Database(None, clock) as database:
        await database.run(put, "a")
        assert await database.run(checks) == ["a"]
        assert database.writable


async def test_a_database_that_is_not_open(path, clock):
    """A query before the opening says what is missing."""
    with pytest.raises(DatabaseError, match="async with"):
        await Database(path, clock).run(checks)


async def test_one_daemon_per_file(database, path, clock):
    """A second daemon on the same file learns who has it, and leaves it alone."""
    second = Database(path, clock)

    with pytest.raises(DatabaseInUse) as caught:
        await second.__aenter__()

    assert str(path) in str(caught.value)
    assert f"process {os.getpid()} on {socket.gethostname()} since 2026-01-05T12:00:00+00:00" in str(caught.value)
    await database.run(put, "a")


async def test_a_file_system_without_locks(path, clock, monkeypatch):
    """Where files cannot be locked, the daemon works on the file all the same."""

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)

    async with Database(path, clock) as database:
        await database.run(put, "a")
        assert database.writable


async def test_a_newer_release_wrote_the_file(path, clock):
    """A file from the future is refused and left as it is."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(NewerDatabase, match=r"version 999, expected \d+ at most"):
        await Database(path, clock).__aenter__()

    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["no database", "a page"])
async def test_a_broken_file_is_moved_aside(path, clock, kind):
    """A file that is no sound database is kept under another name, and the daemon starts with a new one."""
    async with Database(path, clock) as database:
        await database.run(large)
    broken = bytearray(path.read_bytes())
    if kind == "no database":
        broken[:] = b"this is no database" * 1000
    else:
        broken[4096 : 4096 * 12] = os.urandom(4096 * 11)
    path.write_bytes(broken)

    async with Database(path, clock) as database:
        assert await database.run(checks) == []
        await database.run(put, "a")

    aside = path.with_name("sidecar.db.corrupt-20260105T120000Z")
    assert aside.read_bytes() == broken
    async with Database(path, clock) as database:
        assert await database.run(checks) == ["a"]


async def test_a_full_disk_stops_nothing(database, path, heard):
    """When the file cannot grow, everything goes on in memory; when it can, the file has all of it."""
    await database.run(put, "before")
    await database.run(full)
    await database.run(large)
    assert not database.writable
    await database.run(put, "after")
    assert {"before", "after"} <= set(await database.run(checks))
    await asyncio.sleep(29)
    assert heard == [False]

    await asyncio.sleep(2)  # the new connection has no limit

    assert heard == [False, True]
    assert database.writable
    assert len(await database.run(checks)) == 22
    await database.run(put, "later")
    copy = sqlite3.connect(path)
    assert len(checks(copy)) == 23
    copy.close()


async def test_the_file_is_tried_again_and_again(database, path, heard, monkeypatch):
    """The file is tried every 30 s, for as long as it takes."""
    await database.run(full)
    await database.run(large)
    real = files.open_file

    def refuse(path: Path, now: float) -> sqlite3.Connection:
        raise PermissionError("not yet")

    monkeypatch.setattr(files, "open_file", refuse)
    await asyncio.sleep(600)
    assert heard == [False]
    monkeypatch.setattr(files, "open_file", real)
    await asyncio.sleep(31)

    assert heard == [False, True]


async def test_a_failed_copy_leaves_everything_as_it_was(database, path, monkeypatch):
    """If the way back fails half way, memory goes on and the file is as it was."""
    await database.run(put, "before")
    await database.run(full)
    await database.run(large)
    real = files.open_file

    def still_full(path: Path, now: float) -> sqlite3.Connection:
        connection = real(path, now)
        full(connection)
        return connection

    monkeypatch.setattr(files, "open_file", still_full)
    await asyncio.sleep(31)

    assert not database.writable
    assert len(await database.run(checks)) == 21
    copy = sqlite3.connect(path)
    assert checks(copy) == ["before"]
    copy.close()


async def test_the_timeline_goes_on_in_the_file(database):
    """Of the timeline, memory knows the end; what came in memory is added to the file."""
    entries = [f"line {n}" for n in range(1500)]

    def write(connection: sqlite3.Connection, text: str) -> None:
        connection.execute(
            "INSERT INTO timeline (at, fingerprint, event, text, channel, message) VALUES (0, 'f', 'state', ?, '', '')",
            (text,),
        )

    for text in entries:
        await database.run(write, text)
    await database.run(full)
    await database.run(large)
    await database.run(write, "in memory")
    assert len(await database.run(history.latest, 5000)) == 1001

    await asyncio.sleep(31)

    found = [entry.text for entry in await database.run(history.latest, 5000)]
    assert found == [*entries, "in memory"]


async def test_a_stop_without_a_disk_tries_once_more(path, clock):
    """What lives in memory is written at the end, if the disk takes it by then."""
    async with Database(path, clock) as database:
        await database.run(full)
        await database.run(large)
        await database.run(put, "after")

    async with Database(path, clock) as database:
        assert "after" in await database.run(checks)


async def test_a_file_that_breaks_while_it_is_used(path, clock, heard):
    """A disk that does not even give back what it has leaves what the daemon knows by itself."""

    def rebuild(connection: sqlite3.Connection) -> None:
        put(connection, "known")

    async with Database(path, clock, on_writable=heard.append, rebuild=rebuild) as database:
        await database.run(large)
        await database.run(lambda connection: connection.execute("PRAGMA cache_size = 0"))
        for name in (path, path.with_name("sidecar.db-wal")):
            with name.open("r+b") as file:
                file.write(os.urandom(name.stat().st_size))
        await database.run(put, "new")
        assert not database.writable
        assert {"known", "new"} <= set(await database.run(checks))

        await asyncio.sleep(31)
        assert heard == [False, True]

    assert list(path.parent.glob("*.corrupt-*"))
    async with Database(path, clock) as database:
        assert {"known", "new"} <= set(await database.run(checks))


async def test_somebody_else_has_the_file_locked(database, path, monkeypatch, heard):
    """A transaction of somebody else does not hold up alerting for long."""
    await database.run(put, "a")
    await database.run(lambda connection: connection.execute("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    await database.run(put, "b")
    assert not database.writable
    assert await database.run(checks) == ["a", "b"]
    other.execute("ROLLBACK")
    await asyncio.sleep(31)

    assert database.writable
    assert checks(other) == ["a", "b"]
    other.close()


async def test_a_file_that_appears_later(path, clock):
    """What an unknown file holds for the channels is delivered; of the rest, what is known now wins."""
    async with Database(path, clock) as database:
        await database.run(put, "old")
    hidden = path.rename(path.with_name("hidden"))
    path.mkdir()  # there is no opening a folder

    async with Database(path, clock) as database:
        assert not database.writable
        await database.run(put, "new")
        path.rmdir()
        hidden.rename(path)
        await asyncio.sleep(31)

        waiting = [row.notification.alerts[0].alert.labels["check"] for row in await database.run(outbox.waiting)]
        assert waiting == ["old", "new"]
        assert await database.run(checks) == ["new"]

    assert waiting_in(path) == 2


async def test_calls_come_one_after_the_other(database):
    """Many callers at once all get their turn."""

    def count(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO meta (name, value) SELECT count(*), '' FROM meta")
        return int(connection.execute("SELECT count(*) FROM meta").fetchone()[0])

    assert await asyncio.gather(*(database.run(count) for _ in range(20))) == list(range(1, 21))


async def test_a_turn_is_one_transaction(database):
    """What a turn writes is found by the next start, with the time of the last sign of life."""
    found = await database.run(state.load)
    assert (found.saved_at, found.clean) == (None, False)


PROGRAM = """
import asyncio, json, os, resource, signal, sys
from sidecar.clock import SystemClock
from sidecar.db import Database
from tests.db.test_database import checks, large, put

async def main(path, what):
    if what == "hold":
        async with Database(path, SystemClock()):
            print("held", flush=True)
            await asyncio.sleep(60)
    if what == "full":
        async with Database(path, SystemClock()) as database:
            await database.run(put, "before")
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
            for _ in range(3):
                await database.run(large, "x")
            answer = [database.writable, len(await database.run(checks))]
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(json.dumps(answer))
    if what == "read-only":
        if os.getuid() == 0:
            os.setuid(65534)
        async with Database(path, SystemClock()) as database:
            await database.run(put, "new")
            answer = [database.writable, await database.run(checks)]
        print(json.dumps(answer))

asyncio.run(main(*sys.argv[1:]))
"""


def run(path: Path, what: str) -> subprocess.Popen[bytes]:
    """A process of its own that works on the database."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), what], cwd=ROOT, stdout=subprocess.PIPE)


def said(process: subprocess.Popen[bytes]) -> list[Any]:
    """What it printed at the end."""
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    answer: list[Any] = json.loads(output.splitlines()[-1])
    return answer


@pytest.mark.realtime
async def test_the_lock_of_a_killed_daemon_is_free(path):
    """Another process holds the file until it is killed; then it is free at once."""
    process = run(path, "hold")
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(DatabaseInUse, match=f"process {process.pid}"):
        await Database(path, SystemClock()).__aenter__()

    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    async with Database(path, SystemClock()) as database:
        await database.run(put, "a")


@pytest.mark.realtime
async def test_a_disk_that_is_really_full(path):
    """When the system refuses to let the file grow, nothing is lost, and at the end the file has it all."""
    assert said(run(path, "full")) == [False, 21]

    async with Database(path, SystemClock()) as database:
        assert len(await database.run(checks)) == 21


@pytest.mark.realtime
async def test_a_folder_that_cannot_be_written():
    """A file in a read-only folder is read, and what is new lives in memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "sidecar.db"
        async with Database(path, SystemClock()) as database:
            await database.run(put, "old")
        path.with_name("sidecar.db.lock").unlink()
        path.chmod(0o444)
        folder.chmod(0o555)

        assert said(run(path, "read-only")) == [False, ["new", "old"]]

        folder.chmod(0o755)


async def test_the_folder_is_made_and_the_file_is_ours_alone(tmp_path, clock):
    """A folder that is not there is made; what was told is for nobody else to read."""
    path = tmp_path / "var" / "lib" / "sidecar.db"

    async with Database(path, clock) as database:
        assert database.writable

    assert path.stat().st_mode & 0o077 == 0
