"""Histories of checks are kept, written and read again."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from sidecar.checks.tcp import TcpCheck
from sidecar.db import Database
from sidecar.db import uptime as table
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.families import CHECK_UPTIME
from sidecar.model.history import CheckHistory
from sidecar.model.samples import Batch
from sidecar.model.uptime import KEPT, Uptime
from sidecar.services.uptime import MOST_GONE, PERIOD, Uptimes

UP, DOWN, UNKNOWN = CheckState(CheckStatus.UP), CheckState(CheckStatus.DOWN), CheckState()
HOUR = 3600.0


def check(name: str, **more: object) -> TcpCheck:
    return TcpCheck(
        **{
            "type": "tcp",
            "name": name,
            "address": "gateway:80",
        }
        | ({"every": "30m"} if "cron" not in more else {})
        | more
    )


@pytest.fixture
async def database(clock, tmp_path):
    async with Database(tmp_path / "sidecar.db", clock) as database:
        yield database


@pytest.fixture
def build(clock, database):
    """Uptimes of checks by name, and what they emit."""

    def begin(*names, **more):
        batches: list[Batch] = []
        return Uptimes([check(name) for name in names], clock, database, emit=batches.append, **more), batches

    return begin


@asynccontextmanager
async def running(uptimes):
    """A service at work, ended as the daemon ends it."""
    task = asyncio.create_task(uptimes.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_it_is_written_once_a_minute(build, database, clock):
    """The file knows within a minute what was seen, and not before: a probe is no transaction."""
    uptimes, _ = build("gateway")
    async with running(uptimes):
        await asyncio.sleep(1)
        uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
        await asyncio.sleep(PERIOD / 2)
        assert await database.run(table.load) == {}
        await asyncio.sleep(PERIOD / 2)
        assert (await database.run(table.load))["gateway"].spans.until == pytest.approx(clock.time())


async def test_the_end_writes_the_rest(build, database, clock):
    """What was seen just before the daemon ends is not lost."""
    uptimes, _ = build("gateway")
    async with running(uptimes):
        uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))

    assert len((await database.run(table.load))["gateway"].outcomes) == 1


async def test_a_downtime_of_ours_is_neither(build, database, clock):
    """A check that was up when we went away counts as up until then, and from its next state on."""
    before, _ = build("gateway")
    async with running(before):
        before.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
        await asyncio.sleep(100)
    await asyncio.sleep(500)

    after, _ = build("gateway", remembered=await database.run(table.load))
    await asyncio.sleep(50)
    assert after.of("gateway").uptime(HOUR, clock.time()).up == pytest.approx(100)
    assert after.of("gateway").uptime(HOUR, clock.time()).down == 0
    after.learn("gateway", DOWN, ProbeResult(clock.time(), 0.1, "timeout"))
    await asyncio.sleep(25)

    found = after.of("gateway").uptime(HOUR, clock.time())
    assert (found.up, found.down) == pytest.approx((100, 25))


async def test_a_crash_loses_a_minute_at_most(build, database, clock):
    """What was not written down any more counts as neither, whatever the state was; a check that is well is written."""
    before, _ = build("gateway")
    async with running(before):
        before.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
        await asyncio.sleep(5 * PERIOD + 10)
        before.learn("gateway", DOWN, ProbeResult(clock.time(), 0.1, "timeout"))
        await asyncio.sleep(PERIOD - 20)
        saved = await database.run(table.load)

    after, _ = build("gateway", remembered=saved)

    found = after.of("gateway").uptime(HOUR, clock.time())
    assert (found.up, found.down) == (pytest.approx(5 * PERIOD, abs=0.1), 0)


async def test_a_clock_that_was_set_back_while_we_were_away(build, clock):
    """What was seen lies in the past, wherever the clock stands now."""
    ahead = clock.time() + 9000
    history = CheckHistory()
    history.learn(UP, ProbeResult(ahead, 0.1), ahead)
    history.become(CheckStatus.UNKNOWN, ahead + 100)

    uptimes, _ = build("gateway", remembered={"gateway": history})

    found = uptimes.of("gateway")
    assert found.uptime(HOUR, clock.time()) == Uptime(up=100)
    assert found.ends() == clock.time()
    assert found.recent(1)[0].at == clock.time() - 100


async def test_who_leaves_may_return(build, clock):
    """A check that a reload took away is remembered, and counts as neither meanwhile."""
    uptimes, _ = build("gateway", "other")
    uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
    await asyncio.sleep(100)
    uptimes.replace([check("other")])
    uptimes.learn("gateway", DOWN, ProbeResult(clock.time(), 0.1))
    assert len(uptimes.of("gateway").outcomes) == 0
    await asyncio.sleep(100)

    uptimes.replace([check("other"), check("gateway")])

    assert uptimes.of("gateway").uptime(HOUR, clock.time()) == Uptime(up=100)


async def test_who_left_is_forgotten_after_a_month(build, database, clock):
    """Nobody grows the file for ever: what is older than any window goes."""
    now = clock.time()
    saved = {"gone": CheckHistory(), "old": CheckHistory(), "never seen": CheckHistory()}
    for name, ended in (("gone", now - KEPT + 600), ("old", now - KEPT - 600)):
        saved[name].become(CheckStatus.UP, ended - 100)
        saved[name].become(CheckStatus.UNKNOWN, ended)
    await database.run(table.save, [table.row(name, history) for name, history in saved.items()])

    uptimes, _ = build("gateway", remembered=saved)
    async with running(uptimes):
        await asyncio.sleep(PERIOD + 1)
        assert list(await database.run(table.load)) == ["gone"]
        await asyncio.sleep(600)
        assert await database.run(table.load) == {}


async def test_those_who_left_are_not_without_number(build, database, clock):
    """A configuration that names its checks anew each time fills neither memory nor file."""
    uptimes, _ = build()
    for batch in range(3):
        uptimes.replace([check(f"{batch}-{n}") for n in range(MOST_GONE)])
        for n in range(MOST_GONE):
            uptimes.learn(f"{batch}-{n}", UP, ProbeResult(clock.time(), 0.1))
        await asyncio.sleep(1)

    assert {row.name[0] for row in uptimes.rows()} == {"1", "2"}
    assert len(uptimes.rows()) == 2 * MOST_GONE


async def test_a_jump_of_the_clock_reaches_all(build, clock):
    """A machine that slept saw nothing."""
    uptimes, _ = build("gateway")
    uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
    await asyncio.sleep(100)

    uptimes.step(500.0, clock.time() + 500)

    assert uptimes.of("gateway").uptime(HOUR, clock.time() + 500) == Uptime(up=100)


async def test_it_is_measured_once_a_minute(build, clock):
    """Rules may ask for the share over a day, a week and a month, which is longer than the store looks back."""
    uptimes, batches = build("gateway", "silent")
    uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
    await asyncio.sleep(75)
    uptimes.learn("gateway", DOWN, ProbeResult(clock.time(), 0.1, "timeout"))
    await asyncio.sleep(25)
    async with running(uptimes):
        await asyncio.sleep(PERIOD + 1)

    first = {(update.family, *sorted(update.labels.items())): update.value for update in batches[0].updates}
    assert len(batches) == 2
    assert first == {(CHECK_UPTIME, ("check", "gateway"), ("window", window)): 0.75 for window in ("24h", "7d", "30d")}


async def test_a_check_that_leaves_is_not_measured_any_more(build, clock):
    """At once, not within a minute: a rule must not fire about a check that there is not."""
    uptimes, batches = build("gateway", "other")
    for name in ("gateway", "other"):
        uptimes.learn(name, UP, ProbeResult(clock.time() - 10, 0.1))
    async with running(uptimes):
        await asyncio.sleep(1)
        uptimes.replace([check("other")])

        assert {update.labels["check"] for update in batches[-1].updates} == {"other"}
        assert batches[-1].whole
        uptimes.replace([check("other")])
        assert len(batches) == 2, "nothing has changed"


async def test_many_checks_are_measured_in_pieces(build, clock):
    """Others get a turn meanwhile, and a reload in it takes its checks out of what is told."""
    names = [f"check-{n}" for n in range(250)]
    uptimes, batches = build(*names)
    for name in names:
        uptimes.learn(name, UP, ProbeResult(clock.time() - 10, 0.1))
    async with running(uptimes):
        assert [len(batch.updates) for batch in batches] == [300]
        uptimes.replace([check(name) for name in (*names[:50], *names[150:200])])
        await asyncio.sleep(1)

    # Who left is told of no more: of the first hundred half are left, and no more come than are there.
    assert [(len(batch.updates), batch.whole) for batch in batches] == [
        (300, False),
        (150, True),
        (150, False),
        (0, False),
    ]


async def test_what_is_not_known_any_more_is_not_told(build, clock):
    """The share of a day ends when a day has passed in which nobody saw the check."""
    uptimes, batches = build("gateway")
    uptimes.learn("gateway", UP, ProbeResult(clock.time() - 10, 0.1))
    uptimes.learn("gateway", UNKNOWN, None)
    async with running(uptimes):
        await asyncio.sleep(86400 + 2 * PERIOD)

    whole = [batch for batch in batches if batch.whole]
    assert [{update.labels["window"] for update in batch.updates} for batch in whole] == [{"7d", "30d"}]


@pytest.mark.parametrize(
    ("schedule", "up"),
    [
        pytest.param({"every": "15s", "timeout": "10s"}, 40, id="twice its interval and its timeout"),
        pytest.param({"cron": "@daily"}, HOUR, id="by a calendar, until the next run"),
    ],
)
async def test_a_result_holds_for_a_while(build, clock, database, schedule, up):
    """A process that was frozen for an hour saw nothing in it, whatever the first probe after it says."""
    uptimes = Uptimes([check("gateway", **schedule)], clock, database, emit=lambda _: None)
    uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
    await asyncio.sleep(HOUR)
    assert uptimes.of("gateway").uptime(2 * HOUR, clock.time()) == Uptime(up=up)

    uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
    await asyncio.sleep(10)

    assert uptimes.of("gateway").uptime(2 * HOUR, clock.time()) == Uptime(up=up + 10)


async def test_a_writing_that_was_cut_short_is_made_up_for(build, database, clock):
    """Who is told to end while the database is busy loses nothing, also of checks that are unknown now."""
    uptimes, _ = build("gateway")
    busy = threading.Event()
    async with running(uptimes):
        uptimes.learn("gateway", UP, ProbeResult(clock.time(), 0.1))
        await asyncio.sleep(PERIOD - 10)
        uptimes.learn("gateway", UNKNOWN, None)
        await asyncio.sleep(5)
        first = asyncio.create_task(database.run(lambda _: busy.wait(10)))
        saving = asyncio.create_task(uptimes._save())  # as the minute does
        await asyncio.sleep(0)
        saving.cancel()
        await asyncio.sleep(0)
        busy.set()
        await first

    assert (await database.run(table.load))["gateway"].uptime(HOUR, clock.time()).up == PERIOD - 10
