"""Stories of checks that come, change and go while the prober runs."""

import asyncio
from itertools import pairwise

import pytest

from sidecar.checks import ProbeContext
from sidecar.model.checks import CheckStatus
from sidecar.model.families import PROBE_SUCCESS, PROBES_MISSED
from sidecar.outbound import Outbound
from sidecar.services.prober import UnknownCheck
from sidecar.testing import START
from tests.services.desk import Scripted, Target, now


def check(target: Target, name: str = "gateway", **settings: object) -> Scripted:
    return Scripted.model_validate({"name": name, "does": target, **settings})


async def test_an_equal_check_goes_on(probing):
    """A reload that changes nothing about a check leaves its schedule, its state and its running probe alone."""
    target, other = Target(takes=5.0), Target()
    desk = probing(check(target))
    await asyncio.sleep(1000)
    state = desk.state("gateway")

    for n in range(20):
        replaced = desk.prober.replace([check(target), *([check(other, "other")] if n % 2 else [])])
        await asyncio.sleep(37)

    assert (replaced.changed, replaced.relabelled) == ((), ())
    gaps = [later - run for run, later in pairwise(target.probed[1:])]
    assert gaps == pytest.approx([15.0] * len(gaps), abs=0.01)
    assert len(desk.values(PROBE_SUCCESS, "gateway")) == len(target.probed)
    assert desk.state("gateway").since == state.since


async def test_a_new_check_is_probed_at_once(probing):
    """Checks that come are probed within ten seconds, a little apart, and then on their grid."""
    targets = [Target() for _ in range(4)]
    desk = probing(check(Target(), "old", every="1h"))
    await asyncio.sleep(100)

    replaced = desk.prober.replace(
        [check(Target(), "old"), *(check(target, f"new {n}", every="1m") for n, target in enumerate(targets))]
    )
    await asyncio.sleep(10)

    assert replaced.added == tuple(f"new {n}" for n in range(4))
    assert replaced.begun == replaced.added
    assert [target.probed for target in targets] == [pytest.approx([at], abs=0.01) for at in (102, 104, 106, 108)]
    await asyncio.sleep(600)
    assert all(11 <= len(target.probed) <= 12 for target in targets)


async def test_a_check_that_is_gone_is_not_probed(probing):
    """What left the configuration is forgotten, and the caller learns whose series end."""
    target = Target()
    desk = probing(check(target), check(Target(), "other"))
    await asyncio.sleep(20)
    probed = len(target.probed)

    replaced = desk.prober.replace([check(Target(), "third")])
    await asyncio.sleep(600)

    assert replaced.gone == replaced.ended == ("gateway", "other")
    assert len(target.probed) == probed
    assert list(desk.prober.states()) == ["third"]
    assert desk.prober.next_run("gateway") is None
    with pytest.raises(UnknownCheck, match="expected one of: third"):
        await desk.prober.run_now("gateway")


async def test_the_result_of_a_check_that_is_gone_is_dropped(probing):
    """Its running probe ends, and nobody hears of it; whoever waits for it learns that the check is gone."""
    target = Target(takes=5.0)
    desk = probing(check(target))
    await asyncio.sleep(1)
    asked = asyncio.create_task(desk.prober.run_now("gateway"))
    await asyncio.sleep(0)

    desk.prober.replace([])
    await asyncio.sleep(60)

    assert (len(target.probed), desk.batches, desk.changes) == (1, [], [])
    with pytest.raises(UnknownCheck):
        await asked


class Overlap(Target):
    """Remembers how many probes of it ran at once."""

    running = most = 0

    async def __call__(self, ctx: ProbeContext) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await super().__call__(ctx)
        finally:
            self.running -= 1


async def test_a_changed_check_follows_its_predecessor(probing):
    """The old probe ends without a word, the new one begins then; whoever waits hears of the new one."""
    target = Overlap(takes=8.0)
    desk = probing(check(target))
    await asyncio.sleep(1)
    asked = asyncio.create_task(desk.prober.run_now("gateway"))
    await asyncio.sleep(0)

    replaced = desk.prober.replace([check(target, timeout="20s")])
    await asyncio.sleep(3)
    desk.prober.replace([check(target, timeout="21s")])
    await asyncio.sleep(14)

    assert (replaced.changed, replaced.ended) == (("gateway",), ())
    assert target.most == 1
    assert target.probed == pytest.approx([0.0, 8.0], abs=0.01)
    assert [batch.at for batch in desk.batches] == [START + 16.0]
    assert (await asked).last.at == START + 16.0
    assert desk.values(PROBES_MISSED) == []


async def test_a_predecessor_that_does_not_end_is_not_waited_for_for_ever(probing):
    """A plug-in that ignores its timeout holds its successor for no longer than that and a few seconds."""
    release = asyncio.Event()

    async def ignore(ctx: ProbeContext) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue  # it will not be told

    target = Target()
    desk = probing(Scripted(name="gateway", does=ignore))
    await asyncio.sleep(1)

    desk.prober.replace([check(target)])
    await asyncio.sleep(20)

    assert target.probed[0] == pytest.approx(16.0, abs=0.01)
    release.set()
    await asyncio.sleep(1)
    assert {batch.updates[0].value for batch in desk.batches} == {1.0}


