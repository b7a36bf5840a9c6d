"""Uptime against what a witness with a list of seconds would say."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.history import CheckHistory
from sidecar.model.outcomes import Outcomes
from sidecar.model.uptime import WINDOWS, Spans, Uptime

NOON = 1_777_636_800.0
HOLDS = 900
UP, DOWN, UNKNOWN = CheckStatus.UP, CheckStatus.DOWN, CheckStatus.UNKNOWN

WAIT = st.one_of(st.integers(1, 90), st.sampled_from([700, 2000, 5000]))
PROBE = st.tuples(st.just("probe"), st.sampled_from([UP, UP, UP, DOWN, UNKNOWN]))
HAP = st.one_of(
    st.tuples(st.just("lapse"), st.none()),
    st.tuples(st.just("step"), st.sampled_from([-4000, -70, -3, 3, 70, 4000])),
    st.tuples(st.just("save"), st.none()),
    st.tuples(st.just("crash"), st.integers(1, 300)),
)
MOVES = st.lists(st.tuples(WAIT, st.one_of(PROBE, PROBE, HAP)), min_size=6, max_size=20)


@dataclass
class Witness:
    """Writes down each second that somebody saw, and nothing else."""

    now: int = 0
    status: CheckStatus = UNKNOWN
    heard: int = 0  # when the last probe ended
    seconds: list[tuple[int, CheckStatus]] = field(default_factory=list)
    saved: list[tuple[int, CheckStatus]] = field(default_factory=list)

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            if self.status is not UNKNOWN and self.now < self.heard + HOLDS:
                self.seconds.append((self.now, self.status))
            self.now += 1

    def step(self, seconds: int) -> None:
        self.now, self.heard = self.now + seconds, self.heard + seconds
        if seconds < 0:
            self.seconds = [(at + seconds, status) for at, status in self.seconds]

    def crash(self, away: int) -> None:
        self.now, self.status, self.seconds = self.now + away, UNKNOWN, list(self.saved)

    def uptime(self, window: float) -> Uptime:
        seen = [status for at, status in self.seconds if at >= self.now - window]
        return Uptime(seen.count(UP), seen.count(DOWN))


@settings(max_examples=50, deadline=None)
@given(MOVES)
def test_nothing_counts_that_nobody_saw(moves):
    """Probes, lapses, a process that stands still, jumps of the clock and crashes: each second is as it was seen."""
    witness, history, file = Witness(), CheckHistory(), CheckHistory()
    for seconds, (move, much) in moves:
        witness.wait(seconds)
        _agree(history, witness)
        now = NOON + witness.now
        match move:
            case "probe":
                history.learn(CheckState(much), ProbeResult(now, 0.1), now, HOLDS)
                witness.status, witness.heard = much, witness.now
            case "lapse":
                history.learn(CheckState(), None, now)
                witness.status = UNKNOWN
            case "step":
                witness.step(much)
                history.step(much, NOON + witness.now)
                # What is written down next is all that was seen, at its new place.
                file, witness.saved = _read(history), list(witness.seconds)
            case "save":
                history.settle(now)
                file, witness.saved = _read(history), list(witness.seconds)
            case "crash":
                history = _read(file)
                witness.crash(much)
        _agree(history, witness)


def _agree(history: CheckHistory, witness: Witness) -> None:
    found = history.uptimes(NOON + witness.now)
    assert {name: Uptime(round(one.up, 6), round(one.down, 6)) for name, one in found.items()} == {
        name: witness.uptime(window) for name, window in WINDOWS.items()
    }


def _read(history: CheckHistory) -> CheckHistory:
    return CheckHistory(Outcomes(history.outcomes.to_bytes()), Spans(history.spans.to_bytes()))
