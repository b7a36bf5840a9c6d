"""Silences and acknowledgements, so that a restart does not forget them."""

import json
import sqlite3
from collections.abc import Iterable

import structlog

from sidecar.alerts.quieting import Ack, Quieting, Silence
from sidecar.alerts.timeline import Entry
from sidecar.db import history
from sidecar.model.errors import SidecarError
from sidecar.model.matchers import Matcher, MatchOp

_log = structlog.get_logger(__name__)


def put_silence(connection: sqlite3.Connection, silence: Silence, entries: Iterable[Entry] = ()) -> None:
    """Remember *silence*, and what it changed for which alerts."""
    body = {
        "matchers": [[matcher.name, matcher.op.value, matcher.value] for matcher in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
    }
    connection.execute("INSERT OR REPLACE INTO silences (id, body) VALUES (?, ?)", (silence.id, json.dumps(body)))
    history.add(connection, entries)


def put_ack(connection: sqlite3.Connection, ack: Ack, entries: Iterable[Entry] = ()) -> None:
    """Remember *ack*."""
    body = {"at": ack.at, "by": ack.by, "comment": ack.comment, "since": list(ack.since)}
    row = (ack.fingerprint, json.dumps(body))
    connection.execute("INSERT OR REPLACE INTO acks (fingerprint, body) VALUES (?, ?)", row)
    history.add(connection, entries)


def save(connection: sqlite3.Connection, state: Quieting) -> None:
    """Remember all of *state*."""
    for silence in state.silences:
        put_silence(connection, silence)
    for ack in state.acks:
        put_ack(connection, ack)


def forget(
    connection: sqlite3.Connection, silences: Iterable[str], acks: Iterable[str], entries: Iterable[Entry] = ()
) -> None:
    """Forget these ids and fingerprints."""
    connection.executemany("DELETE FROM silences WHERE id = ?", [(id_,) for id_ in silences])
    connection.executemany("DELETE FROM acks WHERE fingerprint = ?", [(fingerprint,) for fingerprint in acks])
    history.add(connection, entries)


def load(connection: sqlite3.Connection) -> tuple[tuple[Silence, ...], tuple[Ack, ...]]:
    """All that is remembered; one row that cannot be read hides no other."""
    silences, acks = [], []
    for id_, body in connection.execute("SELECT id, body FROM silences ORDER BY id"):
        try:
            silences.append(_silence(id_, json.loads(body)))
        except (ValueError, TypeError, KeyError, SidecarError) as exc:
            _log.error("silence.unreadable", id=id_, error=type(exc).__name__)
    for fingerprint, body in connection.execute("SELECT fingerprint, body FROM acks ORDER BY fingerprint"):
        try:
            found = json.loads(body)
            since = tuple(float(at) for at in found["since"])
            acks.append(Ack(fingerprint, float(found["at"]), str(found["by"]), str(found["comment"]), since))
        except (ValueError, TypeError, KeyError) as exc:
            _log.error("ack.unreadable", fingerprint=fingerprint, error=type(exc).__name__)
    return tuple(silences), tuple(acks)


def _silence(id_: str, found: dict[str, object]) -> Silence:
    matchers, starts, ends = found["matchers"], found["starts_at"], found["ends_at"]
    if not isinstance(matchers, list) or not isinstance(starts, float | int) or not isinstance(ends, float | int):
        raise TypeError("no silence")
    read = tuple(Matcher(str(name), MatchOp(op), str(value)) for name, op, value in matchers)
    return Silence(id_, read, float(starts), float(ends), str(found["created_by"]), str(found["comment"]))
