"""What the daemon runs with, and whether it is what the files say."""

import asyncio
from collections.abc import Callable
from functools import partial

from sidecar.api.health import Configuration
from sidecar.page import headline
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Frame, Page


async def look(daemon: Daemon, _: str, /) -> Callable[[], Page]:
    """The configuration as it is now."""
    text = await asyncio.to_thread(daemon.effective)
    return partial(_page, daemon.configuration, text, headline.Watched.of(daemon), Frame(daemon.now()))


def _page(configuration: Configuration, text: str, watched: headline.Watched, frame: Frame) -> Page:
    about = frame.section("configuration", "configuration.html", configuration=configuration)
    effective = frame.section("effective", "effective.html", text=text, lines=text.count("\n"))
    return Page(
        "Configuration",
        (about, effective),
        health=watched.headline(frame.now).tone.value,
        now=frame.now,
        root=frame.root,
    )
