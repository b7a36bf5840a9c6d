"""Memory with everything configured that needs no other server: every such check, events, spans and metrics out."""

import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from sidecar import plugins
from tests.bench import memory
from tests.bench.load import ENVIRONMENT, running
from tests.bench.wires import listening
from tests.integration.harness import Daemon, recording

ELSEWHERE = frozenset({"amqp", "grpc", "nats", "postgres", "redis"})
"""Checks of servers that are not here: one for each would measure their drivers, which is their own figure."""

EVENTS = 100
LINES = {"Content-Type": "application/x-ndjson"}


class Collector:
    """Takes whatever is sent, and counts it."""

    def __init__(self) -> None:
        self.requests = 0
        self.bytes = 0

    def __call__(self, _first: float, body: bytes) -> int:
        self.requests += 1
        self.bytes += len(body)
        return 200


def checks(url: str) -> list[dict[str, Any]]:
    """One check of each type that has something to look at here; *url* is a server of HTTP on loopback."""
    address = url.removeprefix("http://")
    settings: dict[str, dict[str, Any]] = {
        "claude.count_tokens": {"base_url": url, "api_key": "bench", "every": "60s"},
        "command": {"command": [sys.executable, "-c", "pass"], "every": "60s"},
        "dns": {"query_name": "localhost"},
        "heartbeat": {"period": "60s"},
        "http": {"url": url},
        "scrape": {"url": f"{url}/metrics"},
        "system": {},
        "tcp": {"address": address},
        "tls": {"address": address},
    }
    present = set(plugins.names("sidecar.checks")) - ELSEWHERE
    return [{"type": type_, "name": f"all-{type_}", **more} for type_, more in settings.items() if type_ in present]


async def _traffic(url: str, answers: Counter[int]) -> None:
    """A gateway that tells of EVENTS requests a second, of three models, one in twenty of them failed."""
    async with aiohttp.ClientSession() as session:
        while True:
            events = [_event(random.random()) for _ in range(EVENTS)]
            body = b"\n".join(json.dumps(event).encode() for event in events)
            async with session.post(f"{url}/api/v1/events", data=body, headers=LINES) as answer:
                answers[answer.status] += 1
            await asyncio.sleep(1)


def _event(chance: float) -> dict[str, Any]:
    model = ("claude-opus-5", "claude-sonnet-5", "claude-haiku-5")[int(chance * 3)]
    event = {"type": "request", "model": model, "duration": 1 + 20 * chance, "input_tokens": 1000, "output_tokens": 300}
    return event | {"status": 529 if chance < 0.05 else 200, "time_to_first_token": 0.3 + chance}


async def measure(seconds: float = 300) -> str:
    """The demo's load and all that for *seconds*; beside it a program that only imports the same."""
    collector = Collector()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = await stack.enter_async_context(listening(collector))
        config = await stack.enter_async_context(running())
        config |= {
            "database": str(folder / "sidecar.db"),
            "checks": [*config["checks"], *checks(url)],
            "otlp": {"endpoint": url, "traces": {"sample": 1.0}, "metrics": {"interval": "15s"}},
        }
        config.setdefault("log", {})["file"] = {"path": str(folder / "log.json")}
        daemon = await stack.enter_async_context(Daemon(folder, config, recording(folder / "modules"), ENVIRONMENT))
        await daemon.ready()
        answers: Counter[int] = Counter()
        traffic = asyncio.create_task(_traffic(daemon.url, answers))
        stack.callback(traffic.cancel)
        await asyncio.sleep(memory.WARM_UP)
        before = memory.seconds_of(daemon.pid)
        await asyncio.sleep(seconds)
        assert Path(f"/proc/{daemon.pid}").exists(), f"the daemon ended:\n{daemon.last_words()}"
        found, share = memory.size(daemon.pid), (memory.seconds_of(daemon.pid) - before) / seconds
        traffic.cancel()
        await daemon.stop()
        modules = (folder / "modules").read_text().split()
        floor = await memory.idle(modules)
    lines = (
        f"{'sidecar, everything':28} {found}   cpu {share:5.1%} of a core",
        f"{'idle, the same imports':28} {floor}   ({len(modules)} modules)",
        f"above idle: {found.resident - floor.resident:.1f} MiB",
        f"checks: {', '.join(sorted({check['type'] for check in config['checks']}))}",
        f"{EVENTS} events a second, answered with {', '.join(f'{n} x {code}' for code, n in answers.items())}",
        f"the collector took {collector.requests} requests of {collector.bytes / max(1, collector.requests):.0f} bytes",
    )
    return "\n".join(lines)
