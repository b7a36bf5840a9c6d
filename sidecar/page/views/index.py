"""Everything at one glance: how it goes, what fires, and what speaks for it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final

from sidecar.api.health import Configuration
from sidecar.api.summary import Count
from sidecar.model import families
from sidecar.model.alerts import AlertState
from sidecar.page import alerts, headline, numbers, rows, ruling, telling
from sidecar.page import lately as late
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Frame, Page, Section
from sidecar.page.times import clock
from sidecar.page.writing import words

_KINDS: Final = 12
"""Kinds of requests to Claude that are shown, the failed first."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that the page shows."""

    watched: headline.Watched
    firing: alerts.Found
    pending: alerts.Found
    ended: alerts.Found  # a moment ago, so that something may still be owed
    checks: Sequence[rows.Known]
    numbers: numbers.Numbers
    lately: late.Lately
    channels: Sequence[telling.Told]
    quiet: telling.Quiet
    configuration: Configuration
    rules: int
    failing: int  # of these, how many cannot be evaluated
    pod: str
    path: str
    retention: float


async def look(daemon: Daemon, _: str, /) -> Callable[[], Page]:
    """The status as it is now."""
    now = daemon.now()
    checks = await rows.gather(daemon, now)
    firing = await alerts.gather(daemon, AlertState.FIRING, now)
    pending = await alerts.gather(daemon, AlertState.PENDING, now)
    ended = await alerts.gather(daemon, AlertState.ENDED, now)
    over, found = await late.lately(daemon, now), numbers.gather(daemon, now)
    seen = _Seen(
        watched=headline.Watched.of(daemon),
        firing=firing,
        pending=pending,
        ended=ended,
        checks=checks,
        numbers=found,
        lately=over,
        channels=await telling.channels(daemon, found.hour, over.given_up, now),
        quiet=telling.quiet(daemon, now),
        configuration=daemon.configuration,
        rules=len(daemon.rules),
        failing=ruling.failing(daemon),
        pod=daemon.pod,
        path=str(daemon.database.path or ""),
        retention=daemon.retention,
    )
    return partial(_page, seen, Frame(now, timezone=daemon.timezone))


def forget(daemon: Daemon) -> None:
    """Nobody looks any more: let go of what was kept for the next look."""
    rows.forget(daemon)
    late.forget(daemon)


def _page(seen: _Seen, frame: Frame) -> Page:
    head = seen.watched.headline(frame.now)
    return Page(
        head.text,
        (*_first(seen, head, frame), *_then(seen, frame)),
        health=head.tone.value,
        now=frame.now,
        root=frame.root,
    )


def _first(seen: _Seen, head: headline.Headline, frame: Frame) -> Iterator[Section]:
    """What somebody who was woken wants to know."""
    reason = next((known.row.reason for known in seen.checks if known.row.check.name == head.check), "")
    about = [one.said.blame for one in seen.firing.shown if head.check and one.check == head.check]
    yield frame.section(
        "headline",
        "headline.html",
        headline=head,
        reason=reason,
        blame=next(filter(None, about), ""),
        quieted=_quieted(seen.firing),
        notes=list(_notes(seen)),
    )
    yield frame.section("firing", "firing.html", firing=seen.firing)
    yield frame.section("pending", "pending.html", pending=seen.pending)
    yield rows.section(seen.checks, frame)
    active = {alert.fingerprint for alert in seen.watched.alerts if alert.state is not AlertState.ENDED}
    over = [one for one in seen.lately.ended if one.fingerprint not in active]
    owed = {one.alert.fingerprint: one for one in seen.ended.shown}
    yield frame.section("ended", "ended.html", ended=over, owed=owed)


def _then(seen: _Seen, frame: Frame) -> Iterator[Section]:
    """What speaks for it, and whether we are well ourselves."""
    found, period = seen.numbers, _period(seen.numbers.since, frame.now)
    targets = {one.labels.get("target") for one in found.distributions}
    yield frame.section(
        "claude",
        "claude.html",
        numbers=found,
        period=period,
        longer=frame.now - found.since > numbers.MINUTES,
        several_targets=len(targets) > 1,
        requests=sorted(found.requests, key=_badness)[:_KINDS],
    )
    yield frame.section("channels", "channels.html", channels=seen.channels, dead=seen.lately.dead, period=period)
    yield frame.section("quiet", "quiet.html", quiet=seen.quiet)
    yield frame.section("lost", "lost.html", lost=found.lost, period=period)
    yield frame.section(
        "itself",
        "itself.html",
        version=version("claude-sidecar"),
        pod=seen.pod,
        itself=found.itself,
        configuration=seen.configuration,
        path=seen.path,
        retention=seen.retention,
    )


def _quieted(firing: alerts.Found) -> str:
    """How many of the alerts that fire somebody knows of, or wants to hear nothing of."""
    known = sum(one.ack is not None or bool(one.silences) for one in firing.shown)
    total = len(firing.shown) + firing.more
    if not known:
        return ""
    which = "It is" if total == 1 else "All are" if known == total else f"{known} of the {total} alerts are"
    return which + " acknowledged or silenced"


def _notes(seen: _Seen) -> Iterator[tuple[str, str]]:
    """What is wrong with ourselves, and where more is said of it."""
    if seen.configuration.problem:
        what = "the last good configuration runs" if seen.configuration.last_good else "what ran before goes on"
        yield f"The configuration files have a mistake; {what}.", "configuration"
    if seen.numbers.itself[families.DATABASE_WRITABLE.name] == 0:
        yield "The database cannot be written: what is decided now is not remembered after a restart.", ""
    if seen.numbers.itself[families.CONNECTIVITY_UP.name] == 0:
        yield "This machine's own network is away: what fails now may be our own fault.", ""
    if seen.failing:
        verb = "it judges" if seen.failing == 1 else "they judge"
        yield f"{words(seen.failing, 'rule')} cannot be evaluated: what {verb} is not watched.", "configuration#rules"
    if not seen.rules:
        yield "The configuration has no rules: whatever happens, nobody is told.", ""
    elif not seen.channels:
        yield "The configuration has no channels: nobody is told.", ""
    silent = [one.name for one in seen.channels if one.open]
    if silent:
        yield f"Messages do not get through to {', '.join(silent)}.", "#channels"


def _badness(count: Count) -> tuple[bool, float]:
    return count.labels.get("outcome") == "ok", -count.count


def _period(since: float, now: float) -> str:
    """From when on the numbers are: never more than what is remembered."""
    return "the last hour" if now - since >= numbers.HOUR else f"since {clock(since, now)}"
