"""blackbox_exporter, Prometheus and Alertmanager, set up to do what the sidecar does alone."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from tests.integration.harness import free_port

PEERS = ("prometheus-blackbox-exporter", "prometheus", "prometheus-alertmanager")


def missing() -> list[str]:
    """The programs that this machine does not have."""
    return [name for name in PEERS if shutil.which(name) is None]


@asynccontextmanager
async def peers(folder: Path, target: str, hook: str) -> AsyncIterator[dict[str, int]]:
    """The three programs, everything at one second, for as long as the block lasts; yields their process ids."""
    blackbox, _, alertmanager = ports = [f"127.0.0.1:{free_port()}" for _ in PEERS]
    for name, content in _files(target, hook, blackbox, alertmanager).items():
        (folder / name).write_text(json.dumps(content))  # JSON is YAML
    arguments = [
        ("--config.file=blackbox.yml",),
        ("--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"),
        ("--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address="),
    ]
    async with AsyncExitStack() as stack:
        ids = {}
        for name, listen, more in zip(PEERS, ports, arguments, strict=True):
            program = _program(folder, name, f"--web.listen-address={listen}", *more)
            ids[name] = await stack.enter_async_context(program)
        yield ids


def _files(target: str, hook: str, blackbox: str, alertmanager: str) -> dict[str, object]:
    return {
        "blackbox.yml": {"modules": {"http": {"prober": "http", "timeout": "5s"}}},
        "rules.yml": {"groups": [{"name": "one", "rules": [{"alert": "Down", "expr": "probe_success == 0"}]}]},
        "prometheus.yml": {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [
                {
                    "job_name": "blackbox",
                    "metrics_path": "/probe",
                    "params": {"module": ["http"], "target": [target]},
                    "static_configs": [{"targets": [blackbox]}],
                }
            ],
        },
        "alertmanager.yml": {
            "route": {"receiver": "hook", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "4h"},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": True}]}],
        },
    }


@asynccontextmanager
async def _program(folder: Path, *command: str) -> AsyncIterator[int]:
    with (folder / f"{command[0]}.log").open("wb") as log:
        # Without a proxy of this machine: the target is loopback.
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield process.pid
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
