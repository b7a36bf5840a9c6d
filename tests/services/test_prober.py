"""Stories of checks, in virtual time."""

import asyncio
import itertools

import pytest
import structlog

from sidecar.checks import ProbeContext
from sidecar.checks.http import HttpCheck
from sidecar.model.checks import CheckStatus
from sidecar.model.families import (
    CHECK_UP,
    CLAUDE_TOKENS,
    PROBE_DURATION,
    PROBE_LATENCY,
    PROBE_PHASE,
    PROBE_STATUS,
    PROBE_SUCCESS,
    PROBES_MISSED,
)
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch
from sidecar.outbound import Outbound
from sidecar.services.prober import Prober, UnknownCheck
from sidecar.services.probing import labels as labels_of
from sidecar.testing import START, VirtualTimeLoop
from tests.services.desk import Scripted, Target, fail, hang, now


async def test_an_hour_at_fifteen_seconds_is_240_probes(probing):
    """Probes come at their interval, without drift and without jitter."""
    target = Target(takes=0.3)
    desk = probing(Scripted(name="gateway", does=target))

    await asyncio.sleep(3600)

    assert len(target.probed) in (240, 241)
    gaps = [later - run for run, later in itertools.pairwise(target.probed[1:])]
    assert gaps == pytest.approx([15.0] * len(gaps), abs=0.01)
    assert desk.values(PROBE_SUCCESS) == [1.0] * len(target.probed)


async def test_a_success_is_a_batch_of_the_check_s_series(probing):
    """A probe that succeeds emits what it measured, under the check's labels, at its end."""

    async def measure(ctx: ProbeContext) -> None:
        ctx.record(PROBE_STATUS, 200)
        ctx.record(CLAUDE_TOKENS, 3, model="claude", token_type="output")
        with ctx.timed("connect"):
            await asyncio.sleep(0.25)
        ctx.phase("tls", 0.5)
        ctx.note(request_id="req_1")

    desk = probing(Scripted(name="gateway", does=measure, critical=True, labels={"team": "ai"}))
    await asyncio.sleep(1)

    [batch] = desk.batches
    common = Labels(team="ai", check="gateway", type="scripted", target="test://gateway", critical="true")
    assert (batch.source, batch.at, batch.write, batch.whole) == ("check:gateway", START + 0.25, True, True)
    assert [(update.family, update.value, update.labels) for update in batch.updates] == [
        (PROBE_STATUS, 200, common),
        (CLAUDE_TOKENS, 3, common.with_(model="claude", token_type="output")),
        (PROBE_PHASE, 0.25, common.with_(phase="connect")),
        (PROBE_PHASE, 0.5, common.with_(phase="tls")),
        (PROBE_SUCCESS, 1.0, common),
        (PROBE_DURATION, 0.25, common),
        (PROBE_LATENCY, 0.25, common),
        (CHECK_UP, 1.0, common),
    ]
    assert desk.prober.states()["gateway"].last.notes == {"request_id": "req_1"}


async def test_a_failure_names_its_reason_on_the_counter_alone(probing):
    """A probe that fails keeps what it measured; the reason is no label of the gauge; the state is not yet known."""

    async def fail_late(ctx: ProbeContext) -> None:
        ctx.record(PROBE_STATUS, 503)
        with ctx.timed("connect"):
            await fail(ctx)

    desk = probing(Scripted(name="gateway", does=fail_late))
    await asyncio.sleep(1)

    [batch] = desk.batches
    by_name = {update.family.name: update for update in batch.updates}
    assert list(by_name) == [
        "probe_http_status_code",
        "probe_phase_seconds",
        "probe_success",
        "probe_duration_seconds",
        "probe_failures_total",
    ]
    assert by_name["probe_failures_total"].labels["error_type"] == "connect"
    assert "error_type" not in by_name["probe_success"].labels
    assert by_name["probe_success"].value == 0.0
    assert desk.prober.states()["gateway"].last_failure.message == "got a refused connection, expected an open port"


