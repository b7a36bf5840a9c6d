"""Whether this machine, or this container, has enough of everything."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from sidecar.checks import Check, CheckFailed, CheckUnknown, ProbeContext
from sidecar.model import families
from sidecar.model.durations import Duration

if TYPE_CHECKING:
    from sidecar.checks._machine import Disk, Look

_LOADS: Final = (families.SYSTEM_LOAD1, families.SYSTEM_LOAD5, families.SYSTEM_LOAD15)

Percent = Annotated[float, Field(ge=0, le=100)]
AnyPath = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$")]


class SystemCheck(Check):
    """Looks at processor, memory, disks, open files and pressure, against the limits of the container if it has some.

    Without bounds nothing is judged and everything is measured.
    """

    crosses_network: ClassVar[bool] = False

    type: Literal["system"] = "system"
    of: Literal["auto", "container", "machine"] = Field(
        "auto",
        description="Whose processor and memory the bounds are for; auto is the container where it has a limit, else "
        "the machine. Both are measured.",
    )
    paths: tuple[AnyPath, ...] = Field(("/",), description="Whole paths whose file systems are looked at.")
    sample: Duration = Field(1.0, description="Time over which the use of the processor is measured.", gt=0, le=60)
    root: AnyPath = Field(
        "/", description="Where `proc/pressure` and `sys/fs/cgroup` are found: a folder such as /host if mounted there."
    )
    network_errors: bool = Field(False, description="Whether errors and drops of the network interfaces are measured.")
    max_cpu_percent: Percent | None = Field(
        None, description="The most of the processor that may be in use.", examples=[90]
    )
    max_memory_percent: Percent | None = Field(
        None, description="The most of the memory that may be in use.", examples=[90]
    )
    max_swap_percent: Percent | None = Field(
        None, description="The most of the swap space that may be in use.", examples=[50]
    )
    max_throttled_percent: Percent | None = Field(
        None, description="The most of the scheduler's periods in which the container may have to wait.", examples=[25]
    )
    max_load_per_core: float | None = Field(
        None, description="The most that the load of 5 minutes may be.", gt=0, examples=[2]
    )
    max_pids_percent: Percent | None = Field(
        None, description="The most of the container's processes, if limited.", examples=[80]
    )
    max_open_files_percent: Percent | None = Field(
        None, description="The most of the machine's open files that may be in use.", examples=[80]
    )
    max_pressure_percent: dict[Literal["cpu", "memory", "io"], Percent] = Field(
        default_factory=dict,
        description="By resource: the share of the last 10 s in which some process may have waited for it.",
        examples=[{"memory": 20, "io": 40}],
    )
    min_disk_free_percent: Percent | None = Field(
        None, description="The least of each file system that has to be free.", examples=[10]
    )
    min_disk_free_bytes: float | None = Field(
        None, description="The least bytes of each that have to be free.", gt=0, examples=[1073741824]
    )
    min_inodes_free_percent: Percent | None = Field(
        None, description="The least of the inodes of each file system that has to be free.", examples=[5]
    )

    @property
    def target(self) -> str:
        return "system://localhost"

    async def probe(self, ctx: ProbeContext) -> None:
        from sidecar.checks._machine import look  # psutil is for daemons that have such a check

        # Off the loop: a file system of the network may hang.
        before = await asyncio.to_thread(look, Path(self.root))
        began = ctx.clock.monotonic()
        await asyncio.sleep(self.sample)
        now = await asyncio.to_thread(look, Path(self.root), self.paths)
        elapsed = max(ctx.clock.monotonic() - began, 1e-9)
        complaints = [*self._processor(ctx, before, now, elapsed), *self._memory(ctx, now), *self._rest(ctx, now)]
        for path, disk in now.disks.items():
            complaints += [f"{path}: {disk}"] if isinstance(disk, str) else self._disk(ctx, path, disk)
        if complaints:
            raise CheckFailed("assertion", "; ".join(complaints))

    def _is_container(self, limit: float | None, what: str) -> bool:
        """Whether a bound is for the container."""
        if self.of == "container" and limit is None:
            raise CheckUnknown(
                "unknown", f"the container has no limit of its {what}, expected one; or judge the machine by `of`"
            )
        return self.of != "machine" and limit is not None

    def _processor(self, ctx: ProbeContext, before: "Look", now: "Look", elapsed: float) -> Iterator[str]:
        busy, idle = now.busy - before.busy, now.idle - before.idle
        machine = max(0.0, min(1.0, busy / (busy + idle))) if busy + idle > 0 else 0.0
        ctx.record(families.SYSTEM_CPU_USAGE, machine, of="machine")
        ctx.record(families.SYSTEM_CPU_CORES, now.cores, of="machine")
        for family, load in zip(_LOADS, now.load, strict=True):
            ctx.record(family, load)
        ratio, then, own = machine, before.container, now.container
        if own.cpu_limit is not None and own.cpu_seconds is not None and then.cpu_seconds is not None:
            container = max(0.0, own.cpu_seconds - then.cpu_seconds) / elapsed / own.cpu_limit
            ctx.record(families.SYSTEM_CPU_USAGE, container, of="container")
            ctx.record(families.SYSTEM_CPU_CORES, own.cpu_limit, of="container")
            ratio = container if self.of != "machine" else machine
        if self.max_cpu_percent is not None:
            where = "container" if self._is_container(own.cpu_limit, "processor") else "machine"
            yield from _most(f"the {where} uses", ratio, self.max_cpu_percent, "of its processor")
        if own.periods is not None and then.periods is not None and own.cpu_limit is not None:
            throttled = (own.throttled or 0.0) - (then.throttled or 0.0)
            waited = max(0.0, min(1.0, throttled / max(1.0, own.periods - then.periods)))
            ctx.record(families.SYSTEM_CPU_THROTTLED, waited)
            yield from _most("the container had to wait in", waited, self.max_throttled_percent, "of the periods")
        per_core = now.load[1] / now.cores
        if self.max_load_per_core is not None and per_core > self.max_load_per_core:
            yield f"the load is {per_core:.2f} per core, expected at most {self.max_load_per_core:g}"

    def _memory(self, ctx: ProbeContext, now: "Look") -> Iterator[str]:
        used = now.memory_total - now.memory_available
        ratio = used / now.memory_total if now.memory_total else 0.0
        ctx.record(families.SYSTEM_MEMORY_TOTAL, now.memory_total, of="machine")
        ctx.record(families.SYSTEM_MEMORY_AVAILABLE, now.memory_available, of="machine")
        own = now.container
        if own.memory_limit is not None and own.memory_used is not None:
            ctx.record(families.SYSTEM_MEMORY_TOTAL, own.memory_limit, of="container")
            left = max(0.0, own.memory_limit - own.memory_used)
            ctx.record(families.SYSTEM_MEMORY_AVAILABLE, left, of="container")
            ratio = own.memory_used / own.memory_limit if self.of != "machine" else ratio
        if self.max_memory_percent is not None:
            where = "container" if self._is_container(own.memory_limit, "memory") else "machine"
            yield from _most(f"the {where} uses", ratio, self.max_memory_percent, "of its memory")
        ctx.record(families.SYSTEM_SWAP_TOTAL, now.swap_total)
        ctx.record(families.SYSTEM_SWAP_USED, now.swap_used)
        swapped = now.swap_used / now.swap_total if now.swap_total else 0.0
        yield from _most("the machine uses", swapped, self.max_swap_percent, "of its swap space")

    def _rest(self, ctx: ProbeContext, now: "Look") -> Iterator[str]:
        own = now.container
        if own.pids is not None and own.pids_limit:
            ctx.record(families.SYSTEM_PIDS, own.pids)
            ctx.record(families.SYSTEM_PIDS_MAX, own.pids_limit)
            yield from _most("the container has", own.pids / own.pids_limit, self.max_pids_percent, "of its processes")
        if now.files is not None and now.files_max:
            ctx.record(families.SYSTEM_OPEN_FILES, now.files)
            ctx.record(families.SYSTEM_OPEN_FILES_MAX, now.files_max)
            ratio = now.files / now.files_max
            yield from _most("the machine has", ratio, self.max_open_files_percent, "of its files open")
        for of, pressure in (("machine", now.pressure), ("container", own.pressure)):
            for (resource, kind), ratio in pressure.items():
                ctx.record(families.SYSTEM_PRESSURE, ratio, of=of, resource=resource, kind=kind)
        judged = own.pressure if self.of == "container" or (self.of == "auto" and own.pressure) else now.pressure
        for resource, most in self.max_pressure_percent.items():
            if (resource, "some") not in judged:
                where = self.root.rstrip("/")
                raise CheckUnknown("unknown", f"the kernel does not say the pressure of {resource} in {where}/proc")
            yield from _most(f"processes waited for {resource} in", judged[resource, "some"], most, "of the time")
        if self.network_errors:
            for direction, errors in now.network_errors.items():
                ctx.record(families.SYSTEM_NETWORK_ERRORS, errors, direction=direction)

    def _disk(self, ctx: ProbeContext, path: str, disk: "Disk") -> Iterator[str]:
        ctx.record(families.SYSTEM_DISK_TOTAL, disk.total, path=path)
        ctx.record(families.SYSTEM_DISK_FREE, disk.free, path=path)
        yield from _least(path, disk.free / disk.total if disk.total else 1.0, self.min_disk_free_percent, "free")
        if self.min_disk_free_bytes is not None and disk.free < self.min_disk_free_bytes:
            yield f"{path} has {disk.free:.0f} bytes free, expected at least {self.min_disk_free_bytes:.0f}"
        if disk.inodes:
            ctx.record(families.SYSTEM_INODES_TOTAL, disk.inodes, path=path)
            ctx.record(families.SYSTEM_INODES_FREE, disk.inodes_free, path=path)
            ratio = disk.inodes_free / disk.inodes
            yield from _least(path, ratio, self.min_inodes_free_percent, "of its inodes free")


def _most(subject: str, ratio: float, most: float | None, what: str) -> Iterator[str]:
    if most is not None and ratio * 100.0 > most:
        yield f"{subject} {ratio:.1%} {what}, expected at most {most:g}%"


def _least(path: str, ratio: float, least: float | None, what: str) -> Iterator[str]:
    if least is not None and ratio * 100.0 < least:
        yield f"{path} has {ratio:.1%} {what}, expected at least {least:g}%"
