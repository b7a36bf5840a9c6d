"""Stories of probes that come to no verdict, and of those that have to fail."""

import asyncio

import pytest

from sidecar.checks import CheckFailed, CheckUnknown, ProbeContext
from sidecar.model.checks import CheckStatus
from sidecar.model.families import CHECK_UNDECIDED, CHECK_UP, PROBE_PHASE, PROBE_SUCCESS, PROBES_RUNNING
from sidecar.model.heartbeats import Heard
from sidecar.secrets import SecretError
from tests.services.desk import Scripted, Target, fail, hang


async def wait(ctx: ProbeContext) -> None:
    ctx.record(PROBE_PHASE, 0.1, phase="connect")
    raise CheckUnknown("waiting", "no call came yet, expected one within an hour")


async def answer(ctx: ProbeContext) -> None:
    """A peer that is well."""


class Changing:
    """A target that does what it is told."""

    def __init__(self) -> None:
        self.does = answer

    async def __call__(self, ctx: ProbeContext) -> None:
        await self.does(ctx)


async def test_no_verdict_is_told_in_a_counter_alone(probing):
    """A probe without a verdict ends what spoke of success and state; what it measured stays, and it is counted."""
    target = Changing()
    desk = probing(Scripted(name="job", does=target))
    await asyncio.sleep(20)
    assert desk.names("job")[-1] == "sidecar_check_up"

    target.does = wait
    await asyncio.sleep(15)

    assert desk.names("job") == ["probe_phase_seconds", "sidecar_check_undecided_total"]
    assert desk.batches[-1].whole
    assert desk.batches[-1].updates[-1].labels["reason"] == "waiting"
    state = desk.state("job")
    assert (state.status, state.reason, state.last.message) == (
        CheckStatus.UNKNOWN,
        "waiting",
        "no call came yet, expected one within an hour",
    )
    assert desk.changes[-1][2], "whoever evaluates hears of it"


@pytest.mark.parametrize("reason", ["", "no call came since 12:03:17", "Waiting", "x" * 41])
async def test_a_reason_is_a_word(probing, reason):
    """What is no word of a list becomes no label: each would be another series."""

    async def explain(ctx: ProbeContext) -> None:
        raise CheckUnknown(reason, "no call came")

    desk = probing(Scripted(name="job", does=explain))
    await asyncio.sleep(1)

    assert desk.state("job").reason == desk.batches[0].updates[-1].labels["reason"] == "unknown"


async def test_who_keeps_saying_unknown_does_not_lapse(probing):
    """Its results do not stay away: they come, at their interval, and say that nothing is known."""
    desk = probing(Scripted(name="job", does=wait))

    await asyncio.sleep(600)

    assert len(desk.values(CHECK_UNDECIDED)) == 41
    assert desk.lapses == []
    assert sum(changed for _, _, changed in desk.changes) == 1
    assert desk.state("job").since == desk.batches[0].at


async def test_a_row_of_failures_does_not_go_on_over_it(probing):
    """One failure, no verdict and one failure are not two failures in a row."""
    target = Changing()
    desk = probing(Scripted(name="job", does=target))
    await asyncio.sleep(20)

    for does in (fail, wait, fail):
        target.does = does
        await desk.prober.run_now("job")
        assert desk.status("job") is not CheckStatus.DOWN
    await desk.prober.run_now("job")

    assert desk.status("job") is CheckStatus.DOWN


@pytest.mark.parametrize(
    ("does", "error_type", "message"),
    [
        pytest.param(answer, "assertion", "the probe succeeded, expected a failure", id="an answer is the failure"),
        pytest.param(fail, "", "", id="a refusal is the success"),
        pytest.param(hang, "", "", id="and so is silence"),
    ],
)
async def test_a_negative_check(probing, does, error_type, message):
    """What has to be refused is well while it is."""
    desk = probing(Scripted(name="closed port", does=does, negative=True, failure_threshold=1))
    await asyncio.sleep(20)

    last = desk.state("closed port").last
    assert (last.error_type, last.message) == (error_type, message)
    assert desk.status("closed port") is (CheckStatus.DOWN if error_type else CheckStatus.UP)
    assert desk.values(PROBE_SUCCESS)[0] == (0.0 if error_type else 1.0)


async def test_a_refusal_that_was_expected_is_noted(probing):
    """The reader sees how it was refused."""
    desk = probing(Scripted(name="closed port", does=fail, negative=True))
    await asyncio.sleep(1)

    assert desk.state("closed port").last.notes == {
        "refused": "connect: got a refused connection, expected an open port"
    }


def raising(error: BaseException, cause: BaseException | None = None) -> Scripted:
    async def do(ctx: ProbeContext) -> None:
        raise error from cause

    return Scripted(name="a", does=do, negative=True)


