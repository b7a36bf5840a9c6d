"""What the daemon itself uses: processor, memory, files."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sidecar.model.families import (
    PROCESS_CPU,
    PROCESS_MAX_FDS,
    PROCESS_OPEN_FDS,
    PROCESS_RESIDENT,
    PROCESS_START,
    PROCESS_VIRTUAL,
)
from sidecar.model.samples import Update


class ProcessReader:
    """Reads one process under *proc*, in the words of Prometheus' client libraries.

    Where there is no such folder, or a part of it may not be read, those numbers are absent.
    """

    def __init__(
        self,
        proc: Path = Path("/proc"),
        pid: str = "self",
        *,
        ticks_per_second: int | None = None,
        page_size: int | None = None,
    ) -> None:
        self._proc = proc
        self._process = proc / pid
        self._ticks = ticks_per_second or os.sysconf("SC_CLK_TCK")
        self._page = page_size or os.sysconf("SC_PAGE_SIZE")
        self._cpu = 0.0  # seconds that were told already

    def updates(self) -> tuple[Update, ...]:
        """What it uses now; the processor's time since it was asked last."""
        return tuple(self._found())

    def _found(self) -> Iterator[Update]:
        stat = _fields(self._process / "stat")
        if stat:
            cpu = (int(stat[11]) + int(stat[12])) / self._ticks
            yield Update(PROCESS_CPU, max(0.0, cpu - self._cpu))
            self._cpu = cpu
            yield Update(PROCESS_VIRTUAL, float(stat[20]))
            yield Update(PROCESS_RESIDENT, float(int(stat[21]) * self._page))
            booted = self._booted()
            if booted is not None:
                yield Update(PROCESS_START, booted + int(stat[19]) / self._ticks)
        with suppress(OSError):
            yield Update(PROCESS_OPEN_FDS, float(sum(1 for _ in (self._process / "fd").iterdir())))
        limit = self._max_fds()
        if limit is not None:
            yield Update(PROCESS_MAX_FDS, limit)

    def _booted(self) -> float | None:
        """When the machine started."""
        for line in _text(self._proc / "stat").splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
        return None

    def _max_fds(self) -> float | None:
        for line in _text(self._process / "limits").splitlines():
            if line.startswith("Max open files"):
                soft = line.split()[3]
                return float("inf") if soft == "unlimited" else float(soft)
        return None


def _fields(path: Path) -> list[str]:
    """The fields of a stat file from the third on: the second is a name, which may have blanks and brackets."""
    return _text(path).rpartition(")")[2].split()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
