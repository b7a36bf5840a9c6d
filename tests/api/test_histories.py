"""What the API tells of a check's past."""

import asyncio

import pytest


async def test_how_long_a_check_was_up(world, api):
    """Each window has the share of what was seen, how much that is, and how long it was down; a restart is a gap."""
    await world.start()
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(60)
    await world.kill()
    await asyncio.sleep(600)
    world.status = 200
    await world.start()
    await asyncio.sleep(30.3)

    [check] = (await api.get("/api/v1/checks")).data

    assert list(check["uptime"]) == ["1h", "24h", "7d", "30d"]
    hour = check["uptime"]["1h"]
    assert hour["seen"] == pytest.approx(150, abs=20)
    assert hour["down"] == pytest.approx(58, abs=15)
    assert hour["ratio"] == pytest.approx(1 - hour["down"] / hour["seen"], abs=1e-4)
    assert check["uptime"]["30d"] == hour


async def test_nothing_was_seen_yet(world, api):
    """Without a state there is no share."""
    world.wire.hang("gateway")
    await world.start()

    check = (await api.get("/api/v1/checks/gateway")).data

    assert check["uptime"]["24h"] == {"ratio": None, "seen": 0.0, "down": 0.0}
    assert (check["recent"], check["latency"]) == ([], None)


async def test_the_last_probes(world, api):
    """A check tells its last probes with how long they took; a list of checks does so when it is asked to."""
    await world.start()
    await asyncio.sleep(45.3)
    world.status = 503
    await asyncio.sleep(15)

    one = (await api.get("/api/v1/checks/gateway")).data
    [plain] = (await api.get("/api/v1/checks")).data
    [short] = (await api.get("/api/v1/checks", {"recent": "2"})).data

    assert [probe["outcome"] for probe in one["recent"]] == ["success"] * 4 + ["failure"] * 2
    assert one["recent"][-1]["at"] == one["last_failure"]["at"]
    assert one["recent"][-1]["seconds"] == pytest.approx(one["last_failure"]["seconds"], abs=1e-4)
    assert one["latency"]["count"] == 4
    assert one["latency"]["least"] <= one["latency"]["median"] <= one["latency"]["most"]
    assert plain["recent"] == []
    assert short["recent"] == one["recent"][-2:]


@pytest.mark.parametrize("many", [pytest.param("61", id="too many"), pytest.param("-1", id="less than none")])
async def test_more_probes_than_there_are(world, api, many):
    """How many are kept is said to whoever asks for more."""
    await world.start()

    status, word, sentence = (await api.get("/api/v1/checks", {"recent": many})).error

    assert (status, word) == (400, "bad_data")
    assert "recent" in sentence
