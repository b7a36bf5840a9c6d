"""The page about what messages say to people."""

from collections.abc import Iterator
from typing import Final

from sidecar.channels.log import LogChannel
from sidecar.model.notifications import NotifyKind
from writers import example
from writers.markdown import MADE, block, heading

_KINDS: Final = {
    NotifyKind.OPENING: "An alert fires. Two openings of one alert are never closer than its `cooldown`.",
    NotifyKind.REMINDER: "It still fires, every `repeat`. An acknowledgement ends these.",
    NotifyKind.RESOLVE: "It ended. How it ended stands first: only *recovered* is a recovery.",
    NotifyKind.CLOSED: "It fired and ended while the channel was away: both in one message.",
}


def page() -> Iterator[str]:
    """An example of each kind."""
    yield "# Messages"
    yield ""
    yield f"{MADE} What people are told, as plain text. Mail and Slack say the same in their own form, and webhooks"
    yield "have [fields](webhook.md). A line that has nothing to say is left out. See your own with"
    yield "[`sidecar notify preview`](commands.md#sidecar-notify-preview)."
    channel = LogChannel(name="log")
    for kind in NotifyKind:
        yield from heading(kind.value.capitalize())
        yield _KINDS.get(kind, "")
        yield ""
        yield from block("text", channel.draft(example.notification(kind, channel.name), example.context()).text)
