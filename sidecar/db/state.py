"""What a turn writes, in one transaction, and what a start finds."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from sidecar.alerts.allowance import WINDOW
from sidecar.alerts.book import Unsaved
from sidecar.alerts.decisions import Turn
from sidecar.alerts.quieting import Ack, Silence
from sidecar.alerts.record import Key, Record
from sidecar.db import alerts, heartbeats, history, meta, names, outbox, quieting, records, uptime
from sidecar.db.heartbeats import Remembered
from sidecar.model.alerts import Alert
from sidecar.model.history import CheckHistory


@dataclass(frozen=True, slots=True)
class State:
    """What the daemon before us left behind."""

    alerts: tuple[Alert, ...] = ()
    records: tuple[Record, ...] = ()
    saved_at: float | None = None  # seconds since the epoch; None when there was no daemon before
    clean: bool = False  # it ended on purpose
    heartbeats: tuple[Remembered, ...] = ()  # what jobs said by calling in
    silences: tuple[Silence, ...] = ()
    acks: tuple[Ack, ...] = ()
    put: tuple[tuple[str, float], ...] = ()  # the channel and time of each message of its last minute, in order
    uptime: Mapping[str, CheckHistory] = field(default_factory=dict)  # by the check's name


def commit(connection: sqlite3.Connection, unsaved: Unsaved, turn: Turn, stepped: float = 0.0) -> frozenset[Key]:
    """Write alerts, records, messages and timeline at once; returns those of `turn.obsolete` that are gone.

    *stepped*: by so many seconds, a negative number, the clock was set back since the last commit.
    """
    if stepped:
        outbox.step(connection, stepped)  # what is put below has the new time already
    alerts.save(connection, unsaved.alerts, unsaved.gone)
    records.save(connection, turn.records)
    history.add(connection, turn.timeline)
    names.save(connection, unsaved.alerts, turn.at)
    outbox.put(connection, turn.notifications)
    dropped = records.drop(connection, turn.obsolete)
    meta.alive(connection, turn.at)
    history.prune(connection, turn.at)
    return dropped


def load(connection: sqlite3.Connection) -> State:
    """What was saved; from now on the end of the daemon is a crash until `meta.stopped` says otherwise."""
    silences, acks = quieting.load(connection)
    saved_at = meta.saved_at(connection)
    state = State(
        alerts.load(connection),
        records.load(connection),
        saved_at,
        meta.was_clean(connection),
        heartbeats.load(connection),
        silences,
        acks,
        history.put_since(connection, saved_at - WINDOW) if saved_at is not None else (),
        uptime.load(connection),
    )
    meta.started(connection)
    return state
