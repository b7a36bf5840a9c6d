"""Badges: small pictures of what a check is like now."""

import asyncio
import json
import xml.etree.ElementTree as ET

import pytest

from sidecar.api.health import Health, Status
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.history import CheckHistory
from sidecar.page import badges
from sidecar.page.drawing import LONGEST, Colour, drawn, width

NOON = 1_777_636_800.0
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """The title, and the words that are seen; it is well-formed XML that names nothing of others."""
    root = ET.fromstring(svg)
    for element in root.iter():
        assert element.tag.startswith(SVG)
        assert not {name for name in element.attrib if "href" in name or name.startswith("on")}
    assert root.get("aria-label") == root.findtext(f"{SVG}title")
    return [root.findtext(f"{SVG}title") or "", *(element.text or "" for element in root.iter(f"{SVG}text"))]


def seen(*stretches: tuple[float, bool]) -> CheckHistory:
    """A check that was up, or not, for so many seconds each, until noon."""
    history, at = CheckHistory(), NOON - sum(seconds for seconds, _ in stretches)
    for seconds, up in stretches:
        history.become(CheckStatus.UP if up else CheckStatus.DOWN, at)
        at += seconds
    return history


@pytest.mark.parametrize(
    ("history", "window", "word", "colour"),
    [
        pytest.param(seen(), "24h", "not seen", Colour.UNKNOWN, id="nothing seen"),
        pytest.param(seen((86400, True)), "24h", "100 %", Colour.GOOD, id="up all day"),
        pytest.param(seen((86399, True), (1, False)), "24h", "99.99 %", Colour.GOOD, id="never 100 with a second down"),
        pytest.param(seen((86000, True), (400, False)), "24h", "99.53 %", Colour.POOR, id="some minutes down"),
        pytest.param(seen((3600, True), (3600, False)), "1h", "0.00 %", Colour.BAD, id="down all the hour"),
        pytest.param(seen((5000, True)), "24h", "100 % of 1h23m", Colour.GOOD, id="seen for a part of the day"),
        pytest.param(seen((3 * 86400 + 4000, True)), "30d", "100 % of 3d1h", Colour.GOOD, id="some days of a month"),
        pytest.param(seen((5, True)), "7d", "100 % of 5s", Colour.GOOD, id="just begun"),
    ],
)
def test_the_badge_of_uptime(history, window, word, colour):
    """The share is told, and of how much it is one when that is less than the window says."""
    svg = badges.uptime("claude", history, window, NOON)

    assert texts(svg)[1:] == [f"claude uptime {window}", word]
    assert f'fill="{colour.value}"' in svg


def test_the_title_of_uptime():
    """Who cannot see the picture hears all of it."""
    title, *_ = texts(badges.uptime("claude", seen((5000, True), (5000, False)), "24h", NOON))

    assert title == "claude: up 50.00 % of the 2h46m seen in the last 24h"


def test_the_badge_of_latency():
    """It is a median, and says so; failed probes say nothing about it."""
    history = CheckHistory()
    for took, error in ((0.25, ""), (0.5, ""), (10.0, "timeout"), (0.3, "")):
        history.outcomes.add(ProbeResult(NOON, took, error))

    assert texts(badges.latency("claude", history)) == [
        "claude: 300 ms median of the last 3 successful probes",
        "claude latency",
        "300 ms median",
    ]
    assert texts(badges.latency("claude", CheckHistory()))[2] == "not seen"


@pytest.mark.parametrize("status", CheckStatus)
def test_the_badge_of_a_state(status):
    """Each state is a word as well as a colour."""
    assert texts(badges.state("claude", CheckState(status))) == [f"claude: {status}", "claude", status.value]


