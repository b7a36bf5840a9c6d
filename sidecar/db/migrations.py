"""The tables, step by step from the first release; each step is one transaction."""

import sqlite3
from typing import Final

from sidecar.db.errors import NewerDatabase

STEPS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE alerts (fingerprint TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE records (
            fingerprint TEXT NOT NULL,
            channel TEXT NOT NULL,
            open INTEGER NOT NULL,
            opened_at REAL,
            told_at REAL,
            n INTEGER NOT NULL,
            flips INTEGER NOT NULL,
            hushed INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            firing_since REAL,
            ended_at REAL,
            reason TEXT NOT NULL,
            PRIMARY KEY (fingerprint, channel)
        ) WITHOUT ROWID""",
        """CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which messages were put
            id TEXT NOT NULL UNIQUE,
            channel TEXT NOT NULL,
            kind TEXT NOT NULL,
            body TEXT NOT NULL,
            waiting_since REAL NOT NULL,  -- also of what it replaced
            expires_at REAL NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            maybe INTEGER NOT NULL DEFAULT 0,
            partly INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX outbox_by_channel ON outbox (channel, seq)",
        """CREATE TABLE outbox_alerts (
            fingerprint TEXT NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (fingerprint, seq)
        ) WITHOUT ROWID""",
        "CREATE INDEX outbox_alerts_by_seq ON outbox_alerts (seq)",
        """CREATE TABLE dead_letters (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL,
            channel TEXT NOT NULL,
            kind TEXT NOT NULL,
            body TEXT NOT NULL,
            died_at REAL NOT NULL,
            reason TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            maybe INTEGER NOT NULL
        )""",
        """CREATE TABLE timeline (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at REAL NOT NULL,
            fingerprint TEXT NOT NULL,
            event TEXT NOT NULL,
            text TEXT NOT NULL,
            channel TEXT NOT NULL,
            message TEXT NOT NULL,
            due REAL
        )""",
        "CREATE INDEX timeline_by_fingerprint ON timeline (fingerprint, seq)",
    ),
    (
        """CREATE TABLE names (
            fingerprint TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            labels TEXT NOT NULL,
            seen_at REAL NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX names_by_name ON names (name, seen_at)",
        "CREATE INDEX names_by_time ON names (seen_at)",
    ),
    ("CREATE TABLE heartbeats (name TEXT PRIMARY KEY, terms TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",),
    (
        "CREATE TABLE silences (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE acks (fingerprint TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        """CREATE TABLE uptime (
            name TEXT PRIMARY KEY,
            spans BLOB NOT NULL,
            outcomes BLOB NOT NULL
        )""",
    ),
)


def check(connection: sqlite3.Connection) -> int:
    """The version of the tables; NewerDatabase when it is ahead of us. Writes nothing."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise NewerDatabase(
            f"the database has version {version}, expected {len(STEPS)} at most: a newer sidecar wrote it; "
            "run that one, or set `database` to another path"
        )
    return int(version)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date."""
    version = check(connection)
    for number, step in enumerate(STEPS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in step:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
