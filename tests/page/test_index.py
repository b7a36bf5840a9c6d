"""The page that people see first."""

import asyncio


async def test_a_critical_check_that_is_down_is_the_headline(world, looking):
    """What is down, since when, why, and what to do stand on the page."""
    await world.start()
    world.status = 503
    await asyncio.sleep(60)

    page = await looking.get("/")
    assert page.status == 200
    assert "Critical: gateway is down" in page.text
