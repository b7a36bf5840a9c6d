"""How long checks were up, in the file."""

import sqlite3
from contextlib import closing

import pytest

from sidecar.db import copying, files, state, uptime
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.history import CheckHistory
from sidecar.model.uptime import Uptime

NOON = 1_777_636_800.0


@pytest.fixture
def connection():
    """The tables, in memory."""
    connection = files.in_memory()
    yield connection
    connection.close()


def seen(seconds: float = 600.0) -> CheckHistory:
    """A check that was up for so long, and then down for a minute since noon."""
    history = CheckHistory()
    history.learn(CheckState(CheckStatus.UP), ProbeResult(NOON - seconds, 0.25), NOON)
    history.learn(CheckState(CheckStatus.DOWN), ProbeResult(NOON, 10.0, "timeout"), NOON)
    history.settle(NOON + 60)
    return history


def test_a_history_comes_back(connection):
    """Outcomes and spans are read as they were written, what is seen now up to then; what is gone is not."""
    uptime.save(connection, [uptime.row("gateway", seen()), uptime.row("old", seen())])
    uptime.save(connection, [uptime.row("gateway", seen(900.0))], gone=["old", "never there"])

    found = uptime.load(connection)

    assert list(found) == ["gateway"]
    assert found["gateway"].uptime(3600.0, NOON + 90) == Uptime(900.0, 60.0)
    assert found["gateway"].recent(9) == seen(900.0).recent(9)
    assert state.load(connection).uptime.keys() == {"gateway"}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("spans = x'00ff'", id="half a number"),
        pytest.param("spans = 'text'", id="text for bytes"),
        pytest.param("outcomes = x'00'", id="half an outcome"),
        pytest.param("outcomes = zeroblob(12) || x'09'", id="no verdict"),
    ],
)
def test_one_bad_row_is_left_out(connection, damage):
    """A history that cannot be read does not keep the others away."""
    uptime.save(connection, [uptime.row("bad", seen()), uptime.row("good", seen())])
    connection.execute(f"UPDATE uptime SET {damage} WHERE name = 'bad'")

    assert list(uptime.load(connection)) == ["good"]


def test_it_moves_to_memory_and_back(connection):
    """A disk that fails takes no history with it."""
    with closing(files.in_memory()) as file:
        uptime.save(file, [uptime.row("gateway", seen())])
        copying.to_memory(file, connection)
        file.execute("DELETE FROM uptime")
        copying.to_file(connection, file, 0, keep_outbox=False)

        assert list(uptime.load(file)) == ["gateway"]


def test_a_database_from_before(tmp_path):
    """A file without the table gets it, and keeps what it had."""
    path = tmp_path / "sidecar.db"
    with files.open_file(path, NOON) as old:
        old.execute("DROP TABLE uptime")
        old.execute("INSERT INTO meta VALUES ('saved_at', '1.5')")
        old.execute("PRAGMA user_version = 4")
    old.close()

    new = files.open_file(path, NOON)

    assert uptime.load(new) == {}
    assert new.execute("SELECT value FROM meta").fetchone() == ("1.5",)
    new.close()


def test_what_is_no_number_is_refused_by_the_table(connection):
    """A row is whole, or it is not there."""
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO uptime (name, spans) VALUES ('half', x'')")
