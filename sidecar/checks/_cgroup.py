"""What the kernel allows this container, and what it has used of it: control groups, version 2 and 1.

Files and units as in the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,cpuacct}.rst and
scheduler/sched-bwc.rst; pressure as in accounting/psi.rst.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_NO_LIMIT: Final = 2**60
"""Version 1 says "no limit" by a number of bytes that no machine has."""
RESOURCES: Final = ("cpu", "memory", "io")


@dataclass(frozen=True, slots=True)
class Container:
    """Limits and use; None where there is no limit, or nobody says."""

    memory_limit: float | None = None  # bytes
    memory_used: float | None = None  # bytes, without the part of the page cache that goes first
    cpu_limit: float | None = None  # cores
    cpu_seconds: float | None = None  # used since it began
    periods: float | None = None  # of the scheduler, since it began
    throttled: float | None = None  # of these, those in which it had to wait
    pids_limit: float | None = None
    pids: float | None = None
    pressure: Mapping[tuple[str, str], float] = field(default_factory=dict)  # as of `pressures`


def container(root: Path = Path("/")) -> Container:
    """This process' own control group, seen below *root*; nothing in it where there is none."""
    mount = root / "sys/fs/cgroup"
    groups = dict(_own_groups(root / "proc/self/cgroup"))
    if (mount / "cgroup.controllers").exists():
        return _unified(mount, groups.get("", "/"))
    return _separate(mount, groups)


def pressures(folder: Path, suffix: str = "") -> dict[tuple[str, str], float]:
    """Of each resource, the share of the last ten seconds in which some, or all, had to wait for it."""
    found = {}
    for resource in RESOURCES:
        for line in _text(folder / f"{resource}{suffix}").splitlines():
            kind, _, rest = line.partition(" ")
            average = _number(rest.partition("avg10=")[2].partition(" ")[0])
            if kind in ("some", "full") and average is not None:
                found[resource, kind] = average / 100.0
    return found


def number(path: Path) -> float | None:
    """The number in a file; None where there is none, or it is `max`."""
    return _number(_text(path).strip())


def _own_groups(path: Path) -> Iterator[tuple[str, str]]:
    """Each controller's group; the empty controller is version 2."""
    for line in _text(path).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        for controller in controllers.split(","):
            yield controller, group


def _levels(mount: Path, group: str) -> list[Path]:
    """The group's folder and those above it: the tightest limit of all of them counts.

    A container mostly sees its own group as the mount's root, while the path is that of the machine.
    """
    own = mount / group.strip("/")
    if ".." in own.parts or not own.is_dir():
        own = mount
    above = [folder for folder in own.parents if folder.is_relative_to(mount)]
    return [own, *above]


def _unified(mount: Path, group: str) -> Container:
    levels = _levels(mount, group)
    own, stat = levels[0], _fields(levels[0] / "cpu.stat")
    limit, used = _tightest(
        (number(folder / "memory.max"), _used(folder, "memory.current", "inactive_file")) for folder in levels
    )
    return Container(
        memory_limit=limit,
        memory_used=used if limit is not None else _used(own, "memory.current", "inactive_file"),
        cpu_limit=_least(_quota(_text(folder / "cpu.max").split()) for folder in levels),
        cpu_seconds=_scaled(stat.get("usage_usec"), 1e-6),
        periods=stat.get("nr_periods"),
        throttled=stat.get("nr_throttled"),
        pids_limit=number(own / "pids.max"),
        pids=number(own / "pids.current"),
        pressure=pressures(own, ".pressure"),
    )


def _separate(mount: Path, groups: Mapping[str, str]) -> Container:
    """Version 1: each controller has a tree of its own."""
    memory = _levels(mount / "memory", groups.get("memory", "/"))
    cpu = _levels(mount / "cpu", groups.get("cpu", "/"))
    cpuacct = _levels(mount / "cpuacct", groups.get("cpuacct", "/"))[0]
    pids = _levels(mount / "pids", groups.get("pids", "/"))[0]
    limit, used = _tightest(
        (_bounded(number(folder / "memory.limit_in_bytes")), _used(folder, "memory.usage_in_bytes", _OLD_CACHE))
        for folder in memory
    )
    stat = _fields(cpu[0] / "cpu.stat")
    return Container(
        memory_limit=limit,
        memory_used=used if limit is not None else _used(memory[0], "memory.usage_in_bytes", _OLD_CACHE),
        cpu_limit=_least(
            _quota([_text(folder / "cpu.cfs_quota_us").strip(), _text(folder / "cpu.cfs_period_us").strip()])
            for folder in cpu
        ),
        cpu_seconds=_scaled(number(cpuacct / "cpuacct.usage"), 1e-9),
        periods=stat.get("nr_periods"),
        throttled=stat.get("nr_throttled"),
        pids_limit=number(pids / "pids.max"),
        pids=number(pids / "pids.current"),
    )


_OLD_CACHE: Final = "total_inactive_file"


def _tightest(levels: Iterator[tuple[float | None, float | None]]) -> tuple[float | None, float | None]:
    """Of limits and what is used of each, the pair that is nearest to its end."""
    limited = [(limit, used) for limit, used in levels if limit is not None and limit > 0]
    if not limited:
        return None, None
    return max(limited, key=lambda pair: (pair[1] or 0.0) / pair[0])


def _used(folder: Path, name: str, cache: str) -> float | None:
    used = number(folder / name)
    if used is None:
        return None
    return max(0.0, used - _fields(folder / "memory.stat").get(cache, 0.0))


def _quota(fields: list[str]) -> float | None:
    """Cores, of the time that may be used in a period, and the period."""
    match [_number(text) for text in fields]:
        case [float(quota), float(period)] if quota > 0 and period > 0:
            return quota / period
    return None


def _least(limits: Iterator[float | None]) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _bounded(limit: float | None) -> float | None:
    return None if limit is None or limit >= _NO_LIMIT else limit


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _fields(path: Path) -> dict[str, float]:
    found = (line.partition(" ") for line in _text(path).splitlines())
    return {name: value for name, _, text in found if (value := _number(text)) is not None}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:  # not there, or not for us
        return ""
