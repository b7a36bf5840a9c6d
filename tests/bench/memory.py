"""Memory and processor time under the demo's load, beside a program that only imports the same, and the peers."""

import asyncio
import sys
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.load import ENVIRONMENT, running
from tests.bench.peers import missing, peers
from tests.bench.wires import Told, Watched, listening
from tests.integration.harness import Daemon, environment, recording

FLOOR, ABOVE = 62, 12  # MiB
MIB = 1024
WARM_UP = 10.0  # seconds until what happens once has happened

IDLE = """
import importlib, sys
sys.modules["rich"] = None  # as `sidecar run` has it, or structlog would import it
for name in sys.stdin.readline().split():
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print(flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Size:
    """Of one process, in MiB."""

    resident: float
    anonymous: float

    def __str__(self) -> str:
        return f"resident {self.resident:6.1f} MiB   anonymous {self.anonymous:6.1f} MiB"


def size(pid: int) -> Size:
    """What it has now; raises FileNotFoundError when it has ended."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {fields[0]: int(fields[1]) for line in rollup.splitlines()[1:] if (fields := line.split())}
    return Size(kib["Rss:"] / MIB, kib["Anonymous:"] / MIB)


def seconds_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def idle(modules: Iterable[str]) -> Size:
    """A program that imports *modules*, in this order, and does nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", IDLE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(" ".join(modules).encode() + b"\n")
    await process.stdout.readline()
    found = size(process.pid)
    await process.communicate(b"")
    return found


async def measure(seconds: float = 600) -> str:
    """Everything at once for *seconds*; the idle program afterwards, with what the daemon had imported by its end."""
    async with AsyncExitStack() as stack:
        ours, theirs = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
        config = await stack.enter_async_context(running()) | {"database": str(ours / "sidecar.db")}
        daemon = await stack.enter_async_context(Daemon(ours, config, recording(ours / "modules"), ENVIRONMENT))
        ids = {"sidecar": daemon.pid}
        if not (absent := missing()):
            target, hook = [await stack.enter_async_context(listening(one)) for one in (Watched(), Told())]
            ids |= await stack.enter_async_context(peers(theirs, target, hook))
        await asyncio.sleep(WARM_UP)
        before = {name: seconds_of(pid) for name, pid in ids.items()}
        await asyncio.sleep(seconds)
        sizes = {name: size(pid) for name, pid in ids.items()}
        shares = {name: (seconds_of(pid) - before[name]) / seconds for name, pid in ids.items()}
        delivered = sum(entry["event"] == "notification.delivered" for entry in daemon.log)
        await daemon.stop()
        floor = await idle((ours / "modules").read_text().split())
    above = sizes["sidecar"].resident - floor.resident
    lines = [f"{delivered} messages were delivered meanwhile"]
    lines += [f"{name:28} {sizes[name]}   cpu {shares[name]:5.1%} of a core" for name in ids]
    lines += [f"{name:28} not installed" for name in absent]
    lines += [
        f"{'idle, the same imports':28} {floor}   (goal <= {FLOOR}: {_verdict(floor.resident, FLOOR)})",
        f"sidecar above idle: {above:.1f} MiB   (goal <= {ABOVE}: {_verdict(above, ABOVE)})",
    ]
    return "\n".join(lines)


def _verdict(found: float, goal: float) -> str:
    return "met" if found <= goal else "missed"
