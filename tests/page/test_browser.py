"""The pages in a real browser."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, Route, ViewportSize, expect

from sidecar.page import times
from sidecar.simulator import Fault
from tests.page.stage import WIDE, Stage
from tests.programs import module

PHONE = ViewportSize(width=380, height=800)
HALF = ViewportSize(width=700, height=800)
LINED_UP = """
    ["state", "name", "graph-strip", "uptime"]
        .map((each) => document.querySelector(`.checks > li .${each}`).getBoundingClientRect())
        .every((box, n, all) => n === 0 || (box.left >= all[n - 1].right && box.top - all[0].top < 20))
"""
"""Whether what a row tells stands side by side, in that order."""
FOCUSABLE = "a[href], summary, input, [tabindex='0']"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The daemon and the browser, for all tests here."""
    stage = Stage()
    stage.open(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.close()


@pytest.fixture(autouse=True)
def well(stage: Stage) -> Iterator[None]:
    """Each test begins and ends with a Claude that answers."""
    yield
    stage.simulator.faults = ()


def broken(stage: Stage) -> None:
    stage.simulator.faults = (Fault.parse("server_error"),)


async def still(page: Page) -> None:
    """From its next loading on, the page stays as it is."""
    await page.route("**/live?*", lambda route: route.abort())


async def heading(page: Page, text: str) -> None:
    """Wait until the headline says so."""
    await expect(page.locator("h1")).to_contain_text(text)


def test_a_fault_is_seen_without_a_reload(stage):
    """Headline, title, icon and alert follow what happens; what somebody has open or in hand stays so."""

    async def story() -> None:
        async with stage.page() as page:
            await heading(page, "Healthy: all 6 checks are up")
            await expect(page.locator("#live")).to_have_text("live")
            await page.evaluate("window.mark = 'the same document'")
            assert await page.evaluate(LINED_UP)
            details = page.locator("li[data-name=claude] details")
            await details.locator("summary").click()
            await page.evaluate("getSelection().selectAllChildren(document.querySelector('li[data-name=claude] a'))")

            broken(stage)
            await heading(page, "Critical: claude is down since")

            assert await page.evaluate("window.mark") == "the same document"
            assert await page.title() != ""
            assert (await page.title()).startswith("Critical: claude is down")
            assert "critical.svg" in (await page.locator("link[rel=icon]").get_attribute("href") or "")
            await expect(page.locator("#firing")).to_contain_text("Look at status.claude.com first")
            await expect(page.get_by_role("status")).to_contain_text("Critical: claude is down")
            assert await details.get_attribute("open") is not None
            assert await page.evaluate("document.activeElement.matches('li[data-name=claude] summary')")
            assert await page.evaluate("getSelection().toString()") == "claude"

            stage.simulator.faults = ()
            await heading(page, "Healthy: all 6 checks are up")
            await expect(page.locator("#ended")).to_contain_text("ClaudeDown")

    stage.run(story())


def test_from_page_to_page(stage):
    """From the status to the check and back, to the alert and home, by what is written on the pages."""

    async def story() -> None:
        broken(stage)
        async with stage.page() as page:
            await heading(page, "Critical")
            await page.get_by_role("link", name="gateway", exact=True).click()
            await heading(page, "gateway")
            await page.go_back()
            await page.get_by_role("link", name="ClaudeDown").first.click()
            await heading(page, "ClaudeDown")
            await expect(page.locator("#story")).to_contain_text("firing")
            await page.get_by_role("link", name="Runbook").hover()
            await page.get_by_label("Pages").get_by_role("link", name="Configuration").click()
            await heading(page, "Configuration")
            await page.get_by_role("link", name="claude-sidecar").click()
            await heading(page, "Critical")

    stage.run(story())


def test_nobody_is_left_out(stage):
    """No page has anything that axe finds fault with, in light and in dark, nor is wider than a phone."""
    axe = module("axe-core") / "axe.min.js"

    async def story() -> list[tuple[str, Any]]:
        broken(stage)
        source, found = axe.read_text(), []
        async with stage.page(quiet=False) as page:
            await heading(page, "Critical")
            alert = await page.get_by_role("link", name="ClaudeDown").first.get_attribute("href")
            await still(page)
            for path in ("/", "/checks/claude", f"/{alert}", "/configuration", "/nothing"):
                await page.goto(path)
                await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
                await page.evaluate(source)
                found += [(path, one) for one in await _judged(page, "{}")]
                if path != "/nothing":  # the other palette; all else is the same
                    await page.emulate_media(color_scheme="dark")
                    found += [(f"{path} in dark", one) for one in await _judged(page, "{runOnly: ['color-contrast']}")]
                    await page.emulate_media(color_scheme="light")
                for size in (PHONE, HALF, WIDE):
                    await page.set_viewport_size(size)
                    assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        return found

    assert stage.run(story()) == []


async def _judged(page: Page, options: str) -> Any:
    found = await page.evaluate(f"axe.run(document, {{resultTypes: ['violations'], ...{options}}})")
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]