async def test_a_blip_leaves_the_check_up(probing):
    """One failure is confirmed after two seconds; a success then changes nothing."""
    target = Target()
    desk = probing(Scripted(name="gateway", does=target))
    await asyncio.sleep(20)
    so_far = len(target.probed)

    target.well = False
    while len(target.probed) == so_far:
        await asyncio.sleep(0.5)
    target.well = True
    await asyncio.sleep(60)

    failed, confirmed, after = target.probed[so_far : so_far + 3]
    assert confirmed - failed == pytest.approx(2.0, abs=0.01)
    assert after - failed == pytest.approx(15.0, abs=0.01)
    assert desk.status("gateway") is CheckStatus.UP
    assert set(desk.values(CHECK_UP)) == {1.0}


async def test_two_failures_are_down_and_one_success_is_up(probing):
    """An outage is down two seconds after its first failed probe, and up with the first success after it."""
    target = Target()
    desk = probing(Scripted(name="gateway", does=target))
    await asyncio.sleep(20)
    so_far = len(target.probed)

    target.well = False
    await asyncio.sleep(60)
    failed, confirmed, after = target.probed[so_far : so_far + 3]
    assert (confirmed - failed, after - failed) == pytest.approx((2.0, 15.0), abs=0.01)
    assert desk.status("gateway") is CheckStatus.DOWN
    assert desk.prober.states()["gateway"].since == pytest.approx(START + confirmed, abs=0.01)

    target.well = True
    await asyncio.sleep(20)
    assert desk.status("gateway") is CheckStatus.UP
    ups = [value for value, _ in itertools.groupby(desk.values(CHECK_UP))]
    assert ups == [1.0, 0.0, 1.0]


async def test_whoever_evaluates_hears_what_changed(probing):
    """Each probe is told after its batch; changed is what differs in success or state."""
    target = Target()
    desk = probing(Scripted(name="gateway", does=target))
    await asyncio.sleep(20)
    target.well = False
    await asyncio.sleep(40)

    assert [changed for _, _, changed in desk.changes] == [True, False, True, True, False, False]
    assert [at for _, at, _ in desk.changes] == [batch.at for batch in desk.batches]


async def test_a_check_that_hangs_times_out_and_delays_nobody(probing):
    """A hanging check is a failed probe of its own; the others keep their cadence."""
    target = Target()
    desk = probing(Scripted(name="hangs", does=hang), Scripted(name="gateway", does=target))

    await asyncio.sleep(600)

    assert len(target.probed) in (40, 41)
    assert desk.prober.states()["hangs"].last_failure.error_type == "timeout"
    assert desk.prober.states()["hangs"].last_failure.message == "got no result, expected one within 10s"
    assert desk.values(PROBE_DURATION, "hangs")[0] == 10.0
    assert desk.status("hangs") is CheckStatus.DOWN
    assert desk.values(PROBES_MISSED) == []


async def test_no_more_probes_run_at_once_than_allowed(probing):
    """The bound on parallel probes holds; time in the queue does not count as the probe's."""
    running = most = 0

    async def count(ctx: ProbeContext) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(8)
        running -= 1

    desk = probing(*(Scripted(name=f"check {n}", does=count, every=300.0) for n in range(8)), most=3)
    await asyncio.sleep(50)

    assert most == 3
    assert desk.values(PROBE_SUCCESS) == [1.0] * 8
    assert desk.values(PROBE_DURATION) == pytest.approx([8.0] * 8)


async def test_a_slow_target_is_no_fault_of_ours(probing):
    """A probe that takes longer than its interval, within its timeout, runs when it can and counts as no missed one."""
    target = Target(takes=20.0)
    desk = probing(Scripted(name="slow", does=target, timeout=60.0))

    await asyncio.sleep(300)

    assert len(target.probed) == 10
    assert desk.values(PROBES_MISSED) == []


