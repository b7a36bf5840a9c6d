"""Who is told, and whether they hear it: the channels, and what people said about alerts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sidecar.alerts.quieting import Ack, Silence, SilenceState
from sidecar.api.summary import Summary
from sidecar.db import outbox
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
    lost: float  # messages that were given up in the last hour
    dead: int  # messages that were given up in the last day

    @property
    def well(self) -> bool:
        return not (self.open or self.lost or self.dead or self.oldest > 60)


async def channels(daemon: Daemon, hour: Summary, given_up: Mapping[str, int], now: float) -> list[Told]:
    """Every channel of the configuration, and those that left it and for which something still waits."""
    types, paces = daemon.channels, daemon.paces
    depths = await daemon.database.run(outbox.depths)
    results: Counter[tuple[str, bool]] = Counter()
    for one in hour.deliveries:
        results[one.labels.get("channel", ""), one.labels.get("result") == "delivered"] += round(one.count)
    return [
        Told(
            name=name,
            type=types.get(name, ""),
            known=name in types,
            open=name in paces and paces[name].open,
            waiting=depths[name].rows if name in depths else 0,
            oldest=max(0.0, now - depths[name].since) if name in depths else 0.0,
            delivered=results[name, True],
            lost=results[name, False],
            dead=given_up.get(name, 0),
        )
        for name in sorted({*types, *given_up, *depths})
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
