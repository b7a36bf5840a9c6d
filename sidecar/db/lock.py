"""One daemon per file."""

import errno
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import structlog

from sidecar.db.errors import DatabaseInUse

_log = structlog.get_logger(__name__)

_UNSUPPORTED: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
"""What file systems say that know no locks: no reason to do without the file."""


class FileLock:
    """A lock beside the database, held as long as the process lives; the kernel releases it, whatever happens."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, database: Path, now: float) -> Self:
        """Lock *database*; DatabaseInUse names who has it, OSError when there can be no lock file."""
        path = database.with_name(database.name + ".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            held = os.pread(descriptor, 4096, 0)
            os.close(descriptor)
            raise DatabaseInUse(f"the database {database} is in use by {_holder(held)}; one daemon per file") from exc
        except OSError as exc:
            if exc.errno not in _UNSUPPORTED:
                os.close(descriptor)
                raise
            _log.warning(
                "database.no_locks", path=str(path), error=exc.strerror, consequence="two daemons would collide"
            )
        lock = cls(descriptor)
        lock._sign(now)
        return lock

    def release(self) -> None:
        """Let go; the file stays, because removing it would race with who waits for it."""
        os.close(self._descriptor)

    def _sign(self, now: float) -> None:
        signed = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now})
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, signed.encode(), 0)
        except OSError:  # a full disk: the lock holds, it only cannot say whose it is
            pass


def _holder(signed: bytes) -> str:
    try:
        holder = json.loads(signed)
        since = datetime.fromtimestamp(holder["since"], UTC).isoformat(timespec="seconds")
        return f"process {holder['pid']} on {holder['host']} since {since}"
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return "another process"
