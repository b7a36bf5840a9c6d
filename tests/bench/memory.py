"""Resident and anonymous memory, and CPU, under the demo's load, beside an idle program with the same imports and the peers."""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from tests.bench.stack import PEERS, peers
from tests.bench.wires import Told, Watched, listening
from tests.bench.load import running
from tests.integration.harness import Daemon

MIB = 1024 * 1024
IDLE = """
import importlib, sys
for name in sys.argv[1].split(","):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print("ready", flush=True)
sys.stdin.read()
"""


def _memory(pid: int) -> str:
    info = psutil.Process(pid).memory_full_info()
    anonymous = sum(m.anonymous for m in psutil.Process(pid).memory_maps(grouped=False))
    return f"resident {info.rss / MIB:6.1f} MiB   anonymous {anonymous / MIB:6.1f} MiB"


async def _idle(modules: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", IDLE, ",".join(modules)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    text = _memory(process.pid)
    process.kill()
    await process.wait()
    return text


async def _modules(folder: Path) -> list[str]:
    """What a daemon with this configuration has imported."""
    program = (
        "import sys, threading, os, signal\n"
        "def stop():\n    print('\\n'.join(sorted(sys.modules)), flush=True)\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Timer(8, stop).start()\n"
        f"sys.argv = ['sidecar', 'run', {str(folder / 'sidecar.yml')!r}, '--database', '']\n"
        "from sidecar.cli import main; main()"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    return [m for m in out.decode().split() if not m.startswith(("__main__", "sitecustomize", "_virtualenv"))]


async def measure(seconds: float = 600) -> str:
    """Everything at rest except the watching itself, for *seconds*."""
    lines = []
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        async with AsyncExitStack() as stack:
            hook = await stack.enter_async_context(listening(Told()))
            config = await stack.enter_async_context(running(hook))
            daemon = await stack.enter_async_context(Daemon(Path(ours), config))
            assert daemon.process is not None
            watched = psutil.Process(daemon.process.pid)
            ids: dict[str, int] = {}
            try:
                target = await stack.enter_async_context(listening(Watched()))
                ids = await stack.enter_async_context(peers(Path(theirs), target, hook))
            except FileNotFoundError as exc:
                lines.append(f"peers: not measured, {exc.filename} not installed")
            await asyncio.sleep(5)
            before = watched.cpu_times()
            await asyncio.sleep(seconds)
            after = watched.cpu_times()
            cpu = (after.user + after.system - before.user - before.system) / seconds
            lines.append(f"sidecar under load           {_memory(daemon.process.pid)}   cpu {cpu:.1%} of a core")
            lines += [f"{name:28} {_memory(ids[name])}" for name in PEERS if name in ids]
        floor = await _idle(await _modules(Path(ours)))
    return "\n".join([*lines, f"idle, the same imports       {floor}   (goal: sidecar <= this + 12 MiB, this <= 62)"])