@pytest.mark.parametrize(
    ("settings", "keeps", "relabelled"),
    [
        pytest.param({"every": "1m"}, True, False, id="another interval"),
        pytest.param({"timeout": "3s"}, True, False, id="another timeout"),
        pytest.param({"critical": True}, True, True, id="its weight, which is a label"),
        pytest.param({"labels": {"team": "ai"}}, False, True, id="other labels"),
        pytest.param({"scope": "pod"}, False, True, id="other pods' business"),
        pytest.param({"negative": True}, False, False, id="the opposite question"),
    ],
)
async def test_what_a_changed_check_keeps(probing, settings, keeps, relabelled):
    """Its state stays when the same thing is asked the same question; the series, when their labels do."""
    target = Target()
    desk = probing(check(target), pod="pod-1")
    await asyncio.sleep(60)
    state = desk.state("gateway")

    replaced = desk.prober.replace([check(target, **settings)])

    assert (desk.state("gateway") == state) is keeps
    assert desk.status("gateway") is (CheckStatus.UP if keeps else CheckStatus.UNKNOWN)
    assert replaced.relabelled == replaced.ended == replaced.begun == (("gateway",) if relabelled else ())
    assert [source for source, _ in desk.lapses] == ([] if keeps else ["check:gateway"])
    await asyncio.sleep(1)
    assert target.probed[-1] == pytest.approx(60.0)


async def test_a_state_that_was_kept_still_lapses(probing):
    """A changed check whose results stay away becomes unknown as any other."""
    release = asyncio.Event()
    target = Target()

    async def ignore(ctx: ProbeContext) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue  # it will not be told

    desk = probing(check(target))
    await asyncio.sleep(60)

    desk.prober.replace([Scripted(name="gateway", does=ignore)])
    await asyncio.sleep(39)
    assert desk.status("gateway") is CheckStatus.UP
    await asyncio.sleep(3)

    assert desk.state("gateway").reason == "lapsed"
    release.set()
    await asyncio.sleep(1)


async def test_a_change_into_the_night(probing):
    """A check that gets hours which are over is unknown from then on, and one that gets others is probed at once."""
    target = Target()
    desk = probing(check(target))
    await asyncio.sleep(60)

    desk.prober.replace([check(target, hours={"from": "20:00"})])
    assert desk.state("gateway").reason == "off_hours"
    assert len(desk.lapses) == 1
    probed = len(target.probed)
    await asyncio.sleep(60)
    assert len(target.probed) == probed

    desk.prober.replace([check(target, hours={"from": "11:00"})])
    await asyncio.sleep(1)
    assert desk.status("gateway") is CheckStatus.UP


async def test_another_zone_of_the_file(probing):
    """Checks that name no zone of their own follow the file's, also equal ones."""
    target, own = Target(), Target()
    checks = [
        check(target, hours={"from": "11:00", "to": "13:00"}),
        check(own, "own", hours={"from": "11:00", "to": "13:00"}, timezone="UTC"),
    ]
    desk = probing(*checks)
    await asyncio.sleep(60)

    desk.prober.replace(checks, timezone="Europe/Berlin")

    assert desk.state("gateway").reason == "off_hours"
    assert desk.status("own") is CheckStatus.UP
    assert desk.prober.next_run("gateway") == pytest.approx(START + 22 * 3600)


async def test_another_way_out(probing):
    """An equal check leaves by the new door from its next probe on."""
    doors: list[Outbound] = []

    async def leave(ctx: ProbeContext) -> None:
        doors.append(ctx.outbound)

    checks = [Scripted(name="gateway", does=leave)]
    desk = probing(*checks)
    await asyncio.sleep(1)
    other = Outbound()

    desk.prober.replace(checks, outbound=other)
    await asyncio.sleep(60)
    await other.close()

    assert doors[0] is not other
    assert set(doors[1:]) == {other}


async def test_checks_may_change_before_the_start(clock, probing):
    """What is replaced before the prober runs is probed when it does."""
    target = Target()
    desk = probing(check(Target(), "old"))
    desk.prober.replace([check(target)])

    await asyncio.sleep(1)

    assert len(target.probed) == 1
    assert list(desk.prober.states()) == ["gateway"]


async def test_a_check_that_comes_back_begins_anew(probing):
    """Removed and added again, it has no state until it is probed, and is probed once at a time."""
    target = Overlap(takes=5.0)
    desk = probing(check(target))
    await asyncio.sleep(61)

    desk.prober.replace([])
    desk.prober.replace([check(target)])

    assert desk.status("gateway") is CheckStatus.UNKNOWN
    await asyncio.sleep(60)
    assert desk.status("gateway") is CheckStatus.UP


async def test_the_end_waits_for_probes_of_checks_that_are_gone(probing):
    """Whatever was begun ends before the prober does, or is cancelled after five seconds."""
    ended: list[float] = []

    async def slow(ctx: ProbeContext) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(now())

    desk = probing(Scripted(name="gateway", does=slow, timeout=90.0))
    await asyncio.sleep(1)
    desk.prober.replace([])

    desk.task.cancel()
    await asyncio.wait([desk.task])

    assert ended == [6.0]
