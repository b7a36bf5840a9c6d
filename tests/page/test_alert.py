"""The page about one alert."""

import asyncio

import pytest

from sidecar.db import names
from tests.page.reading import said, words
from tests.page.test_index import outage


async def the_alert(world) -> str:
    """The fingerprint of what fires."""
    (alert,) = [one for one in world.app.book.alerts() if one.firing]
    fingerprint: str = alert.fingerprint
    return fingerprint


async def test_an_alert_that_fires(world, looking):
    """What to do, who knows, what comes next, its labels and its story, with the commands to quiet it."""
    await outage(world)
    fingerprint = await the_alert(world)

    page = await looking.get(f"/alerts/{fingerprint}")

    assert page.status == 200
    assert "<title>TargetDown: firing" in page.text
    assert "Next step Look at kubectl logs first Runbook" in said(page.text, "alert")
    told = said(page.text, "told")
    assert "hook that it fires 12:0" in told
    assert "reminder 16:0" in told
    story = said(page.text, "story")
    assert story.index("delivered to hook: HTTP 200") < story.index("a message for hook: it fires (for the first time)")
    assert f"sidecar ack {fingerprint}" in said(page.text, "identity")
    assert "sidecar silence add alertname=TargetDown check=gateway --for 2h" in said(page.text, "identity"), (
        "as messages say it, and no wider than this alert"
    )
    assert "rule TargetDown in the group down" in said(page.text, "identity")


async def test_a_channel_that_is_away_does_not_know_and_does_not_hide_the_rest(world, looking):
    """Attempts in vain are one line with their number, and the channel is not said to know."""
    world.hook_status = 500
    await outage(world)
    await asyncio.sleep(120)

    page = await looking.get(f"/alerts/{await the_alert(world)}")

    assert "hook nothing yet: a message is on its way" in said(page.text, "told")
    story = said(page.text, "story")
    assert story.count("an attempt to reach hook failed") == 1
    assert " times since 12:0" in story


async def test_an_alert_that_has_just_ended(world, looking):
    """Whoever was told its beginning and its end is not forgotten for that, and nothing keeps quiet what is over."""
    await outage(world)
    fingerprint = await the_alert(world)
    world.status = 200
    await asyncio.sleep(60)

    for path in (f"/alerts/{fingerprint}", "/checks/gateway"):
        page = await looking.get(path)

        assert "recovered" in page.text
        assert "nobody" not in words(page.text)


async def test_an_alert_that_was(world, looking):
    """Of an alert that ended long ago, its labels and its story are left; then, its story under its fingerprint."""
    await outage(world)
    fingerprint = await the_alert(world)
    world.status = 200
    await asyncio.sleep(960)

    page = await looking.get(f"/alerts/{fingerprint}")
    await world.app.database.run(names.prune, 1e12)
    await asyncio.sleep(2)
    forgotten = await looking.get(f"/alerts/{fingerprint}")

    assert world.app.book.alert(fingerprint) is None
    assert "<title>TargetDown: ended" in page.text
    assert "what is left is its story" in said(page.text, "alert")
    assert "recovered" in said(page.text, "story")
    assert "check gateway" in said(page.text, "identity")
    assert "Who was told" not in page.text
    assert f"<title>{fingerprint}: ended" in forgotten.text


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("0123456789abcdef", "nothing is known of an alert", id="an unknown one"),
        pytest.param("nonsense", "expected an alert&#39;s fingerprint: 16 hex digits", id="no fingerprint"),
        pytest.param("%3Cscript%3E", "got &#39;&lt;script&gt;&#39;", id="a hostile one"),
    ],
)
async def test_there_is_no_such_alert(world, looking, key, words):
    """The page that is missing says why."""
    await world.start()

    page = await looking.get(f"/alerts/{key}")

    assert page.status == 404
    assert words in page.text
