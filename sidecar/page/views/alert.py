"""One alert: what to do, who knows, and its story line by line."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from sidecar.alerts.timeline import Entry
from sidecar.api import wording
from sidecar.db import history, names
from sidecar.db.names import Named
from sidecar.model.labels import EMPTY, Labels
from sidecar.page import alerts, headline
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Frame, Page
from sidecar.page.views import MissingError
from sidecar.templating import links

_FINGERPRINT: Final = re.compile("[0-9a-f]{16}")
_LINES: Final = 500
"""Lines of the story, the last ones."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that the page shows."""

    fingerprint: str
    one: alerts.Shown | None  # None when it ended some time ago
    labels: Labels
    entries: Sequence[Entry]  # the oldest first
    watched: headline.Watched


async def look(daemon: Daemon, fingerprint: str, /) -> Callable[[], Page]:
    """The alert as it is now, or what is known of it still."""
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise MissingError(f"got {fingerprint[:80]!r}, expected an alert's fingerprint: 16 hex digits")
    now, alert = daemon.now(), daemon.book.alert(fingerprint)
    entries, named = await daemon.database.run(_story, fingerprint)
    if alert is None and not entries:
        raise MissingError(f"nothing is known of an alert with the fingerprint {fingerprint}; it may be forgotten")
    seen = _Seen(
        fingerprint=fingerprint,
        one=(await alerts.shown([alert], daemon, now))[0] if alert else None,
        labels=alert.labels if alert else named.labels if named else EMPTY,
        entries=entries,
        watched=headline.Watched.of(daemon),
    )
    return partial(_page, seen, Frame(now, "../", daemon.timezone))


def _story(connection: sqlite3.Connection, fingerprint: str) -> tuple[Sequence[Entry], Named | None]:
    return history.of_alert(connection, fingerprint, _LINES), names.of(connection, fingerprint)


@dataclass(frozen=True, slots=True)
class _Line:
    """What happened, so many times in a row."""

    text: str
    first: Entry
    last: Entry
    times: int


def _lines(entries: Sequence[Entry]) -> Iterator[_Line]:
    """*entries* in words; a row of the same is one: a channel that is away for an hour must not hide the rest."""
    for text, row in groupby(entries, key=wording.sentence):
        same = list(row)
        yield _Line(text, same[0], same[-1], len(same))


def _page(seen: _Seen, frame: Frame) -> Page:
    one, labels = seen.one, seen.labels
    lines = list(_lines(seen.entries))[::-1]
    name = labels.text("alertname") or seen.fingerprint
    commands = list(links.commands(one.alert)) if one else []
    state = one.said.text if one else "ended"
    return Page(
        f"{name}: {state.partition(' ')[0].rstrip(':')}",
        (
            frame.section("alert", "alert.html", one=one, name=name, labels=labels),
            frame.section("told", "told.html", one=one),
            frame.section("story", "story.html", lines=lines, cut=len(seen.entries) >= _LINES),
            frame.section(
                "identity", "identity.html", labels=labels, one=one, fingerprint=seen.fingerprint, commands=commands
            ),
        ),
        health=seen.watched.headline(frame.now).tone.value,
        now=frame.now,
        root=frame.root,
    )
