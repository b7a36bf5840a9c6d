"""The log in a file of bounded size, for whoever has no collector of standard error."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field

log = structlog.get_logger(__name__)

RETRY: Final = 30.0
"""Seconds after which a file that could not be written is tried again."""
MIB: Final = 1024 * 1024


class LogFileSettings(BaseModel):
    """A file that gets every line of the log, too: as JSON, whatever standard error has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(
        min_length=1, description="The file; its folder is made if need be.", examples=["/var/log/sidecar"]
    )
    max_mib: int = Field(
        10, ge=1, le=10_000, description="Size in MiB at which it gets the suffix .1 and another begins."
    )
    keep: int = Field(3, ge=0, le=100, description="How many older files are kept, with the suffixes .1, .2 and so on.")


class LogFile(logging.Handler):
    """Appends to the file of *settings*, and takes up a new one when somebody moved it away.

    A file that cannot be written loses lines and nothing else: that is said once on the other handlers, and it is tried
    again every 30 s.
    """

    def __init__(self, settings: LogFileSettings, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._path = Path(settings.path)
        self._largest = settings.max_mib * MIB
        self._keep = settings.keep
        self._monotonic = monotonic
        self._file: int | None = None
        self._torn = False  # whether the last line may be there in part
        self._again = 0.0  # when a broken file is tried again; 0 when it is not broken

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; never raises."""
        if self._again and self._monotonic() < self._again:
            return
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:  # noqa: BLE001 -- as the standard library's handlers do it
            self.handleError(record)
            return
        try:
            self._write(line)
        except OSError as exc:
            self._broken(exc)
            return
        if self._again:
            self._again = 0.0
            log.info("log.file_writable", path=str(self._path))

    def close(self) -> None:
        """Let go of the file."""
        self._release()
        super().close()

    def _write(self, line: bytes) -> None:
        file = self._current()
        size = os.fstat(file).st_size
        if size and size + len(line) > self._largest:
            self._rotate()
            file, size = self._current(), 0
        if self._torn and size:
            line = b"\n" + line
        self._torn = True
        while line:
            line = line[os.write(file, line) :]
        self._torn = False

    def _current(self) -> int:
        """The file under its name, whichever that is now."""
        if self._file is not None and not _is(self._path, self._file):
            self._release()
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        return self._file

    def _rotate(self) -> None:
        """The file becomes the first of the older ones; the last of these goes."""
        self._release()
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{n + 1}") for n in range(self._keep))]
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            if newer.exists():
                newer.replace(older)
        if not self._keep:
            self._path.unlink()

    def _release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _broken(self, exc: OSError) -> None:
        self._release()
        first, self._again = not self._again, self._monotonic() + RETRY
        if first:  # this handler skips it: its time to try again has not come
            log.error("log.file_unwritable", path=str(self._path), error=exc.strerror, again_in=RETRY)


def _is(path: Path, file: int) -> bool:
    """Whether *path* still names the open *file*."""
    try:
        there, here = path.stat(), os.fstat(file)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
