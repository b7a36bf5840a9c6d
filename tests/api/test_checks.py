"""The checks over the API."""

import asyncio
from dataclasses import replace

import pytest

from sidecar.api.checks import reason
from sidecar.api.runs import FREE_GAP, PAID_GAP, PATIENCE
from sidecar.checks.tcp import TcpCheck
from sidecar.model.checks import OFFLINE, CheckState, CheckStatus, ProbeResult

PAID = {
    "type": "claude.messages",
    "name": "claude",
    "base_url": "http://gateway",
    "api_key": "sk-planted-secret",
    "every": "5m",
}


async def asked(api) -> float:
    """How often Claude was asked."""
    found = (await api.get("/api/v1/query", {"query": "sum(claude_requests_total)"})).data
    return float(found["result"][0]["value"][1])


async def test_every_check_in_short(world, api):
    """Each check says its state, since when, why, and what its last probe came to."""
    await world.start()
    await asyncio.sleep(20.3)

    [check] = (await api.get("/api/v1/checks")).data

    assert (check["name"], check["type"], check["state"]) == ("gateway", "http", "up")
    assert check["target"] == "http://gateway/health"
    assert check["critical"] is True
    assert check["reason"] == "the last probe succeeded"
    assert check["last"]["ok"] is True
    assert check["since"].endswith("Z")
    assert check["next_run"] > check["last"]["at"]


async def test_a_check_that_is_down_with_its_evidence(world, api):
    """One check says how many failures made it down, what the last one saw, its phases and its series."""
    await world.start()
    world.status = 503
    await asyncio.sleep(40.3)

    check = (await api.get("/api/v1/checks/gateway")).data

    assert check["state"] == "down"
    assert "failures in a row: " in check["reason"]
    assert check["last_failure"]["message"] in check["reason"]
    assert check["evidence"]["notes"]["status"] == 503
    assert "first_byte" in check["phases"]
    assert check["schedule"].startswith("every 15s")
    assert any(name.startswith("probe_success{") and value == 0 for name, value in check["series"].items())
    assert check["costs"] is False


def test_being_cut_off_is_said_once():
    """The probe's own words say already whose network is away."""
    check = TcpCheck(name="port", type="tcp", address="gateway:1")
    last = ProbeResult(1.0, 0.1, message="this machine is offline, so nothing is known: no connection", reason=OFFLINE)

    assert reason(check, CheckState(last=last, reason=OFFLINE)) == last.message
    assert reason(check, CheckState(last=replace(last, message=""), reason=OFFLINE)) == (
        "this machine's own network is away"
    )


@pytest.mark.parametrize(
    ("failures", "begins"),
    [
        pytest.param(1, "1 failure in a row: missed: no call", id="one"),
        pytest.param(2, "2 failures in a row: missed: no call", id="two"),
        pytest.param(0, "the last probes succeeded, but too few: missed: no call", id="none lately"),
    ],
)
def test_why_a_check_is_down(failures, begins):
    """How many failures there were, and what the last of them said."""
    check = TcpCheck(name="port", type="tcp", address="gateway:1")
    last = ProbeResult(1.0, 0.1, "missed", "no call")

    assert reason(check, CheckState(CheckStatus.DOWN, failures=failures, last=last, last_failure=last)) == begins


async def test_an_unknown_check(world, api):
    """A name that no check has is answered with the names that there are."""
    await world.start()

    assert (await api.get("/api/v1/checks/gatway")).error == (
        404,
        "not_found",
        "got the check 'gatway', expected one of: gateway",
    )


async def test_a_probe_on_request(world, api):
    """Whoever asks for a probe gets its result; the next one a moment later is refused, with the time to wait."""
    await world.start()
    await asyncio.sleep(5.3)
    before = world.probes

    run = await api.post("/api/v1/checks/gateway/run")
    again = await api.post("/api/v1/checks/gateway/run")

    assert run.data["finished"] is True
    assert run.data["check"]["state"] == "up"
    assert world.probes == before + 1
    assert again.error[:2] == (429, "too_many_requests")
    assert again.headers["Retry-After"] == "1"
    await asyncio.sleep(FREE_GAP)
    assert (await api.post("/api/v1/checks/gateway/run")).status == 200


async def test_those_who_ask_at_the_same_time_share_one_probe(world, api):
    """A probe that runs is joined, and costs once."""
    await world.start()
    await asyncio.sleep(5.3)
    before = world.probes

    runs = await asyncio.gather(*(api.post("/api/v1/checks/gateway/run") for _ in range(5)))

    assert [run.status for run in runs] == [200] * 5
    assert world.probes == before + 1


async def test_a_paid_probe_is_not_to_be_had_at_will(world, api):
    """Whoever asks for a probe that costs money too soon after the last one is refused: somebody pays for it."""
    await world.start(world.settings(checks=[PAID]))
    await asyncio.sleep(30.3)
    before = await asked(api)

    refused = await api.post("/api/v1/checks/claude/run")
    await asyncio.sleep(PAID_GAP)
    allowed = await api.post("/api/v1/checks/claude/run")

    assert refused.error[0] == 429
    assert "each probe costs money" in refused.error[2]
    assert int(refused.headers["Retry-After"]) <= PAID_GAP
    assert allowed.data["finished"] is True
    assert await asked(api) == before + 1
    assert "sk-planted-secret" not in str(allowed.body)


async def test_a_probe_that_takes_long_is_not_waited_for(world, api):
    """Whoever asks for a probe that hangs is told so after a while; the probe goes on."""
    await world.start(
        world.settings(
            checks=[{"type": "http", "name": "slow", "url": "http://slow/", "timeout": "60s", "every": "10m"}]
        )
    )

    class Silent(asyncio.Protocol):
        pass

    world.wire.raw("slow", Silent)
    await asyncio.sleep(300.3)
    began = asyncio.get_running_loop().time()

    run = await api.post("/api/v1/checks/slow/run")

    assert run.status == 202
    assert run.data["finished"] is False
    assert asyncio.get_running_loop().time() - began == pytest.approx(PATIENCE, abs=1)
