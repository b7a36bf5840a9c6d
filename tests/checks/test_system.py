"""Machines and containers with enough of everything, or not."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks import _machine
from sidecar.checks._cgroup import Container, container, pressures
from sidecar.checks._machine import Disk, Look
from sidecar.checks.system import SystemCheck
from sidecar.clock import SystemClock
from sidecar.model import families
from sidecar.outbound import Outbound
from sidecar.services.probing import Recording, probe_once

PRESSURE = "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=2.00 avg60=0.00 avg300=0.00 total=1\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V2 = {
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    "sys/fs/cgroup/memory.max": "1000000\n",
    "sys/fs/cgroup/memory.current": "700000\n",
    "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 200000\n",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 2500000\nnr_periods 100\nnr_throttled 25\n",
    "sys/fs/cgroup/pids.max": "max\n",
    "sys/fs/cgroup/pids.current": "7\n",
    "sys/fs/cgroup/memory.pressure": PRESSURE,
}
V1 = {
    "proc/self/cgroup": "5:cpu,cpuacct:/pod/a\n4:memory:/pod/a\n3:pids:/pod/a\n",
    "sys/fs/cgroup/memory/pod/a/memory.limit_in_bytes": "9223372036854771712\n",
    "sys/fs/cgroup/memory/pod/a/memory.usage_in_bytes": "600000\n",
    "sys/fs/cgroup/memory/pod/a/memory.stat": "total_inactive_file 100000\n",
    "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "1000000\n",
    "sys/fs/cgroup/memory/pod/memory.usage_in_bytes": "900000\n",
    "sys/fs/cgroup/cpu/pod/a/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu/pod/a/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu/pod/a/cpu.stat": "nr_periods 10\nnr_throttled 5\nthrottled_time 99\n",
    "sys/fs/cgroup/cpuacct/pod/a/cpuacct.usage": "3000000000\n",
    "sys/fs/cgroup/pids/pod/a/pids.max": "100\n",
    "sys/fs/cgroup/pids/pod/a/pids.current": "5\n",
}


@pytest.mark.parametrize(
    ("files", "changes", "found"),
    [
        pytest.param(
            V2,
            {},
            Container(
                1e6, 5e5, 1.5, 2.5, 100, 25, None, 7, {("memory", "some"): 0.125, ("memory", "full"): 0.02}
            ),
            id="version 2, seen from inside",
        ),
        pytest.param(
            V2,
            {"sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/cpu.max": "max 100000", "sys/fs/cgroup/pids.max": "9"},
            Container(
                None, 5e5, None, 2.5, 100, 25, 9, 7, {("memory", "some"): 0.125, ("memory", "full"): 0.02}
            ),
            id="version 2 without limits",
        ),
        pytest.param(
            V2 | {"proc/self/cgroup": "0::/kubepods/pod/x"},
            {"sys/fs/cgroup/memory.pressure": ""},
            Container(1e6, 5e5, 1.5, 2.5, 100, 25, None, 7),
            id="version 2, with the machine's path",
        ),
        pytest.param(
            V1, {}, Container(1e6, 9e5, 0.5, 3.0, 10, 5, 100, 5), id="version 1, limited by a group above"
        ),
        pytest.param({}, {}, Container(), id="nothing there"),
        pytest.param(
            V2,
            {
                "sys/fs/cgroup/memory.max": "soon",
                "sys/fs/cgroup/cpu.stat": "usage_usec\nx",
                "sys/fs/cgroup/cpu.max": "",
                "sys/fs/cgroup/memory.pressure": "some",
            },
            Container(None, 5e5, None, None, None, None, None, 7),
            id="files that say nothing",
        ),
    ],
)  # fmt: skip
def test_a_containers_limits(tmp_path, files, changes, found):
    """Of the group and those above it, the tightest limit counts; the cache that goes first is not in use."""
    assert container(tree(tmp_path, files | changes)) == found


def test_a_path_that_leads_out_of_the_mount(tmp_path):
    """A group with .. in its path, as other namespaces have it, is the mount itself."""
    root = tree(tmp_path, V2 | {"proc/self/cgroup": "0::/../../other\n"})

    assert container(root).memory_limit == 1e6


def test_pressure(tmp_path):
    """The share of ten seconds, by resource and kind."""
    tree(tmp_path, {"io": PRESSURE})

    assert pressures(tmp_path) == {("io", "some"): 0.125, ("io", "full"): 0.02}


BEFORE = Look(
    busy=100.0,
    idle=100.0,
    cores=4,
    memory_total=1000.0,
    memory_available=100.0,
    swap_total=100.0,
    swap_used=60.0,
    load=(1.0, 6.0, 3.0),
    container=Container(),
    disks={},
    files=900.0,
    files_max=1000.0,
    pressure={("io", "some"): 0.4},
    network_errors={"in": 3.0},
)
AFTER = replace(BEFORE, busy=103.0, idle=101.0, disks={"/": Disk(1000.0, 50.0, 100.0, 4.0)})
LIMITED = Container(1000.0, 300.0, 0.5, 10.0, 100, 10, 50, 45, {("io", "some"): 0.1})
THEN = replace(BEFORE, container=LIMITED)
NOW = replace(AFTER, container=replace(LIMITED, cpu_seconds=10.4, periods=110, throttled=18))


@pytest.fixture
def looks(monkeypatch):
    """What is seen, in order."""

    def seen(*those: Look) -> None:
        left = list(those)
        monkeypatch.setattr(_machine, "look", lambda *_: left.pop(0))

    return seen


async def probe(**settings: Any):
    one = SystemCheck.model_validate({"name": "node", "sample": "1s"} | settings)
    ctx = Recording(SystemClock(monotonic=asyncio.get_running_loop().time), Outbound())
    return await probe_once(one, ctx), ctx


@pytest.mark.parametrize(
    ("limited", "settings", "says"),
    [
        pytest.param(False, {}, "", id="nothing is judged without bounds"),
        pytest.param(False, {"max_cpu_percent": 74}, "the machine uses 75.0% of its processor", id="processor"),
        pytest.param(False, {"max_cpu_percent": 75}, "", id="as much as it may"),
        pytest.param(True, {"max_cpu_percent": 79}, "the container uses 80.0% of its processor", id="its own"),
        pytest.param(True, {"max_cpu_percent": 79, "of": "machine"}, "", id="the machine's, as told"),
        pytest.param(False, {"max_memory_percent": 89}, "the machine uses 90.0% of its memory", id="memory"),
        pytest.param(True, {"max_memory_percent": 29}, "the container uses 30.0% of its memory", id="limited memory"),
        pytest.param(True, {"max_memory_percent": 50}, "", id="the machine's use is not the container's"),
        pytest.param(False, {"max_swap_percent": 50}, "60.0% of its swap space, expected at most 50%", id="swap"),
        pytest.param(True, {"max_throttled_percent": 50}, "had to wait in 80.0% of the periods", id="throttled"),
        pytest.param(False, {"max_load_per_core": 1.4}, "1.50 per core, expected at most 1.4", id="load"),
        pytest.param(True, {"max_pids_percent": 80}, "the container has 90.0% of its processes", id="processes"),
        pytest.param(False, {"max_open_files_percent": 80}, "90.0% of its files open", id="files"),
        pytest.param(False, {"max_pressure_percent": {"io": 30}}, "waited for io in 40.0%", id="pressure"),
        pytest.param(True, {"max_pressure_percent": {"io": 30}}, "", id="the container's pressure"),
        pytest.param(False, {"min_disk_free_percent": 10}, "/ has 5.0% free, expected at least 10%", id="disk"),
        pytest.param(False, {"min_disk_free_bytes": 51}, "50 bytes free, expected at least 51", id="bytes"),
        pytest.param(False, {"min_inodes_free_percent": 5}, "4.0% of its inodes free", id="inodes"),
    ],
)
async def test_bounds(looks, limited, settings, says):
    """What is out of its bounds is said, with what was found and what was expected."""
    looks(*((THEN, NOW) if limited else (BEFORE, AFTER)))

    result, _ = await probe(**settings)

    assert result.error_type == ("assertion" if says else "")
    assert says in result.message


async def test_all_complaints_at_once(looks):
    """Nobody mends one thing to hear of the next."""
    looks(BEFORE, replace(AFTER, disks={"/gone": "No such file or directory"}))

    result, _ = await probe(max_cpu_percent=1, max_memory_percent=1)

    assert result.message.count("expected") == 2
    assert "/gone: No such file or directory" in result.message


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"of": "container", "max_cpu_percent": 1}, "no limit of its processor", id="no limit"),
        pytest.param({"of": "container", "max_memory_percent": 1}, "no limit of its memory", id="no limit of memory"),
        pytest.param({"max_pressure_percent": {"cpu": 1}}, "does not say the pressure of cpu", id="no pressure"),
    ],
)
async def test_what_is_not_known(looks, settings, says):
    """A bound on what nobody says is neither kept nor broken."""
    looks(BEFORE, AFTER)

    result, _ = await probe(**settings)

    assert result.reason == "unknown"
    assert says in result.message


async def test_what_is_measured(looks):
    """The machine and its container, side by side."""
    looks(THEN, NOW)

    _, ctx = await probe(network_errors=True)

    found = {(u.family, u.labels.text("of")): u.value for u in ctx.updates}
    assert found[families.SYSTEM_CPU_USAGE, "machine"] == 0.75
    assert found[families.SYSTEM_CPU_USAGE, "container"] == pytest.approx(0.8)
    assert found[families.SYSTEM_MEMORY_AVAILABLE, "container"] == 700.0
    assert found[families.SYSTEM_NETWORK_ERRORS, ""] == 3.0
    assert found[families.SYSTEM_DISK_FREE, ""] == 50.0


@pytest.mark.realtime
async def test_this_machine(tmp_path):
    """Whatever this test runs on has a processor, memory and a disk."""
    shutil.copytree(tree(tmp_path / "a", V2), tmp_path / "host")
    tree(
        tmp_path / "host",
        {"proc/sys/fs/file-nr": "90 0 100\n", "proc/sys/fs/file-max": "100\n", "proc/pressure/cpu": PRESSURE},
    )

    result, ctx = await probe(sample="10ms", paths=["/", "/no/such/path"], root=str(tmp_path / "host"))

    names = {update.family.name for update in ctx.updates}
    assert {
        "system_cpu_usage_ratio",
        "system_load5",
        "system_memory_available_bytes",
        "system_disk_free_bytes",
        "system_open_files",
        "system_pressure_ratio",
    } <= names  # fmt: skip
    assert result.message == "/no/such/path: No such file or directory"
    assert all(update.value >= 0 for update in ctx.updates)


@pytest.mark.parametrize(
    "settings", [{"max_cpu_percent": 101}, {"paths": ["var"]}, {"sample": "2m"}, {"max_pressure_percent": {"disk": 1}}]
)
def test_settings_that_cannot_be(settings):
    """Percents end at 100, paths are whole."""
    with pytest.raises(ValidationError):
        SystemCheck.model_validate({"name": "node"} | settings)
