"""The page about one check."""

import asyncio
import re
from html import unescape

from aiohttp import web


def words(html: str) -> str:
    """What is read, without marks and with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


async def test_a_check_that_is_well(world, looking):
    """It says its state, since when, why, what is probed, how often, and how it has been."""
    await world.start()
    await asyncio.sleep(45.3)

    page = await looking.get("/checks/gateway")

    said = words(page.text)
    assert page.status == 200
    assert "<title>gateway: up" in page.text
    for sentence in (
        "✓ up",
        "the last probe succeeded",
        "Type http",
        "Target http://gateway/health",
        "Probed every 15s",
        "down after 2 failures in a row, up after 1 success",
        "The last 4 probes",
        "100 % never 45 s",
        "status 200",
        "Where the time went",
    ):
        assert sentence in said
    assert "The last failure" not in said
    assert "Alerts about it" not in said
    assert 'class="strip"' in page.text
    assert 'class="spark"' in page.text


async def test_a_check_that_is_down(world, looking):
    """It says why, what the last failure saw, and which alerts are about it; after the recovery that stays."""
    await world.start()
    await asyncio.sleep(20.3)
    world.status = 503
    await asyncio.sleep(40)

    said = words((await looking.get("/checks/gateway")).text)
    world.status = 200
    await asyncio.sleep(40)
    later = words((await looking.get("/checks/gateway")).text)

    assert "✕ down" in said
    assert "failures in a row: assertion: got 503, expected 2xx" in said
    assert "The last probe failed" in said
    assert "Alerts about it 1 alert" in said
    assert "TargetDown" in said
    assert "✓ up" in later
    assert "The last failure" in later
    assert "it is over" in later
    assert "got 503, expected 2xx" in later


async def test_outside_of_its_hours(world, looking):
    """A check that was never probed has a page that says so, and when its hours begin."""
    hours = [{"days": ["sat"], "from": "03:00", "to": "04:00"}]
    await world.start(world.settings(checks=[{"type": "tcp", "name": "port", "address": "nobody:1", "hours": hours}]))
    await asyncio.sleep(1)

    said = words((await looking.get("/checks/port")).text)

    assert "◌ off" in said
    assert "Hours begin 10 Jan 03:00:00 UTC" in said
    assert "There was no probe yet." in said
    assert "30d – – nothing" in said
    assert "The last probe" not in said


async def test_what_it_stands_on(world, looking):
    """What a check depends on, and what depends on it, are links with their states."""
    checks = [
        {"type": "http", "name": "base", "url": "http://gateway/base"},
        {"type": "http", "name": "my gateway", "url": "http://gateway/health", "depends_on": ["base"]},
    ]
    await world.start(world.settings(checks=checks))
    await asyncio.sleep(20.3)

    upper = await looking.get("/checks/my%20gateway")
    lower = await looking.get("/checks/base")

    assert "Depends on ✓ up base" in words(upper.text)
    assert "Needed by ✓ up my gateway" in words(lower.text)
    assert 'href="../checks/my%20gateway"' in lower.text


async def test_badges_to_copy(world, looking):
    """The page shows each badge, and the Markdown that names it by the address at which people reach us."""
    await world.start(world.settings(external_url="https://sidecar.example/gw/"))

    page = await looking.get("/checks/gateway")

    assert '<img src="../badges/checks/gateway/state.svg"' in page.text
    for badge in ("state", "uptime/30d", "latency"):
        assert f"https://sidecar.example/gw/badges/checks/gateway/{badge}.svg" in page.text


async def test_a_hostile_answer_is_shown_and_does_nothing(world, looking):
    """Whatever a peer answers is text on the page: its body, its headers, and what was found out from them."""
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500, text=hostile, headers={"X-Odd": hostile, "Server": hostile})

    gateway = web.Application()
    gateway.router.add_get("/{path:.*}", answer)
    world.wire.serve("gateway", gateway)
    await world.start()
    await asyncio.sleep(40.3)

    page = await looking.get("/checks/gateway")

    assert words(page.text).count("alert(1)") >= 3
    assert hostile in unescape(page.text)
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


async def test_an_unknown_check(world, looking):
    """A name that no check has is answered with those there are."""
    await world.start()

    page = await looking.get("/checks/nobody")

    assert page.status == 404
    assert "got the check 'nobody', expected one of: gateway" in unescape(page.text)


async def test_a_check_with_many_series(world, looking):
    """Of a check that scrapes others, some series are shown, and how many there are."""
    lines = "".join(f'many{{n="{n}"}} 1\n' for n in range(300))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=f"# TYPE many gauge\n{lines}")

    gateway = web.Application()
    gateway.router.add_get("/{path:.*}", answer)
    world.wire.serve("gateway", gateway)
    await world.start(world.settings(checks=[{"type": "scrape", "name": "gateway", "url": "http://gateway/metrics"}]))
    await asyncio.sleep(20.3)

    said = words((await looking.get("/checks/gateway")).text)

    (total,) = re.findall(r"Its series (\d+) series", said)
    assert int(total) > 300
    assert f"{int(total) - 200} more series" in said
    assert said.count("many{") <= 200
