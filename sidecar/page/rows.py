"""Every check in a row: the worst first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from time import sleep
from typing import Final
from weakref import WeakKeyDictionary

from markupsafe import Markup

from sidecar.api import checks as api
from sidecar.api.paced import paced
from sidecar.checks import Check
from sidecar.model.checks import OFF_HOURS, CheckState, CheckStatus, Verdict
from sidecar.model.families import PROBE_PHASE
from sidecar.model.history import Latency
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.model.outcomes import Outcome
from sidecar.model.uptime import Uptime
from sidecar.page import times
from sidecar.page.daemon import Daemon
from sidecar.page.frame import Frame, Section

DRAWN: Final = 100
"""Checks with graphics and all words; of more, those that are up have one line each."""
_ORDER: Final = {CheckStatus.DOWN: 0, CheckStatus.UNKNOWN: 1, CheckStatus.UP: 2}
_LAST: Final = 3  # what is outside of its hours: nobody waits for it
_MINUTE: Final = 60.0
OUTCOMES: Final = {Verdict.SUCCESS: "up", Verdict.FAILURE: "down", Verdict.UNKNOWN: "unknown"}
"""The word of `graphics.strip` for each verdict."""


@dataclass(frozen=True, slots=True)
class Row:
    """One check as its row shows it."""

    check: Check
    state: CheckState
    reason: str
    uptimes: Mapping[str, Uptime]
    outcomes: Sequence[Outcome]
    latency: Latency | None
    phases: Mapping[str, float]
    next_run: float | None

    @property
    def said(self) -> str:
        """Its last result in words, or why it is in its state."""
        if self.off:
            return "it is not probed at this time"
        last = self.state.last
        return api.words(last) if last is not None and last.ok and self.state.status is CheckStatus.UP else self.reason

    @property
    def notes(self) -> Mapping[str, str | float]:
        """What the last probe found out."""
        return self.state.last.notes if self.state.last else {}

    @property
    def id(self) -> str:
        """Of its element."""
        return f"check-{blake2s(self.check.name.encode(), digest_size=6).hexdigest()}"

    @property
    def off(self) -> bool:
        """Whether it is outside of its hours, so that nobody waits for it."""
        return self.state.reason == OFF_HOURS

    @property
    def strip(self) -> list[str]:
        """Words for `graphics.strip`."""
        return [OUTCOMES[outcome.verdict] for outcome in self.outcomes]

    @property
    def took(self) -> list[float | None]:
        """Seconds of each success, for `graphics.sparkline`."""
        return [outcome.seconds if outcome.verdict is Verdict.SUCCESS else None for outcome in self.outcomes]


@dataclass(slots=True)
class Known:
    """A row that was made before, and what of: while that is the same, so is the row."""

    state: CheckState
    minute: float
    row: Row
    drawn: bool  # else it is shown in short, and has no history
    html: Markup | None = None

    def is_of(self, check: Check, state: CheckState, minute: float, *, drawn: bool) -> bool:
        """Whether nothing has happened since."""
        same = self.state is state and self.row.check is check and self.drawn is drawn
        return same and (self.minute == minute or not drawn)


_known: WeakKeyDictionary[Daemon, dict[str, Known]] = WeakKeyDictionary()


async def gather(daemon: Daemon, now: float) -> list[Known]:
    """Every check, the worst first: down before unknown before up before off, critical before others."""
    states, before = daemon.states(), _known.get(daemon, {})
    watched = sorted(((check, states.get(check.name, CheckState())) for check in daemon.checks), key=_rank)
    found: dict[str, Known] = {}
    took: Mapping[str, Mapping[str, float]] | None = None
    async for n, (check, state) in paced(enumerate(watched)):
        drawn, minute = n < DRAWN, now // _MINUTE
        old = before.get(check.name)
        if old is not None and old.is_of(check, state, minute, drawn=drawn):
            found[check.name] = old
            continue
        if drawn and took is None:
            took = await _every_phase(daemon, now)
        made = row(daemon, check, state, (took or {}).get(check.name, {}), now) if drawn else in_short(check, state)
        found[check.name] = Known(state, minute, made, drawn)
    _known[daemon] = found
    return list(found.values())


def forget(daemon: Daemon) -> None:
    """Nobody looks any more: let go of what was made."""
    _known.pop(daemon, None)


def row(daemon: Daemon, check: Check, state: CheckState, took: Mapping[str, float], now: float) -> Row:
    """*check* as it is; its last probe *took* so many seconds, by phase."""
    history = daemon.history(check.name)
    return Row(
        check=check,
        state=state,
        reason=api.reason(check, state),
        uptimes=history.uptimes(now),
        outcomes=tuple(history.outcomes),
        latency=history.latency(),
        phases=took,
        next_run=daemon.next_run(check.name),
    )


def in_short(check: Check, state: CheckState) -> Row:
    """*check* without its past."""
    return Row(check, state, api.reason(check, state), {}, (), None, {}, None)


async def _every_phase(daemon: Daemon, now: float) -> Mapping[str, Mapping[str, float]]:
    """Seconds of each phase of each check's last probe.

    Asked once for all: the store remembers what is asked of it, and a thousand questions would push out the rules'.
    """
    found: dict[str, dict[str, float]] = {}
    async for one in paced(daemon.querier.select((Matcher("__name__", MatchOp.EQ, PROBE_PHASE.name),))):
        for labels, seconds in api.current([one], now):
            found.setdefault(labels.text("check"), {})[labels.text("phase")] = seconds
    return found


def phases(daemon: Daemon, check: str, now: float) -> Mapping[str, float]:
    """Seconds of each phase of the check's last probe."""
    named = Matcher("__name__", MatchOp.EQ, PROBE_PHASE.name), Matcher("check", MatchOp.EQ, check)
    return api.phases(api.current(daemon.querier.select(named), now))


def _rank(watched: tuple[Check, CheckState]) -> tuple[int, bool, str]:
    check, state = watched
    rank = _LAST if state.reason == OFF_HOURS else _ORDER[state.status]
    return rank, not check.critical, check.name


def section(rows: Sequence[Known], frame: Frame) -> Section:
    """All of them; each row is a part, which is replaced alone as long as their order stays."""
    parts = {}
    for known in rows:
        parts[known.row.id] = _html(known, frame)
        sleep(0)  # on a thread: the event loop gets its turn now, and not when the interpreter takes it from us
    shell = frame.html(
        "checks.html",
        full=[(known.row.check.name, known.row.id, _class(known.row)) for known in rows if known.drawn],
        short=[(known.row.check.name, known.row.id, _class(known.row)) for known in rows if not known.drawn],
        counts=Counter(_class(known.row) for known in rows),
    )
    return Section("checks", shell, parts)


def _class(row: Row) -> str:
    return "off" if row.off else row.state.status.value


def _html(known: Known, frame: Frame) -> Markup:
    if known.html is None:
        known.html = frame.html("row.html" if known.drawn else "row-short.html", row=known.row)
    return times.refreshed(known.html, frame.now)
