"""Stories of checks with a calendar, in virtual time. It begins on a Monday, at 12:00 UTC."""

import asyncio

import pytest

from sidecar.checks import ProbeContext
from sidecar.model.checks import CheckStatus
from sidecar.model.families import PROBE_SUCCESS
from sidecar.testing import START
from tests.services.desk import Scripted, Target, now, step_wall

HOUR = 3600.0


def check(target: Target, **settings: object) -> Scripted:
    return Scripted.model_validate({"name": "gateway", "does": target, **settings})


async def test_a_cron_expression_says_when(probing):
    """One probe at the start, then one at each time of the expression, to the second."""
    target = Target()
    probing(check(target, cron="*/20 * * * *"))

    await asyncio.sleep(2 * HOUR + 1)

    assert target.probed == pytest.approx([0.0, 1200, 2400, 3600, 4800, 6000, 7200], abs=0.1)


@pytest.mark.parametrize(
    ("settings", "hour"),
    [
        pytest.param({}, 2.0, id="the file's zone"),
        pytest.param({"timezone": "Europe/Lisbon"}, 3.0, id="the check's own"),
    ],
)
async def test_a_cron_expression_has_a_zone(probing, settings, hour):
    """Three in the afternoon is where the check says, else where the file does."""
    target = Target()
    probing(check(target, cron="0 15 * * *", **settings), timezone="Europe/Berlin")

    await asyncio.sleep(4 * HOUR)

    assert target.probed == pytest.approx([0.0, hour * HOUR], abs=0.1)


async def test_a_failure_by_cron_is_confirmed(probing):
    """The second probe comes after two seconds, not at the expression's next time."""
    target = Target()
    target.well = False
    desk = probing(check(target, cron="0 * * * *"))

    await asyncio.sleep(30)

    assert target.probed == pytest.approx([0.0, 2.0], abs=0.1)
    assert desk.status("gateway") is CheckStatus.DOWN
    assert desk.prober.next_run("gateway") == pytest.approx(START + HOUR)


async def test_a_cron_check_lives_from_run_to_run(probing):
    """However far apart its runs are, a check whose results come stays what it is."""
    target = Target()
    desk = probing(check(target, cron="0 */2 * * *"))

    await asyncio.sleep(4 * HOUR + 1)

    assert len(target.probed) == 3
    assert desk.lapses == []
    assert desk.status("gateway") is CheckStatus.UP


async def test_a_missed_run_makes_a_cron_check_unknown(probing):
    """When a run and its timeout are over without a result, nothing is known any more."""
    release, well = asyncio.Event(), [True]

    async def ignore(ctx: ProbeContext) -> None:
        while not well[0] and not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue  # it will not be told

    desk = probing(Scripted(name="gateway", does=ignore, cron="0 * * * *"))
    await asyncio.sleep(60)
    well[0] = False

    await asyncio.sleep(HOUR)

    [(_, at)] = desk.lapses
    assert at - START == pytest.approx(HOUR + 10 + 5, abs=1.1)
    assert desk.state("gateway").reason == "lapsed"
    release.set()
    await asyncio.sleep(HOUR)
    assert desk.status("gateway") is CheckStatus.UP


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(HOUR / 2, [0.0, 1800, 5400, 9000], id="forward, not over a run"),
        pytest.param(1.5 * HOUR, [0.0, 1000, 1800, 5400, 9000], id="forward over a run: it is made up for"),
        pytest.param(10 * HOUR, [0.0, 1000, 3600, 7200], id="forward over many: they are made up for, once"),
        pytest.param(-HOUR / 2, [0.0, 1800, 5400, 9000], id="back"),
        pytest.param(-2 * HOUR, [0.0, 3600, 7200], id="back by hours: the runs come again"),
    ],
)
async def test_cron_goes_by_the_wall(probing, step, expected):
    """When the clock is set, the next probe comes when the clock shows its time."""
    target = Target()
    desk = probing(check(target, cron="0 * * * *"))

    await asyncio.sleep(1000)
    step_wall(step)
    await asyncio.sleep(2.6 * HOUR - 1000)

    assert target.probed == pytest.approx(expected, abs=1.1)
    assert desk.lapses == []


OFFICE = [{"days": ["mon-fri"], "from": "08:00", "to": "13:00"}, {"days": ["mon-fri"], "from": "14:00", "to": "18:00"}]


