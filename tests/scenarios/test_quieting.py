"""What people say about alerts, and what they are told then."""

import asyncio

import pytest

from sidecar.db import quieting
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.services.quieting import MOST, NotQuieted
from tests.scenarios.attacks import step_wall
from tests.scenarios.world import DOWN, World

DOWN_ONES = (Matcher("alertname", MatchOp.EQ, "TargetDown"),)
OFTEN = DOWN.replace("severity: critical", "severity: critical\n        repeat: 10m")


async def outage(world: World, rules: str = OFTEN) -> str:
    """An outage that was told; the alert's fingerprint."""
    app = await world.start(world.settings(rules))
    await asyncio.sleep(60)
    world.status = 503
    await asyncio.sleep(60)
    assert world.story() == ["opening"]
    (alert,) = app.book.alerts()
    return alert.fingerprint


async def silence(world: World, seconds: float, start: float = 0.0) -> str:
    assert world.app is not None
    now = world.app.clock.time()
    made = await world.app.quieter.silence(DOWN_ONES, now + start, now + start + seconds, "anna", "works on it")
    return made.id


async def test_told_silenced_recovered(world: World) -> None:
    """Whoever was told that it fires is told that it is over, whatever was silenced meanwhile; and only once."""
    await outage(world)
    await silence(world, 3600)
    await asyncio.sleep(900)
    assert world.story() == ["opening"]

    world.status = 200
    await asyncio.sleep(900)

    assert world.story() == ["opening", "resolve"]


async def test_an_outage_that_nobody_wanted_to_hear_of_leaves_no_message(world: World) -> None:
    """Silenced from its beginning to its end, an episode is told to nobody."""
    await world.start(world.settings(OFTEN))
    await asyncio.sleep(60)
    await silence(world, 1200)
    world.status = 503
    await asyncio.sleep(600)
    world.status = 200
    await asyncio.sleep(900)

    assert world.story() == []


@pytest.mark.parametrize("ended", [pytest.param(True, id="by hand"), pytest.param(False, id="by itself")])
async def test_a_silence_ends_over_what_still_fires(world: World, *, ended: bool) -> None:
    """At its end one message says at once that the silence ended; the same over a restart."""
    await outage(world)
    id_ = await silence(world, 1800)
    await asyncio.sleep(1200)
    await world.kill()
    await world.start(world.settings(OFTEN))
    assert world.app is not None
    await asyncio.sleep(60)
    if ended:
        await world.app.quieter.expire(id_)
        await asyncio.sleep(1)
    else:
        await asyncio.sleep(600)

    assert world.story() == ["opening", "reminder"]
    assert world.heard[-1].body["alerts"][0]["reason"] == "silence ended"


async def test_a_silence_that_begins_later(world: World) -> None:
    """A silence planned for tonight holds tonight, and says when it is over."""
    await outage(world)
    await silence(world, 900, start=1200)
    await asyncio.sleep(1190)
    told = ["opening", "reminder", "reminder"]
    assert world.story() == told
    await asyncio.sleep(900)
    assert world.story() == told
    await asyncio.sleep(60)

    assert world.story() == [*told, "reminder"]
    assert world.heard[-1].body["alerts"][0]["reason"] == "silence ended"


async def test_an_acknowledged_alert_is_not_repeated_and_its_end_is_told(world: World) -> None:
    """No reminders while somebody works on it, over a restart, too; then its end."""
    fingerprint = await outage(world)
    assert world.app is not None
    await world.app.quieter.acknowledge(fingerprint, "anna", "looking")
    await asyncio.sleep(900)
    await world.kill()
    await world.start(world.settings(OFTEN))
    await asyncio.sleep(900)
    assert world.story() == ["opening"]
    world.status = 200
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve"]


