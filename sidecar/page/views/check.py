"""One check: how it is, why, what its probes saw, and how it has been."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import quote

from sidecar.api import checks as api
from sidecar.api.paced import paced
from sidecar.model.checks import OFF_HOURS, CheckState, CheckStatus, Evidence, ProbeResult
from sidecar.model.labels import Labels
from sidecar.model.outcomes import MOST
from sidecar.model.uptime import WINDOWS
from sidecar.page import alerts, headline, rows
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Frame, Page, Section
from sidecar.page.views import MissingError
from sidecar.templating.safe import number

_SERIES: Final = 200
"""Series that are shown."""
_ALERTS: Final = 20


@dataclass(frozen=True, slots=True)
class _Near:
    """A check that this one stands on, or that stands on this one."""

    name: str
    status: CheckStatus | None  # None: there is no such check
    off: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that the page shows."""

    row: rows.Row
    watched: headline.Watched
    about: Sequence[alerts.Shown]
    more_alerts: int
    series: Sequence[tuple[Labels, float]]
    below: Sequence[_Near]
    above: Sequence[_Near]
    url: str  # where people reach the daemon; empty when nobody said


@dataclass(frozen=True, slots=True)
class _Badge:
    """One badge: its words for who cannot see it, and where it is from the root."""

    text: str
    path: str


async def look(daemon: Daemon, name: str, /) -> Callable[[], Page]:
    """The check of that name as it is now."""
    now, checks = daemon.now(), {check.name: check for check in daemon.checks}
    if name not in checks:
        known = ", ".join(sorted(checks)[:50]) or "none"
        raise MissingError(f"got the check {name[:80]!r}, expected one of: {known}")
    check, states = checks[name], daemon.states()
    about = [alert for alert in daemon.book.alerts() if alert.labels.text("check") == name]
    about.sort(key=lambda alert: (not alert.firing, -(alert.fired_at or alert.active_at)))
    seen = _Seen(
        row=rows.row(daemon, check, states.get(name, CheckState()), rows.phases(daemon, name, now), now),
        watched=headline.Watched.of(daemon),
        about=await alerts.shown(about[:_ALERTS], daemon, now),
        more_alerts=max(0, len(about) - _ALERTS),
        series=await _live(daemon, name, now),
        below=list(_near(check.depends_on, states)),
        above=list(_near([one.name for one in daemon.checks if name in one.depends_on], states)),
        url=daemon.external_url.rstrip("/"),
    )
    return partial(_page, seen, Frame(now, "../", daemon.timezone))


async def _live(daemon: Daemon, name: str, now: float) -> list[tuple[Labels, float]]:
    """The check's series, without the buckets of histograms; a check that scrapes others may have thousands."""
    return [
        found
        async for one in paced(daemon.series(name))
        if not one.labels.name.endswith("_bucket")
        for found in api.current([one], now)
    ]


def _near(names: Sequence[str], states: Mapping[str, CheckState]) -> Iterator[_Near]:
    for name in names:
        state = states.get(name)
        yield _Near(name, state.status if state else None, state is not None and state.reason == OFF_HOURS)


def _page(seen: _Seen, frame: Frame) -> Page:
    row = seen.row
    return Page(
        f"{row.check.name}: {'off' if row.off else row.state.status.value}",
        tuple(_sections(seen, frame)),
        health=seen.watched.headline(frame.now).tone.value,
        now=frame.now,
        root=frame.root,
    )


def _sections(seen: _Seen, frame: Frame) -> Iterator[Section]:
    row, check = seen.row, seen.row.check
    yield frame.section(
        "check",
        "check.html",
        row=row,
        schedule=api.schedule(check),
        advice=_advice(row.state),
        below=seen.below,
        above=seen.above,
    )
    yield frame.section("check-alerts", "check-alerts.html", about=seen.about, more=seen.more_alerts)
    room: list[float | None] = [None] * (MOST - len(row.took))  # so that the line stands below the strip
    yield frame.section("past", "check-past.html", row=row, windows=WINDOWS, took=room + row.took)
    yield frame.section("last", "check-last.html", row=row, said=_said(row.state.last))
    yield frame.section("failure", "check-failure.html", **_failure(row.state))
    yield frame.section("series", "check-series.html", **_series(seen.series))
    yield frame.section("badges", "check-badges.html", badges=_badges(check.name), url=seen.url)


def _advice(state: CheckState) -> str:
    """What to do about a check that is not well, as its last probe says."""
    said = state.last_failure if state.status is CheckStatus.DOWN else state.last
    return str(said.notes.get("next_step", "")) if said is not None and not said.ok else ""


def _said(result: ProbeResult | None) -> str:
    return api.words(result) if result is not None else ""


def _failure(state: CheckState) -> Mapping[str, object]:
    failure = state.last_failure
    return {
        "failure": failure,
        "said": _said(failure),
        "evidence": (failure.evidence if failure is not None else None) or Evidence(),
        "latest": failure is not None and failure is state.last,
        "over": state.status is CheckStatus.UP,
    }


def _series(found: Sequence[tuple[Labels, float]]) -> Mapping[str, object]:
    """The series, less the labels that all have, which are told once."""
    shown = found[:_SERIES]
    common = dict(set.intersection(*(set(labels.items()) for labels, _ in shown))) if len(shown) > 1 else {}
    return {
        "series": [(str(labels.without(*common)), number(value)) for labels, value in shown],
        "common": {name: common[name] for name in sorted(common)},
        "more": len(found) - len(shown),
    }


def _badges(name: str) -> list[_Badge]:
    place = f"badges/checks/{quote(name, safe='')}"
    return [
        _Badge(name, f"{place}/state.svg"),
        *(_Badge(f"{name} uptime {window}", f"{place}/uptime/{window}.svg") for window in WINDOWS),
        _Badge(f"{name} latency", f"{place}/latency.svg"),
    ]