@pytest.mark.parametrize("status", Status)
def test_the_badge_of_health(status):
    """Overall health is a word; its title names what is down."""
    failures = ("claude", "redis") if status is Status.CRITICAL else ()
    title, *words = texts(badges.health(Health(status, failures, (), NOON)))

    assert words == ["health", status.value]
    assert title == f"health: {status.value}" + ("; down: claude, redis" if failures else "")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("<script>alert(1)</script>", id="markup"),
        pytest.param('"onload="alert(1)', id="an attribute"),
        pytest.param("a&b]]><!--", id="XML"),
        pytest.param("{width}{0}%s", id="formats"),
        pytest.param("two\nlines\x00\x1b[31m", id="control characters"),
        pytest.param("\u202egnp.exe", id="turned around"),
        pytest.param("\ud800", id="half a character"),
        pytest.param("名前 🙂", id="wide"),
        pytest.param("x" * 10_000, id="long"),
        pytest.param("", id="empty"),
    ],
)
def test_hostile_names(name):
    """Whatever a name is made of, the picture is well-formed, has one line of bounded length, and shows text only."""
    _, label, word = texts(drawn(name, "up", Colour.GOOD).encode("utf-8", "strict").decode())

    assert word == "up"
    assert len(label) <= LONGEST
    assert not {"\n", "\x00", "\x1b", "\u202e"} & set(label)


@pytest.mark.parametrize("colour", Colour)
def test_the_words_can_be_read(colour):
    """White letters have a contrast of 4.5 on every colour."""

    def light(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (light(int(colour.value[n : n + 2], 16)) for n in (1, 3, 5))

    assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5


def test_longer_words_are_wider():
    """The boxes follow the words."""
    assert width("iii") < width("mmm") < width("名名名名")
    assert 'textLength="' in drawn("a", "b", Colour.PLAIN)


async def test_a_badge_is_served(world, looking):
    """A badge is a picture that is asked for anew each time, and not sent again while it is the same."""
    await world.start()
    await asyncio.sleep(20.3)

    first = await looking.get("/badges/checks/gateway/state.svg")
    again = await looking.get("/badges/checks/gateway/state.svg", **{"If-None-Match": first.headers["ETag"]})
    world.status = 503
    await asyncio.sleep(40)
    later = await looking.get("/badges/checks/gateway/state.svg", **{"If-None-Match": first.headers["ETag"]})

    assert first.headers["Content-Type"].startswith("image/svg+xml")
    assert first.headers["Cache-Control"] == "no-cache"
    assert texts(first.text)[1:] == ["gateway", "up"]
    assert (again.status, again.text) == (304, "")
    assert texts(later.text)[1:] == ["gateway", "down"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("/badges/health.svg", ["health", "healthy"], id="health"),
        pytest.param("/badges/checks/my%20redis/state.svg", ["my redis", "up"], id="a name with a space"),
        pytest.param("/badges/checks/gateway/uptime/24h.svg", ["gateway uptime 24h", "100 % of 20s"], id="uptime"),
        pytest.param("/badges/checks/gateway/latency.svg", ["gateway latency", "0 ms median"], id="latency"),
    ],
)
async def test_every_badge(world, looking, path, words):
    """There is a badge of each kind, of each check."""
    checks = [{"type": "http", "name": name, "url": "http://gateway/health"} for name in ("gateway", "my redis")]
    await world.start(world.settings(checks=checks))
    await asyncio.sleep(20.3)

    found = await looking.get(path)

    assert (found.status, texts(found.text)[1:2]) == (200, words[:1])
    assert texts(found.text)[2].split()[-1] == words[1].split()[-1]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        pytest.param("/badges/checks/nobody/state.svg", "got the check 'nobody', expected one of: gateway", id="check"),
        pytest.param(
            "/badges/checks/gateway/uptime/2d.svg",
            "got the window '2d', expected one of: 1h, 24h, 7d, 30d",
            id="window",
        ),
        pytest.param(
            "/badges/checks/%3Cb%3E/latency.svg", "got the check '<b>', expected one of: gateway", id="markup"
        ),
    ],
)
async def test_an_unknown_badge(world, looking, path, sentence):
    """What there is none of is a problem in JSON that names what there is."""
    await world.start()

    found = await looking.get(path)

    assert found.status == 404
    assert found.headers["Content-Type"].startswith("application/json")
    assert json.loads(found.text) == {"status": "error", "errorType": "not_found", "error": sentence}
