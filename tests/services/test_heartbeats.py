"""Calls are taken, judged at once, and remembered."""

import asyncio

import pytest

from sidecar.checks.heartbeat import HeartbeatCheck
from sidecar.db import Database
from sidecar.db import heartbeats as table
from sidecar.db.heartbeats import Remembered
from sidecar.model.heartbeats import Call, Heard, TooManyCalls, UnknownHeartbeat
from sidecar.secrets import Secret
from sidecar.services.heartbeats import Heartbeats


def job(name: str = "backup", **settings) -> HeartbeatCheck:
    return HeartbeatCheck.model_validate({"name": name, "period": "1h"} | settings)


@pytest.fixture
async def database(clock, tmp_path):
    async with Database(tmp_path / "sidecar.db", clock) as database:
        yield database


@pytest.fixture
def listen(clock, database):
    """Heartbeats for some checks, and the names that were judged."""

    def begin(*checks, **more):
        judged: list[str] = []

        async def run_now(name):
            judged.append(name)

        return Heartbeats(checks or (job(),), clock, database, run_now=run_now, **more), judged

    return begin


async def saved(database) -> dict[str, Heard]:
    return {row.name: row.heard for row in await database.run(table.load)}


async def test_a_call_is_judged_at_once_and_written_soon(listen, database, clock):
    """Who called is probed without waiting for its turn; the file knows it soon after."""
    jobs, judged = listen()
    task = asyncio.create_task(jobs.run())

    jobs.call("backup", Call.SUCCESS, "42 rows")
    await asyncio.sleep(1)

    assert judged == ["backup"]
    assert (await saved(database))["backup"] == jobs.heard("backup")
    assert jobs.heard("backup").succeeded == pytest.approx(clock.time() - 1, abs=0.1)
    task.cancel()


async def test_the_last_call_is_written_at_the_end(listen, database):
    """What was heard just before the daemon ends is not lost."""
    jobs, _ = listen()
    task = asyncio.create_task(jobs.run())
    await asyncio.sleep(1)

    jobs.call("backup", Call.FAIL, "no", 7)
    task.cancel()
    await asyncio.wait([task])

    assert (await saved(database))["backup"].exit_code == 7


async def test_what_was_heard_before_a_restart_counts(listen, clock):
    """A call from before is known, and so is that we were away."""
    now = clock.time()
    first, _ = listen()
    first.call("backup", Call.SUCCESS)
    rows = first.rows()

    quick, _ = listen(remembered=rows, away_since=now - 5)
    assert quick.heard("backup").succeeded == now
    assert not quick.heard("backup").waits

    await asyncio.sleep(3700)
    slow, _ = listen(remembered=rows, away_since=now + 10)
    assert slow.heard("backup").waits, "a call was due meanwhile"

    other, _ = listen(job(period="10m"), remembered=rows, away_since=clock.time() - 1)
    assert other.heard("backup").since == clock.time(), "what was late under other terms is waited for anew"
    assert not other.heard("backup").waits


async def test_what_nobody_waits_for_is_forgotten(listen, database):
    """A name that left the configuration leaves the file."""
    await database.run(table.save, [Remembered("gone", "", Heard(5.0))])
    jobs, _ = listen(remembered=await database.run(table.load))
    task = asyncio.create_task(jobs.run())
    await asyncio.sleep(1)

    assert set(await saved(database)) == {"backup"}
    jobs.replace([job("other")])
    await asyncio.sleep(1)
    assert set(await saved(database)) == {"other"}
    task.cancel()


async def test_a_reload_keeps_what_was_heard(listen, clock):
    """Other settings keep the calls; another period is counted from now."""
    jobs, _ = listen()
    jobs.call("backup", Call.SUCCESS)
    heard = jobs.heard("backup")
    await asyncio.sleep(1000)

    jobs.replace([job(critical=True), job("new")])
    assert jobs.heard("backup") == heard
    assert jobs.heard("new") == Heard(since=clock.time())

    jobs.replace([job(period="2m")])
    assert jobs.heard("backup").since == clock.time()
    assert jobs.heard("backup").succeeded == heard.succeeded


async def test_a_clock_that_jumps(listen, clock):
    """Forward we slept, back what was heard moves along."""
    jobs, _ = listen()
    jobs.call("backup", Call.SUCCESS)
    at = clock.time()

    jobs.step(-100.0, at - 100)
    assert jobs.heard("backup").succeeded == at - 100

    jobs.step(7200.0, at + 7100)
    assert jobs.heard("backup").waits


async def test_a_name_that_nobody_waits_for(listen):
    """The refusal lists the names that there are."""
    jobs, _ = listen(job("a"), job("b"))

    with pytest.raises(UnknownHeartbeat, match="got a call for 'c', expected one of: a, b"):
        jobs.call("c", Call.SUCCESS)
    jobs.replace([])
    with pytest.raises(UnknownHeartbeat, match="add a check of the type heartbeat"):
        jobs.call("a", Call.SUCCESS)


async def test_too_many_calls(listen):
    """A loop that has gone wild is refused, under that name alone, until it is quiet for a while."""
    jobs, _ = listen(job("wild"), job("calm"))
    for _ in range(60):
        jobs.call("wild", Call.START)

    with pytest.raises(TooManyCalls, match="expected one a second"):
        jobs.call("wild", Call.START)
    jobs.call("calm", Call.SUCCESS)
    await asyncio.sleep(2)
    jobs.call("wild", Call.SUCCESS)


async def test_no_secret_is_remembered(listen):
    """A message is redacted before anything keeps it, and cut."""
    Secret("hunter2-hunter2")
    jobs, _ = listen()

    heard = jobs.call("backup", Call.FAIL, "password hunter2-hunter2 " + "x" * 5000)

    assert heard.message.startswith("password *** x")
    assert len(heard.message) == 2048


async def test_rows_that_cannot_be_read_are_passed_over(database):
    """One bad row hides no other."""
    await database.run(table.save, [Remembered("good", "t", Heard(5.0, deaf=(1.0, 2.0)))])
    for name, body in (("a", "no json"), ("b", "[]"), ("c", "{}"), ("d", '{"since": "x"}')):
        await database.run(
            lambda connection, name=name, body=body: connection.execute(
                "INSERT INTO heartbeats VALUES (?, '', ?)", (name, body)
            )
        )

    assert await database.run(table.load) == (Remembered("good", "t", Heard(5.0, deaf=(1.0, 2.0))),)
