"""Stories of what is learned of a check, whatever made it so."""

import asyncio
from contextlib import suppress

import pytest

from sidecar.checks import ProbeContext
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from tests.services.desk import Scripted, Target

UP, DOWN, UNKNOWN = CheckStatus.UP, CheckStatus.DOWN, CheckStatus.UNKNOWN


class Listener:
    """Whoever wants to know."""

    def __init__(self) -> None:
        self.heard: list[tuple[CheckStatus, bool]] = []  # with whether a probe said so

    def __call__(self, check: str, state: CheckState, result: ProbeResult | None) -> None:
        assert check == "gateway"
        assert result is None or state.last is result
        self.heard.append((state.status, result is not None))


class Stubborn:
    """A target that answers once; the next probe of it does not let itself be ended."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, ctx: ProbeContext) -> None:
        self.asked += 1
        while self.asked > 1:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
                return


def check(does, **settings: object) -> Scripted:
    return Scripted.model_validate({"name": "gateway", "does": does, **settings})


async def test_each_probe_is_told(probing):
    """Who listens hears the state after each probe, also when it is what it was."""
    target, listener = Target(), Listener()
    probing(check(target), learned=listener)
    await asyncio.sleep(20)
    target.well = False
    await asyncio.sleep(15)

    assert listener.heard == [(UP, True), (UP, True), (UP, True), (DOWN, True)]


async def test_results_that_stay_away(probing):
    """A check without results becomes unknown, and no probe said so."""
    listener = Listener()
    probing(check(Stubborn(), timeout="1s"), learned=listener)
    await asyncio.sleep(50)

    assert listener.heard == [(UP, True), (UNKNOWN, False)]


async def test_the_end_of_the_hours(probing):
    """Outside of its hours a check is unknown; a probe that somebody asks for then is nobody's news."""
    listener = Listener()
    hours = [{"days": ["mon"], "from": "12:00", "to": "12:01"}]
    desk = probing(check(Target(), hours=hours, every="50s"), learned=listener)
    await asyncio.sleep(70)
    await desk.prober.run_now("gateway")

    assert listener.heard == [(UP, True), (UP, True), (UNKNOWN, False)]


@pytest.mark.parametrize(
    ("settings", "heard"),
    [
        pytest.param({"every": "20s"}, [(UP, True)], id="the same question"),
        pytest.param({"labels": {"a": "b"}}, [(UNKNOWN, False), (UP, True)], id="another question"),
    ],
)
async def test_another_configuration(probing, settings, heard):
    """What was found out about a check is not true of one that asks another question."""
    listener = Listener()
    desk = probing(check(Target()), learned=listener)
    await asyncio.sleep(20)
    listener.heard.clear()
    desk.prober.replace([check(Target(), **settings)])
    await asyncio.sleep(1)

    assert listener.heard == heard
