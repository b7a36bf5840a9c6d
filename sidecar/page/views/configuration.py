"""What the daemon runs with, and whether it is what the files say."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sidecar.api.health import Configuration
from sidecar.page import headline, ruling
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Frame, Page


async def look(daemon: Daemon, _: str, /) -> Callable[[], Page]:
    """The configuration as it is now."""
    text = await asyncio.to_thread(daemon.effective)
    seen = _Seen(daemon.configuration, text, ruling.gather(daemon), headline.Watched.of(daemon))
    return partial(_page, seen, Frame(daemon.now(), timezone=daemon.timezone))


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that the page shows."""

    configuration: Configuration
    text: str
    groups: Sequence[ruling.Ruling]
    watched: headline.Watched


def _page(seen: _Seen, frame: Frame) -> Page:
    return Page(
        "Configuration",
        (
            frame.section("configuration", "configuration.html", configuration=seen.configuration),
            frame.section("rules", "rules.html", groups=seen.groups),
            frame.section("effective", "effective.html", text=seen.text, lines=seen.text.count("\n")),
        ),
        health=seen.watched.headline(frame.now).tone.value,
        now=frame.now,
        root=frame.root,
    )
