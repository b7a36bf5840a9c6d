"""The one SQLite file."""

from sidecar.db.database import Database
from sidecar.db.errors import DatabaseError, DatabaseInUse, NewerDatabase

__all__ = ["Database", "DatabaseError", "DatabaseInUse", "NewerDatabase"]