@pytest.mark.parametrize(
    ("check", "error_type"),
    [
        pytest.param(raising(KeyError("x")), "internal", id="a crash of ours"),
        pytest.param(raising(CheckFailed("bad_request", "no model")), "bad_request", id="a request that is wrong"),
        pytest.param(raising(CheckFailed("auth", "no file"), SecretError("no file")), "auth", id="a key we have not"),
        pytest.param(raising(CheckFailed("auth", "invalid x-api-key")), "", id="a key that is refused"),
        pytest.param(raising(CheckFailed("assertion", "got 403")), "", id="an answer that is not as it should be"),
        pytest.param(raising(CheckFailed("dns", "no such host")), "", id="a name that is not there"),
    ],
)
async def test_what_is_our_own_fault_is_no_refusal(probing, check, error_type):
    """A negative check is well when the peer refuses, not when we could not ask."""
    desk = probing(check)
    await asyncio.sleep(1)

    assert desk.state("a").last.error_type == error_type


async def test_no_verdict_stays_none_when_negated(probing):
    """The opposite of unknown is unknown."""
    desk = probing(Scripted(name="job", does=wait, negative=True))
    await asyncio.sleep(1)

    assert desk.state("job").reason == "waiting"


class Near(Scripted):
    """A check of this machine."""

    crosses_network = False


class Loopback(Scripted):
    """A check that never leaves it."""

    @property
    def target(self) -> str:
        return "127.0.0.1:6379"


async def test_nobody_is_blamed_for_our_own_network(probing):
    """While this machine is offline a failure of the network is no verdict; a success still is one."""
    online, target = [True], Changing()
    desk = probing(Scripted(name="far", does=target), offline=lambda: not online[0])
    await asyncio.sleep(20)
    assert desk.status("far") is CheckStatus.UP

    online[0] = False
    await asyncio.sleep(15)
    assert desk.status("far") is CheckStatus.UP, "it was reached, whatever else is not"
    target.does = fail
    await asyncio.sleep(15)
    state = desk.state("far")
    assert (state.status, state.reason) == (CheckStatus.UNKNOWN, "offline")
    assert state.last.message.startswith("this machine is offline, so nothing is known of the target: got a refused")
    online[0] = True
    await asyncio.sleep(20)
    assert desk.status("far") is CheckStatus.DOWN


async def test_what_needs_no_network_fails_also_offline(probing):
    """A target on this machine, and a failure that has seen its target, are judged as ever."""

    async def answer_wrongly(ctx: ProbeContext) -> None:
        raise CheckFailed("assertion", "got 500")

    desk = probing(
        Near(name="near", does=fail),
        Loopback(name="loopback", does=hang),
        Scripted(name="far", does=answer_wrongly),
        offline=lambda: True,
    )
    await asyncio.sleep(40)

    assert [desk.status(name) for name in ("near", "loopback", "far")] == [CheckStatus.DOWN] * 3


async def test_a_refusal_is_none_while_we_are_offline(probing):
    """A negative check that cannot reach its target has not been refused."""
    desk = probing(Scripted(name="closed port", does=fail, negative=True), offline=lambda: True)
    await asyncio.sleep(1)

    assert desk.state("closed port").reason == "offline"


async def test_a_failure_leaves_what_it_saw(probing):
    """The answer to a failed probe is kept with the phases, redacted; that of a success is not."""
    target = Changing()

    async def refuse(ctx: ProbeContext) -> None:
        ctx.phase("connect", 0.25)
        ctx.saw({"Server": "nginx", "Set-Cookie": "a=b"}, b"<h1>gone</h1>")
        raise CheckFailed("assertion", "got 410,\nexpected 200")

    desk = probing(Scripted(name="page", does=target))
    await asyncio.sleep(20)
    assert desk.state("page").last.evidence is None

    target.does = refuse
    await asyncio.sleep(30)
    target.does = answer
    await asyncio.sleep(30)

    failure = desk.state("page").last_failure
    assert failure.message == "got 410, ⏎ expected 200"
    assert failure.evidence.headers == {"server": "nginx", "set-cookie": "***"}
    assert (failure.evidence.body, failure.evidence.phases) == ("<h1>gone</h1>", {"connect": 0.25})
    assert desk.state("page").last.ok


async def test_a_check_hears_what_called_in_under_its_name(probing):
    """What was heard is asked for at each probe, when it begins."""
    heard: dict[str, Heard] = {}
    seen: list[tuple[str, float | None]] = []

    async def listen(ctx: ProbeContext) -> None:
        seen.append((ctx.heard.message, ctx.heard.succeeded))

    desk = probing(Scripted(name="job", does=listen), heard=lambda name: heard.get(name, Heard()))
    await asyncio.sleep(1)
    heard["job"] = Heard(succeeded=5.0, message="done")
    await desk.prober.run_now("job")

    assert seen == [("", None), ("done", 5.0)]


async def test_the_prober_s_own_metrics(probing):
    """How many probes run, how many may, and how long the latest had to wait; asking begins anew."""
    targets = [Target(takes=20.0) for _ in range(2)]
    checks = (Scripted(name=f"check {n}", does=target, timeout=60.0) for n, target in enumerate(targets))
    desk = probing(*checks, most=1)
    await asyncio.sleep(25)

    found = {update.family.name: update.value for update in desk.prober.report()}

    assert found[PROBES_RUNNING.name] == 1
    assert found["sidecar_probe_slots"] == 1
    assert found["sidecar_probe_longest_delay_seconds"] == pytest.approx(20.0 - 5.0, abs=0.1)
    assert desk.prober.report()[0].value == 0.0
    assert desk.values(CHECK_UP)
