"""Failure to webhook and recovery to resolve at 1 s, beside blackbox_exporter, Prometheus and Alertmanager."""

import asyncio
import contextlib
import json
import random
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter

from tests.bench.reaction import config
from tests.bench.wires import Told, Watched, listening, spread
from tests.integration.harness import Daemon

PEERS = ("prometheus-blackbox-exporter", "prometheus", "prometheus-alertmanager")


def _port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def _program(*command: str) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def peers(folder: Path, target: str, hook: str) -> AsyncIterator[dict[str, int]]:
    """The three programs, configured to do what the sidecar does here; yields their process ids."""
    box, prom, manager = _port(), _port(), _port()
    files = {
        "box.yml": {"modules": {"http": {"prober": "http", "timeout": "5s"}}},
        "rules.yml": {"groups": [{"name": "one", "rules": [{"alert": "Down", "expr": "probe_success == 0"}]}]},
        "manager.yml": {
            "route": {"receiver": "hook", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "4h"},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": True}]}],
        },
        "prometheus.yml": {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]},
            "scrape_configs": [
                {
                    "job_name": "box",
                    "metrics_path": "/probe",
                    "params": {"module": ["http"], "target": [target]},
                    "static_configs": [{"targets": [f"127.0.0.1:{box}"]}],
                }
            ],
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    async with AsyncExitStack() as stack:
        ids = {}
        for name, arguments in {
            PEERS[0]: [f"--config.file={folder}/box.yml", f"--web.listen-address=127.0.0.1:{box}"],
            PEERS[2]: [
                f"--config.file={folder}/manager.yml",
                f"--web.listen-address=127.0.0.1:{manager}",
                f"--storage.path={folder}/am",
                "--cluster.listen-address=",
            ],
            PEERS[1]: [
                f"--config.file={folder}/prometheus.yml",
                f"--web.listen-address=127.0.0.1:{prom}",
                f"--storage.tsdb.path={folder}/tsdb",
            ],
        }.items():
            ids[name] = await stack.enter_async_context(_program(name, *arguments))
        yield ids


async def measure(rounds: int = 100) -> str:
    """The same target watched by both, in the same rounds, at random phase."""
    if missing := [name for name in PEERS if shutil.which(name) is None]:
        return f"beside Prometheus: not measured, {', '.join(missing)} not installed"
    watched = Watched()
    sides = {"sidecar": Told(), "blackbox+Prometheus+Alertmanager": Told()}
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        async with AsyncExitStack() as stack:
            target = await stack.enter_async_context(listening(watched))
            hooks = [await stack.enter_async_context(listening(told)) for told in sides.values()]
            await stack.enter_async_context(Daemon(Path(ours), config(Path(ours), target, hooks[0], "1s")))
            await stack.enter_async_context(peers(Path(theirs), target, hooks[1]))
            await asyncio.sleep(15)
            for _ in range(rounds):
                for failing, status in ((True, "firing"), (False, "resolved")):
                    await asyncio.sleep(2 + random.random())
                    waiting = {name: told.expect(status) for name, told in sides.items()}
                    began = perf_counter()
                    watched.turn(failing=failing)
                    async with asyncio.timeout(60):
                        await asyncio.gather(*waiting.values())
                    for name, arrived in waiting.items():
                        found.setdefault((status, name), []).append(arrived.result() - began)
    return "\n".join(f"{status:9}{name:34}{spread(seconds)}" for (status, name), seconds in sorted(found.items()))
