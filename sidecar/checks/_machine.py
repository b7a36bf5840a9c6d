"""One look at this machine: processor, memory, disks, files, network."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from sidecar.checks._cgroup import Container, container, number, pressures


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, as those see it who are not root."""

    total: float  # bytes
    free: float  # bytes
    inodes: float  # 0 where the file system has no fixed number of them
    inodes_free: float


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen at one moment."""

    busy: float  # seconds of all processors since the start
    idle: float
    cores: int
    memory_total: float  # bytes
    memory_available: float
    swap_total: float
    swap_used: float
    load: tuple[float, float, float]  # over 1, 5 and 15 minutes
    container: Container
    disks: Mapping[str, Disk | str]  # by path; a text says why there is none
    files: float | None = None  # open in the whole machine
    files_max: float | None = None
    pressure: Mapping[tuple[str, str], float] = field(default_factory=dict)
    network_errors: Mapping[str, float] = field(default_factory=dict)  # since the start, by direction


def look(root: Path, paths: Sequence[str] = ()) -> Look:
    """Look around; *root* is where proc and sys are found, *paths* are those whose file systems count. It blocks."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted as user and nice, too
    memory, swap, network = psutil.virtual_memory(), psutil.swap_memory(), psutil.net_io_counters()
    opened = (root / "proc/sys/fs/file-nr").read_text().split() if (root / "proc/sys/fs/file-nr").exists() else []
    return Look(
        busy=sum(times) - idle - guests,
        idle=idle,
        cores=psutil.cpu_count() or 1,
        memory_total=float(memory.total),
        memory_available=float(memory.available),
        swap_total=float(swap.total),
        swap_used=float(swap.used),
        load=psutil.getloadavg(),
        container=container(root),
        disks={path: _disk(path) for path in paths},
        files=float(opened[0]) - float(opened[1]) if len(opened) > 1 else None,
        files_max=number(root / "proc/sys/fs/file-max"),
        pressure=pressures(root / "proc/pressure"),
        network_errors=_errors(network),
    )


def _errors(network: Any) -> dict[str, float]:
    """Nothing where there are no interfaces."""
    if network is None:
        return {}
    counts = {"in": network.errin, "out": network.errout, "in_dropped": network.dropin, "out_dropped": network.dropout}
    return {direction: float(count) for direction, count in counts.items()}


def _disk(path: str) -> Disk | str:
    try:
        found = os.statvfs(path)
    except OSError as exc:
        return exc.strerror or "it cannot be read"
    size = float(found.f_frsize)
    usable = found.f_blocks - found.f_bfree + found.f_bavail  # without what is reserved for root
    return Disk(usable * size, found.f_bavail * size, float(found.f_files), float(found.f_favail))