async def test_an_acknowledgement_ends_with_its_alert(world: World) -> None:
    """The next outage is another one, and nobody has seen it yet."""
    fingerprint = await outage(world, OFTEN.replace("repeat:", "cooldown: 0s\n        repeat:"))
    assert world.app is not None
    await world.app.quieter.acknowledge(fingerprint, "anna", "")
    world.status = 200
    await asyncio.sleep(60)
    world.status = 503
    await asyncio.sleep(60)

    assert world.story() == ["opening", "resolve", "opening"]
    assert world.app.quieter.state.acks == ()


async def test_an_acknowledgement_is_taken_back(world: World) -> None:
    """From then on reminders are due again."""
    fingerprint = await outage(world)
    assert world.app is not None
    await world.app.quieter.acknowledge(fingerprint, "anna", "")
    await asyncio.sleep(1200)
    await world.app.quieter.withdraw(fingerprint)
    await asyncio.sleep(60)

    assert world.story() == ["opening", "reminder"]


async def test_what_cannot_be_said(world: World) -> None:
    """A silence of everything, one that is over, an alert that does not fire: each is refused with a sentence."""
    await outage(world)
    assert world.app is not None
    quieter, now = world.app.quieter, world.app.clock.time()
    everything = (Matcher("alertname", MatchOp.RE, ".*"),)
    for matchers, end, message in ((everything, now + 60, "at least one"), (DOWN_ONES, now - 60, "in the future")):
        with pytest.raises(NotQuieted, match=message):
            await quieter.silence(matchers, now, end, "anna", "")
    with pytest.raises(NotQuieted, match=r"expected the fingerprint of an alert that fires: .*TargetDown"):
        await quieter.acknowledge("0" * 16, "anna", "")
    with pytest.raises(NotQuieted, match="the list shows them"):
        await quieter.expire("nothing")


async def test_a_silence_that_ends_while_a_decision_is_written(world: World) -> None:
    """The decision knew of the silence; the next one does not, and is made at once."""
    await outage(world)
    id_ = await silence(world, 8 * 3600)
    await asyncio.sleep(1200)
    assert world.app is not None
    async with world.app.database.lock:
        ending = asyncio.create_task(world.app.quieter.expire(id_))
        await asyncio.sleep(0.5)
        assert not ending.done()
        assert world.app.book.touched == frozenset()
    await asyncio.sleep(1)

    assert world.story() == ["opening", "reminder"]


async def test_hostile_words_are_made_harmless(world: World) -> None:
    """What somebody says is shown on terminals and pages: one line, no control characters, not too long."""
    fingerprint = await outage(world)
    assert world.app is not None
    said = "\x1b[31mred\x07 \u202edessap lla\r\nnext" + "x" * 1_000_000

    ack = await world.app.quieter.acknowledge(fingerprint, "an\x00na", said)

    for text in (ack.by, ack.comment):
        assert text.isprintable()
        assert "\u202e" not in text
    assert len(ack.comment) <= 1000


async def test_silences_are_not_without_number(world: World) -> None:
    """Those that are over make room; when all hold, the next is refused."""
    app = await world.start()
    now = app.clock.time()
    for n in range(MOST):
        await app.quieter.silence(DOWN_ONES, now, now + (30 if n == 7 else 3600), "anna", str(n))
    with pytest.raises(NotQuieted, match="end some"):
        await silence(world, 60)
    await asyncio.sleep(60)

    await silence(world, 60)

    assert len(app.quieter.state.silences) == MOST
    assert "7" not in {one.comment for one in app.quieter.state.silences}


async def test_an_acknowledgement_moves_with_the_clock(world: World) -> None:
    """Set back by an hour it covers its alert still, and after a restart it does not cover the next one."""
    fingerprint = await outage(world)
    assert world.app is not None
    ack = await world.app.quieter.acknowledge(fingerprint, "anna", "")
    step_wall(-3600)
    await asyncio.sleep(900)
    assert world.story() == ["opening"]

    _, (saved,) = await world.app.database.run(quieting.load)
    assert saved.at == pytest.approx(ack.at - 3600, abs=5)
