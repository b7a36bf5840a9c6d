"""Everything at one glance: how it goes, what fires, and what speaks for it."""

from collections.abc import Callable, Sequence
from functools import partial

from sidecar.api.health import Health
from sidecar.model.alerts import Alert
from sidecar.page import headline, rows
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Frame, Page


async def look(daemon: Daemon, _: str, /) -> Callable[[], Page]:
    """The status as it is now."""
    now = daemon.now()
    found = await rows.gather(daemon, now)
    return partial(_page, daemon.health(), daemon.book.alerts(), found, Frame(now))


def _page(health: Health, alerts: Sequence[Alert], checks: Sequence[rows.Known], frame: Frame) -> Page:
    head = headline.headline(health, alerts)
    reason = next((known.row.reason for known in checks if known.row.check.name == head.said.check), "")
    return Page(
        f"{head.word}: {head.said.text}",
        (
            frame.section("headline", "headline.html", headline=head, reason=reason, notes=()),
            rows.section(checks, frame),
        ),
        health=head.tone.value,
        now=frame.now,
        root=frame.root,
    )