async def test_a_turn_that_comes_while_the_probe_waits_for_a_slot_is_missed_and_counted(probing):
    """What could not run because too much else ran is counted."""
    targets = [Target(takes=20.0) for _ in range(4)]
    checks = (Scripted(name=f"check {n}", does=target, timeout=60.0) for n, target in enumerate(targets))
    desk = probing(*checks, most=1)

    await asyncio.sleep(300)

    assert sum(len(target.probed) for target in targets) == 15
    assert len(desk.values(PROBES_MISSED)) > 10
    missed = [batch for batch in desk.batches if batch.updates[0].family is PROBES_MISSED]
    assert all(not batch.whole and not batch.write for batch in missed)


async def test_first_probes_are_spread_over_ten_seconds(probing):
    """At the start every check is probed soon, but not all at the same instant."""
    targets = {f"check {n}": Target() for n in range(20)}
    probing(*(Scripted(name=name, does=target, every=300.0) for name, target in targets.items()))

    await asyncio.sleep(10)

    starts = [target.probed[0] for target in targets.values()]
    assert starts == pytest.approx([n * 0.5 for n in range(20)], abs=0.01)


async def test_a_fast_check_shortens_the_spread(probing):
    """The first probes are not spread wider than the shortest interval."""
    targets = [Target(), Target()]
    probing(Scripted(name="fast", does=targets[0], every=2.0), Scripted(name="slow", does=targets[1], every=300.0))

    await asyncio.sleep(1.5)

    assert [target.probed[0] for target in targets] == pytest.approx([0.0, 1.0], abs=0.01)


@pytest.mark.parametrize("hours", [pytest.param([1], id="forward"), pytest.param([-1, 1], id="back and forward")])
async def test_a_step_of_the_clock_keeps_the_cadence(probing, hours):
    """An hour's step of the wall costs no probe and adds none."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    target = Target()
    desk = probing(Scripted(name="gateway", does=target))

    for hour in hours:
        await asyncio.sleep(1000)
        loop.step_wall(hour * 3600)
    await asyncio.sleep(3600 - loop.time())

    assert len(target.probed) in (240, 241)
    assert desk.status("gateway") is CheckStatus.UP
    assert desk.lapses == []


async def test_a_check_without_results_becomes_unknown(probing):
    """A probe that ignores its own timeout leaves the check without a result: its gauges end, and it says unknown."""
    stuck = asyncio.Event()
    well = True

    async def ignore(ctx: ProbeContext) -> None:
        while not well and not stuck.is_set():
            try:
                await stuck.wait()
            except asyncio.CancelledError:
                continue  # it will not be told

    desk = probing(Scripted(name="gateway", does=ignore))
    await asyncio.sleep(30)
    heard = desk.batches[-1].at
    well = False

    await asyncio.sleep(60)

    assert desk.status("gateway") is CheckStatus.UNKNOWN
    [(source, at)] = desk.lapses
    assert source == "check:gateway"
    assert 40 <= at - heard <= 41.5
    assert desk.changes[-1] == ("gateway", at, True)
    stuck.set()
    await asyncio.sleep(60)
    assert desk.status("gateway") is CheckStatus.UP


@pytest.mark.parametrize(
    "crash",
    [
        pytest.param(KeyError("sk-ant-secret"), id="an error"),
        pytest.param(SystemExit(3), id="an exit"),
        pytest.param(asyncio.CancelledError(), id="a cancellation of its own making"),
    ],
)
async def test_a_plug_in_that_crashes_is_a_failed_probe(probing, crash):
    """Whatever a check's code raises is a failure with the word internal; the log has it, the message no secret."""

    async def raise_it(ctx: ProbeContext) -> None:
        raise crash

    with structlog.testing.capture_logs() as logs:
        desk = probing(Scripted(name="broken", does=raise_it), Scripted(name="gateway"))
        await asyncio.sleep(30)

    failure = desk.prober.states()["broken"].last_failure
    assert failure.error_type == "internal"
    assert type(crash).__name__ in failure.message
    assert "sk-ant" not in failure.message
    assert [log["log_level"] for log in logs if log["event"] == "probe.crashed"][:1] == ["error"]
    assert desk.status("broken") is CheckStatus.DOWN
    assert desk.status("gateway") is CheckStatus.UP