def test_the_keyboard_reaches_everything(stage):
    """The first stop skips to the content; whatever can be used is a stop, in the order of the page."""

    async def story() -> None:
        broken(stage)
        async with stage.page(quiet=False) as page:
            await heading(page, "Critical")
            await still(page)
            await page.reload()
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.className") == "skip"
            there = await page.locator(FOCUSABLE).evaluate_all(
                "(all) => all.filter((each) => each.checkVisibility()).length"
            )
            await page.evaluate(
                """(wanted) => {
                    window.stops = new Set([document.activeElement]);
                    document.addEventListener("focusin", (event) => {
                        if (event.target.matches(wanted)) window.stops.add(event.target);
                    });
                }""",
                FOCUSABLE,
            )
            for _ in range(there):
                await page.keyboard.press("Tab")
            stops = await page.evaluate("window.stops.size")
            assert stops == there

            await page.locator(".skip").press("Enter")
            assert await page.evaluate("document.activeElement.id") == "main"

    stage.run(story())


def test_the_filter_hides_what_is_not_meant(stage):
    """What is typed is looked for in all that a row says."""

    async def story() -> None:
        async with stage.page() as page:
            await page.get_by_label("Filter").fill("GATEW")
            await expect(page.locator(".checks > li:visible")).to_have_count(1)
            await expect(page.locator("[data-matches]")).to_have_text("1 of 6")
            await page.get_by_label("Filter").fill("")
            await expect(page.locator(".checks > li:visible")).to_have_count(6)

    stage.run(story())


def test_a_lost_connection_is_said(stage):
    """Who cannot be told says so, and of when what is shown is."""

    async def story() -> None:
        async with stage.page(quiet=False) as page:
            await still(page)
            await page.reload()
            await expect(page.locator("#live")).to_contain_text("connection lost, showing ")
            await expect(page.locator("#live")).to_contain_text(" UTC (")

    stage.run(story())


def test_a_tab_that_is_left_open(stage):
    """After a sleep, which ends a connection without an error, it asks again; later it loads another version."""
    beat = 'retry: 50\nevent: beat\ndata: {"at":1,"build":"another"}\n\n'

    asked: list[Route] = []
    arrived = asyncio.Semaphore(0)

    async def answer(route: Route) -> None:
        asked.append(route)
        arrived.release()
        if len(asked) > 2:
            await route.fulfill(body=beat, content_type="text/event-stream")

    async def story() -> None:
        async with stage.other() as page:
            await page.clock.install()
            await page.route("**/live?*", answer)
            await page.reload()
            await arrived.acquire()
            await page.clock.fast_forward(20_000)
            assert len(asked) == 1
            await page.clock.fast_forward(10_000)
            await arrived.acquire()
            await expect(page.locator("#live")).to_contain_text("connection lost, showing ")
            assert len(asked) == 2
            await asked[0].abort()

            await page.evaluate("window.mark = 'the same document'")
            await asked[1].fulfill(body=beat, content_type="text/event-stream")
            await expect(page.locator("#live")).to_contain_text("showing 00:00:01 UTC")  # it was heard
            assert await page.evaluate("window.mark") == "the same document"
            async with page.expect_navigation():
                await page.clock.fast_forward(50_000)
            assert await page.evaluate("window.mark") is None

    stage.run(story())


def test_it_works_without_a_script(stage):
    """Everything is there, is loaded again every thirty seconds, and says of when it is."""

    async def story() -> None:
        async with stage.other(java_script_enabled=False) as page:
            await expect(page.locator("#live")).to_contain_text("as of ")
            await expect(page.locator(".checks > li:visible")).to_have_count(6)
            assert await page.get_by_label("Filter").is_hidden()
            assert '<meta http-equiv="refresh" content="30">' in await page.content()

    stage.run(story())


def test_script_and_server_tell_time_in_the_same_words(stage):
    """How long ago something was reads the same, whoever wrote it."""
    ages = (200.5, 3600 * 1.3, 3600 * 1.75, 3600 * 40.5, 86400 * 2.02, 86400 * 3 + 3600 * 5.5)

    async def story() -> list[str]:
        async with stage.page() as page:
            await page.evaluate(
                """(ages) => {
                    for (const age of ages) {
                        const span = document.createElement("span");
                        span.className = "ago";
                        span.dataset.at = Number(document.body.dataset.now) - age;
                        span.dataset.form = "for";
                        document.querySelector("footer").append(span);
                    }
                }""",
                ages,
            )
            told = page.locator("footer .ago")
            await expect(told.first).not_to_be_empty()
            words: list[str] = await told.all_text_contents()
            return words

    assert stage.run(story()) == [times.span(age) for age in ages]