async def test_off_hours_nobody_is_probed_and_nothing_known(probing):
    """At the end of its hours a check becomes unknown for that reason, and its gauges end; it does not lapse."""
    target = Target()
    desk = probing(check(target, hours=OFFICE))
    await asyncio.sleep(HOUR - 1)
    assert desk.status("gateway") is CheckStatus.UP
    probed = len(target.probed)

    await asyncio.sleep(HOUR / 2)

    state = desk.state("gateway")
    assert (state.status, state.reason, state.since) == (
        CheckStatus.UNKNOWN,
        "off_hours",
        pytest.approx(START + HOUR),
    )
    assert desk.lapses == [("check:gateway", pytest.approx(START + HOUR))]
    assert desk.changes[-1] == ("gateway", pytest.approx(START + HOUR), True)
    assert len(target.probed) == probed
    assert desk.prober.next_run("gateway") == pytest.approx(START + 2 * HOUR)


async def test_at_the_beginning_of_its_hours_it_is_probed_at_once(probing):
    """At two the check has a state again."""
    target = Target()
    desk = probing(check(target, hours=OFFICE, every="30m"))
    await asyncio.sleep(2 * HOUR - 1)
    probed = len(target.probed)

    await asyncio.sleep(1.5)

    assert len(target.probed) == probed + 1
    assert desk.status("gateway") is CheckStatus.UP
    assert desk.state("gateway").reason == ""


async def test_a_start_off_hours(probing):
    """A check that is closed at the start says so at once, and is not probed."""
    target = Target()
    desk = probing(check(target, hours={"from": "13:00", "to": "06:00"}))
    assert desk.state("gateway").reason == "off_hours"

    await asyncio.sleep(HOUR - 30)
    assert target.probed == []
    await asyncio.sleep(60)

    assert target.probed[0] == pytest.approx(HOUR, abs=0.1)
    assert desk.status("gateway") is CheckStatus.UP


async def test_who_asks_off_hours_gets_an_answer_that_tells_nobody(probing):
    """A probe that is asked for answers with its result; the state stays unknown, and no series moves."""
    target = Target()
    target.well = False
    desk = probing(check(target, hours={"from": "13:00", "to": "06:00"}))
    await asyncio.sleep(60)

    state = await desk.prober.run_now("gateway")
    await asyncio.sleep(60)

    assert (state.status, state.reason) == (CheckStatus.UNKNOWN, "off_hours")
    assert state.last.error_type == state.last_failure.error_type == "connect"
    assert desk.batches == []
    assert desk.changes == []
    assert len(target.probed) == 1, "and it is not confirmed"


async def test_a_probe_that_ends_after_the_hours_tells_nobody(probing):
    """A failure of the last second opens nothing in the night."""
    target = Target(takes=4.0)
    desk = probing(check(target, hours=OFFICE))
    await asyncio.sleep(HOUR - 2)
    target.well = False
    asked = asyncio.create_task(desk.prober.run_now("gateway"))

    await asyncio.sleep(60)

    assert (await asked).reason == "off_hours"
    assert 0.0 not in desk.values(PROBE_SUCCESS)
    assert desk.status("gateway") is CheckStatus.UNKNOWN


@pytest.mark.parametrize(
    ("step", "reason"),
    [pytest.param(7 * HOUR, "off_hours", id="into the night"), pytest.param(2 * HOUR, "", id="within the day")],
)
async def test_hours_go_by_the_wall(probing, step, reason):
    """When the clock is set, hours open and close as it shows."""
    target = Target()
    desk = probing(check(target, hours=OFFICE))
    await asyncio.sleep(100)

    step_wall(step)
    await asyncio.sleep(20)

    assert desk.state("gateway").reason == reason
    step_wall(-step)
    await asyncio.sleep(20)
    assert desk.status("gateway") is CheckStatus.UP


async def test_cron_within_hours(probing):
    """Both hold: the times of the expression, within the hours, and one probe when they open."""
    target = Target()
    probing(check(target, cron="30 * * * *", hours={"from": "13:00", "to": "15:00"}))

    await asyncio.sleep(3.5 * HOUR)

    assert target.probed == pytest.approx([HOUR, 1.5 * HOUR, 2.5 * HOUR], abs=0.2)


async def test_the_next_probe_is_known(probing):
    """The nearest of the grid and the confirmation; nothing for a check that is not watched."""
    target = Target()
    desk = probing(check(target, every="5m"))
    await asyncio.sleep(400)
    target.well = False
    before = desk.prober.next_run("gateway")
    assert START + now() < before <= START + now() + 300

    await asyncio.sleep(before - START - now() + 0.5)

    assert desk.prober.next_run("gateway") == pytest.approx(before + 2.0, abs=0.1)
    assert desk.prober.next_run("other") is None
