"""Stories of jobs that call in, told by a whole daemon."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from sidecar.api import problems
from tests.scenarios.world import World


class Job:
    """A job, and the wire on which it calls."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self.world = world
        self.session = session
        self.served: object = None

    async def __call__(self, path: str = "", method: str = "POST", **more):
        app = self.world.app
        assert app is not None
        if self.served is not app:
            self.served = app
            server = web.Application(middlewares=[problems.in_json()])
            server.add_routes(app.routes(lambda: True))
            self.world.wire.serve("sidecar", server)
        url = f"http://sidecar/api/v1/heartbeats{path}"
        async with self.session.request(method, url, **more) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def call(wire, tmp_path):
    world = World(tmp_path, wire)
    async with aiohttp.ClientSession(connector=wire.connector(), raise_for_status=False) as session:
        yield Job(world, session)
    await world.stop()


def settings(world: World, **changes):
    job = {"type": "heartbeat", "name": "backup", "period": "1h", "grace": "5m", "max_runtime": "30m"} | changes
    return world.settings(checks=[job]) | {"rules": [{"pack": "heartbeats"}]}


async def test_a_job_that_stops_calling_and_calls_again(call):
    """Late at its second, and over with the call that comes."""
    await call.world.start(settings(call.world))
    await call("/backup")
    await asyncio.sleep(3899)
    assert call.world.story() == []

    await asyncio.sleep(17)
    assert call.world.story() == ["opening"]
    assert call.world.heard[0].alerts == ["HeartbeatMissed"]

    status, answer = await call("/backup", data="42 rows")
    assert (status, answer["data"]["message"]) == (200, "42 rows")
    await asyncio.sleep(2)
    assert call.world.story() == ["opening", "resolve"]


async def test_a_job_that_fails(call):
    """Its failure is told at once, with what it said; another start is no recovery."""
    await call.world.start(settings(call.world))
    await call("/backup")
    await asyncio.sleep(60)

    await call("/backup/3", data="disk full")
    await asyncio.sleep(2)
    await call("/backup/start")
    await asyncio.sleep(20)
    assert [heard.alerts for heard in call.world.heard] == [["HeartbeatFailed"]]
    assert "exit code 3" in str(call.world.heard[0].body)

    await call("/backup?exit_code=0")
    await asyncio.sleep(2)
    assert call.world.story() == ["opening", "resolve"]


async def test_a_job_that_does_not_end(call):
    """A start without an end is told when the longest run is over."""
    await call.world.start(settings(call.world))
    await call("/backup")
    await call("/backup/start")
    await asyncio.sleep(1799)
    assert call.world.story() == []

    await asyncio.sleep(17)
    assert [heard.alerts for heard in call.world.heard] == [["HeartbeatRunsTooLong"]]


async def test_who_never_called(call):
    """Nothing is known until a call, or a period and its grace."""
    await call.world.start(settings(call.world))
    await asyncio.sleep(3890)
    assert call.world.story() == []

    await asyncio.sleep(30)
    assert call.world.story() == ["opening"]


async def test_a_restart_forgets_no_call(call):
    """The hour is counted from the call, not from the restart."""
    await call.world.start(settings(call.world))
    await call("/backup")
    await asyncio.sleep(3000)
    await call.world.kill()
    await call.world.start(settings(call.world))
    await asyncio.sleep(880)
    assert call.world.story() == []

    await asyncio.sleep(60)
    assert call.world.story() == ["opening"]


async def test_being_away_makes_nobody_late(call):
    """A call that was due while we were away is not missed; the next one is."""
    await call.world.start(settings(call.world))
    await call("/backup")
    await asyncio.sleep(3500)
    await call.world.kill()
    await asyncio.sleep(1200)
    await call.world.start(settings(call.world))
    await asyncio.sleep(3800)
    assert call.world.story() == []

    await asyncio.sleep(200)
    assert call.world.story() == ["opening"]


async def test_a_reload_keeps_what_was_heard(call):
    """A job that stays is still known; one that is new is waited for, and one that is gone is not."""
    await call.world.start(settings(call.world))
    await call("/backup", data="42 rows")

    await call.world.reload(settings(call.world, critical=True))
    assert (await call("/backup", "GET"))[1]["data"]["message"] == "42 rows"
    await call.world.reload(settings(call.world, name="report"))
    assert (await call("/backup"))[0] == 404
    assert (await call("/report"))[0] == 200


async def test_what_the_address_answers(call):
    """Names, calls and codes that cannot be are told apart; what was heard can be read."""
    await call.world.start(settings(call.world))

    assert (await call("/bakup"))[0] == 404
    assert "expected one of: backup" in (await call("/bakup"))[1]["error"]
    assert (await call("/bakup", "GET"))[0] == 404
    assert (await call("/backup?exit_code=256"))[0] == 400
    assert (await call("/backup?code=1"))[0] == 400
    assert (await call("/backup", "PUT"))[0] == 405
    assert (await call("/backup/start"))[1]["data"]["running_since"] is not None
    await asyncio.sleep(30)
    assert (await call("/backup", data=b"\xff" * 100_000))[1]["data"]["last_duration"] == 30.0
    ((one,),) = [(await call("", "GET"))[1]["data"]]
    assert one["late"] - one["due"] == 300.0
    for _ in range(60):
        status, _ = await call("/backup")
    assert status == 429
