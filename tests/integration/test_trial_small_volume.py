"""What the database needs of a small volume."""

from pathlib import Path

from sidecar.db import files, meta


def test_the_file_needs_little_more_room_than_what_it_holds(tmp_path: Path):
    """After thousands of commits the log beside the file is still a small one: a full volume could not shrink it."""
    path = tmp_path / "sidecar.db"
    connection = files.open_file(path, 0.0)
    for second in range(3000):
        connection.execute("BEGIN IMMEDIATE")
        meta.alive(connection, float(second))
        connection.execute("COMMIT")

    beside = tmp_path / "sidecar.db-wal"
    assert beside.stat().st_size < 1024 * 1024
    connection.close()
