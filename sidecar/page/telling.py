"""Who is told, and whether they hear it: the channels, and what people said about alerts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.alerts.quieting import Ack, Silence, SilenceState
from sidecar.api.summary import Summary
from sidecar.db.outbox import DeadLetter
from sidecar.model.alerts import Alert
from sidecar.page.daemon import Daemon


@dataclass(frozen=True, slots=True)
class Told:
    """One channel: what waits for it, and what became of its messages in the last hour."""

    name: str
    type: str
    known: bool  # whether it is in the configuration
    open: bool  # whether its circuit breaker is
    waiting: float
    oldest: float  # seconds
    delivered: float
    lost: float  # messages that were given up
    dead: int  # letters of the last day

    @property
    def well(self) -> bool:
        return not (self.open or self.lost or self.dead or self.oldest > 60)


def channels(daemon: Daemon, hour: Summary, dead: Sequence[DeadLetter]) -> list[Told]:
    """Every channel of the configuration, and those for which something still waits."""
    types, paces = daemon.channels, daemon.paces
    queues = {queue.channel: queue for queue in hour.outbox}
    letters = Counter(letter.notification.channel for letter in dead)
    results: Counter[tuple[str, bool]] = Counter()
    for one in hour.deliveries:
        results[one.labels.get("channel", ""), one.labels.get("result") == "delivered"] += round(one.count)
    return [
        Told(
            name=name,
            type=types.get(name, ""),
            known=name in types,
            open=name in paces and paces[name].open,
            waiting=queues[name].waiting if name in queues else 0,
            oldest=queues[name].oldest_seconds if name in queues else 0,
            delivered=results[name, True],
            lost=results[name, False],
            dead=letters[name],
        )
        for name in sorted({*types, *letters, *(name for name, queue in queues.items() if queue.waiting)})
    ]


@dataclass(frozen=True, slots=True)
class Quiet:
    """What people said: silences that hold or are to come, and acknowledgements of what fires."""

    silences: Sequence[tuple[Silence, SilenceState, int]]  # with how many alerts each covers now
    acks: Sequence[tuple[Ack, Alert]]


def quiet(daemon: Daemon, now: float) -> Quiet:
    """What holds now, and what is to come."""
    state = daemon.quieter.state
    alerts = {alert.fingerprint: alert for alert in daemon.book.alerts()}
    silences = [(one, one.state(now)) for one in state.silences]
    return Quiet(
        [
            (one, of, sum(one.matches(alert.labels) for alert in alerts.values() if alert.firing))
            for one, of in silences
            if of is not SilenceState.EXPIRED
        ],
        [
            (ack, alerts[ack.fingerprint])
            for ack in state.acks
            if ack.fingerprint in alerts and ack.covers(alerts[ack.fingerprint])
        ],
    )