async def test_an_error_of_our_own_ends_the_prober(clock):
    """When the store refuses to work the prober does not go on as if nothing had happened."""

    def emit(batch: Batch) -> None:
        raise RuntimeError("the store is broken")

    def hear(*_: object) -> None: ...

    prober = Prober([Scripted(name="gateway")], clock, Outbound(), emit=emit, lapse=hear, on_change=hear)

    with pytest.raises(RuntimeError, match="the store is broken"):
        await prober.run()


async def test_a_probe_can_be_asked_for(probing):
    """`run_now` probes at once, or joins the probe that is running, and answers with the state."""
    target = Target(takes=1.0)
    desk = probing(Scripted(name="gateway", does=target, every=300.0))
    await asyncio.sleep(0.5)

    joined = await desk.prober.run_now("gateway")
    assert (joined.status, len(target.probed), now()) == (CheckStatus.UP, 1, 1.0)
    asked = await desk.prober.run_now("gateway")
    assert (asked.successes, len(target.probed)) == (2, 2)
    with pytest.raises(UnknownCheck, match="expected one of: gateway"):
        await desk.prober.run_now("gate")


@pytest.mark.parametrize(
    ("takes", "results", "ended"),
    [
        pytest.param(3.0, [1.0], 3.0, id="what ends in time is emitted"),
        pytest.param(30.0, [], 6.0, id="what does not is given up after five seconds"),
    ],
)
async def test_stopping_waits_for_running_probes(probing, takes, results, ended):
    """A cancelled prober starts nothing more and lets what is running end, for five seconds."""
    target = Target(takes=takes)
    desk = probing(Scripted(name="gateway", does=target, timeout=60.0))
    await asyncio.sleep(1)

    desk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await desk.task

    assert now() == ended
    assert desk.values(PROBE_SUCCESS) == results
    await asyncio.sleep(100)
    assert len(target.probed) == 1


async def test_stopping_does_not_confirm(probing):
    """A failure that ends during the shutdown is emitted and not probed again."""
    target = Target(takes=1.0)
    target.well = False
    desk = probing(Scripted(name="gateway", does=target))
    await asyncio.sleep(0.5)

    desk.task.cancel()
    await asyncio.wait([desk.task])
    await asyncio.sleep(100)

    assert desk.values(PROBE_SUCCESS) == [0.0]
    assert len(target.probed) == 1


async def test_a_plug_in_that_cannot_be_cancelled_does_not_hold_the_process(probing):
    """The shutdown is bounded, even when a probe ignores being cancelled."""
    release = asyncio.Event()

    async def ignore(ctx: ProbeContext) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue  # it will not be told

    desk = probing(Scripted(name="gateway", does=ignore))
    await asyncio.sleep(1)

    desk.task.cancel()
    await asyncio.wait([desk.task])

    assert now() == 7.0
    release.set()
    await asyncio.sleep(1)


async def test_somebody_can_watch_that_it_turns(probing):
    """The prober says about once a second that it is alive."""
    turns: list[float] = []
    probing(Scripted(name="gateway"), turned=lambda: turns.append(now()))

    await asyncio.sleep(60.5)

    assert turns == pytest.approx([float(n) for n in range(61)])


@pytest.mark.parametrize(
    ("url", "scope", "pod"),
    [
        pytest.param("http://gateway/", None, "", id="a host that every pod can ask"),
        pytest.param("http://127.0.0.1:4000/", None, "pod-1", id="loopback is another thing on each pod"),
        pytest.param("http://[::1]:4000/", None, "pod-1", id="loopback in IPv6"),
        pytest.param("http://localhost/", None, "pod-1", id="localhost"),
        pytest.param("http://localhost/", "fleet", "", id="unless said otherwise"),
        pytest.param("http://gateway/", "pod", "pod-1", id="or asked for"),
    ],
)
def test_series_name_the_pod_where_pods_differ(url, scope, pod):
    """What each pod sees for itself carries `pod`; what all see alike does not, so that they agree on the alert."""
    check = HttpCheck(type="http", name="a", url=url, scope=scope)

    assert labels_of(check, "pod-1").text("pod") == pod
