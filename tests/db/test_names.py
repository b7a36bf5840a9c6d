"""Who the alerts of the history are."""

import sqlite3

import pytest

from sidecar.db import names
from sidecar.db.migrations import migrate
from sidecar.model.alerts import Alert, AlertState, RuleKey
from sidecar.model.labels import Labels


@pytest.fixture
def connection():
    """The tables, in memory."""
    found = sqlite3.connect(":memory:", isolation_level=None)
    migrate(found)
    yield found
    found.close()


def alert(name: str, **labels: str) -> Alert:
    return Alert(RuleKey("g", name), Labels(labels, alertname=name), AlertState.FIRING, 1.0, 1.0)


def test_alerts_are_known_by_name_and_by_fingerprint(connection):
    """An alert that is long over is found by its name, the latest first, and by its fingerprint."""
    old, new = alert("Down", check="a"), alert("Down", check="b")
    names.save(connection, [old, alert("Other")], 10.0)
    names.save(connection, [new], 20.0)

    assert [one.labels for one in names.known(connection, "Down")] == [new.labels, old.labels]
    assert len(names.known(connection)) == 3
    assert len(names.known(connection, limit=1)) == 1
    assert names.of(connection, old.fingerprint) == names.Named(old.fingerprint, old.labels, 10.0)
    assert names.of(connection, "0" * 16) is None


def test_the_oldest_are_forgotten(connection, monkeypatch):
    """What changed too long ago goes, and whatever is beyond the limit."""
    monkeypatch.setattr(names, "MOST", 2)
    for at in range(5):
        names.save(connection, [alert(f"A{at}")], float(at))

    names.prune(connection, before=1.0)

    assert [one.labels.text("alertname") for one in names.known(connection)] == ["A4", "A3"]


def test_a_row_that_cannot_be_read_hides_no_other(connection):
    """Whatever somebody else wrote into the table is passed over."""
    names.save(connection, [alert("Good")], 1.0)
    connection.execute("INSERT INTO names VALUES ('f', 'Bad', 'no json', 2.0)")

    assert [one.labels.text("alertname") for one in names.known(connection)] == ["Good"]
