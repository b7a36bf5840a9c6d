"""Twenty minutes in which everything goes wrong that a dashboard shows, as Prometheus would have scraped them."""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sidecar import app as application
from sidecar.api.exposition import Exposition, negotiate
from sidecar.clock import SystemClock
from sidecar.model import families
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Update
from sidecar.outbound import Outbound
from sidecar.services.web import Web
from sidecar.simulator import Fault, Limits, Simulator, Timeline
from sidecar.simulator.api import application as simulated
from sidecar.simulator.state import KEY
from sidecar.testing import VirtualTimeLoop, Wire
from tests.dashboards import gateways
from tests.scenarios.world import World
from tests.telemetry.otlp.collector import Collector

MINUTES = 20
SCRAPE = 60.0
PODS = ("gateway-7d9f-abcde", "gateway-7d9f-fghij")
SCRAPED = {"job": "llm/sidecar", "namespace": "llm", "container": "sidecar"}
"""What a PodMonitor adds, beside the pod and the instance."""

RULES = """
groups:
  - name: broken
    rules:
      - alert: CannotBeEvaluated
        expr: sidecar_check_up * on () group_left () sidecar_check_up > 0
      - alert: CannotBeSaid
        expr: sidecar_check_up{check="gateway"} == 0
        severity: warning
        annotations: {summary: '{{ query "nonsense(" | first | value }}'}
"""
PACKS = ("availability", "sidecar", "traffic")


@dataclass
class Scraped:
    """What Prometheus got: the texts by their times, in OpenMetrics' lines."""

    times: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def told(folder: Path) -> Scraped:
    """Live it, in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=45.0)) as runner:
        return runner.run(_live(folder))


class Cable:
    """What connects us to the world."""

    cut = False

    async def reach(self, _host: str, _port: int) -> None:
        if self.cut:
            raise OSError("no route to host")


def settings(world: World) -> dict[str, Any]:
    """A gateway with everything beside it."""
    api = {"base_url": "https://api.anthropic.com", "api_key": KEY, "every": "1m"}
    retiring = "claude-sonnet-4-5-20250929"
    return {
        "database": str(world.database),
        "external_labels": {"cluster": "eu"},
        "checks": [
            {"type": "claude.stream", "name": "stream", "critical": True, **api},
            {"type": "claude.messages", "name": "messages", **api},
            {"type": "claude.models", "name": "models", "model": retiring, **api},
            {"type": "claude.count_tokens", "name": "tokens", **api},
            {"type": "http", "name": "gateway", "url": "http://gateway/health", "critical": True},
            {"type": "scrape", "name": "litellm", "url": "http://litellm/metrics", "every": "1m"},
            {"type": "scrape", "name": "envoy", "url": "http://envoy/metrics", "every": "1m"},
            {"type": "heartbeat", "name": "backup", "period": "10m", "grace": "1m", "max_runtime": "5m"},
            {"type": "system", "name": "machine", "every": "1m"},
        ],
        "channels": [
            {"type": "webhook", "name": "oncall", "url": "http://hook/oncall"},
            {"type": "webhook", "name": "chat", "url": "http://chat/"},
        ],
        "connectivity": {"addresses": ["a:1", "b:1"]},
        "otlp": {"endpoint": "http://collector:4318", "metrics": {"interval": "1m"}},
        "rules": [{"file": "rules.yml"}, *({"pack": pack} for pack in PACKS)],
    }


async def _live(folder: Path) -> Scraped:
    wire, cable, scraped = Wire(), Cable(), Scraped()
    simulator = Simulator(limits=Limits(requests=60))
    collector = Collector()
    world = World(folder, wire)
    for host, server in (
        ("api.anthropic.com", simulated(simulator)),
        ("collector", collector.app()),
        ("litellm", gateways.serve(gateways.litellm)),
        ("envoy", gateways.serve(gateways.envoy)),
        ("chat", _refusing()),
    ):
        wire.serve(host, server)
    (folder / "rules.yml").write_text(RULES)
    (folder / "sidecar.yml").write_text(json.dumps(settings(world)))
    config, origin = application.load(folder / "sidecar.yml", {})
    clock = SystemClock(monotonic=asyncio.get_running_loop().time)
    outbound = Outbound(connector=wire.connector)
    async with application.build(config, clock=clock, outbound=outbound, origin=origin, reach=cable.reach) as app:
        running = asyncio.create_task(app.run(listen=False))
        server = web.Application()
        server.add_routes(app.routes(lambda: True))
        wire.serve("sidecar", server)
        async with aiohttp.ClientSession(connector=wire.connector()) as session:
            parts = [
                asyncio.create_task(_scrape(app, scraped)),
                asyncio.create_task(_traffic(session)),
                asyncio.create_task(_elsewhere(app)),
            ]
            await _trouble(world, simulator, collector, cable, session)
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    await wire.close()
    return scraped


def _refusing() -> web.Application:
    """A channel that does not want what it gets."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=400, text="no such channel")

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    return app


async def _trouble(
    world: World, simulator: Simulator, collector: Collector, cable: Cable, session: aiohttp.ClientSession
) -> None:
    """What happens when, in minutes."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    job = "http://sidecar/api/v1/heartbeats/backup"

    async def call(path: str = "", body: str = "") -> None:
        async with session.post(f"{job}{path}", data=body) as answer:
            assert answer.status == 200

    await call("/start")
    await asyncio.sleep(60)
    await call()
    await asyncio.sleep(120.5)  # 3
    simulator.faults = _faults("overloaded", "throttled:claude-opus*")
    world.status, world.hook_status = 503, 500
    collector.answers = [(400, {})] * 3
    await asyncio.sleep(120)  # 5: the pages wait for the channel, which leaves the configuration, and returns
    config, file = settings(world), world.folder / "sidecar.yml"
    file.write_text(json.dumps(config | {"channels": config["channels"][1:]}))
    await asyncio.sleep(120)  # 7
    file.write_text(json.dumps(config))
    simulator.faults = ()
    world.status = 200
    await asyncio.sleep(180)  # 10: and it is over before anybody heard
    world.hook_status = 200
    await asyncio.sleep(60)  # 11
    cable.cut = True
    world.wire.refuse("gateway")
    await asyncio.sleep(120)  # 13
    cable.cut = False
    world.connect()
    simulator.faults = _faults("stall,after=1")
    await asyncio.sleep(150)  # 15
    simulator.faults = ()
    loop.step_wall(40)
    await asyncio.sleep(120)  # 17
    loop.step_wall(-40)
    await asyncio.sleep(60 * MINUTES - loop.time())


def _faults(*texts: str) -> Sequence[Fault]:
    return Timeline.of(texts).faults


async def _traffic(session: aiohttp.ClientSession) -> None:
    """Users' requests, as a gateway reports them every 30 s, with a sender who does not know the format."""
    for turn in itertools.count():
        body = "\n".join(json.dumps(event) for event in _events(turn))
        headers = {"Content-Type": "application/x-ndjson"}
        async with session.post("http://sidecar/api/v1/events", data=body, headers=headers) as answer:
            await answer.read()
        await asyncio.sleep(30)


def _events(turn: int) -> Iterator[dict[str, Any]]:
    ends = ("end_turn", "end_turn", "tool_use", "max_tokens", "refusal")
    for n in range(12):
        model = ("claude-opus-5", "claude-haiku-4-5")[n % 2]
        yield {
            "type": "request", "model": model, "target": "https://api.anthropic.com", "status": 200,
            "duration": 2.0 + n, "time_to_first_token": 0.4 + n / 10, "input_tokens": 900, "output_tokens": 100 + n,
            "cache_read_tokens": 5000, "cache_write_tokens": 200, "stop_reason": ends[n % len(ends)], "retries": n % 3,
        }  # fmt: skip
    for status in (529, 429):
        yield {"type": "request", "model": "claude-opus-5", "target": "https://api.anthropic.com", "status": status}
    # More targets than percentiles are kept for, and a duration beyond what they tell apart.
    for n in range(60 if turn == 2 * MINUTES - 4 else 0):
        yield {"type": "request", "model": "claude-opus-5", "target": f"https://{n}.example", "status": 200,
               "duration": 1e9}  # fmt: skip
    yield {"type": "gauge", "name": "claude_active_requests", "value": 3 + turn % 5}
    yield {"type": "circuit_breaker", "name": "anthropic", "state": ("closed", "half_open", "open")[turn // 6 % 3]}
    if turn > 5:
        yield {"type": "request", "model": 7}


async def _elsewhere(app: application.App) -> None:
    """What needs more than the wire: checks whose peers speak other protocols, limits of a container, a listener."""
    redis = Labels(check="cache", type="redis", target="redis://cache:6379", critical="false")
    tls = Labels(check="certificate", type="tls", target="gateway:443", critical="false")
    container = Labels(check="machine", type="system", target="localhost", critical="false")
    listener = Web((), listen="127.0.0.1:0")
    while True:
        now = app.clock.time()
        app.store.append(
            Batch(
                "elsewhere",
                now,
                (
                    Update(families.REDIS_MEMORY_USED, 95e6, redis),
                    Update(families.REDIS_MEMORY_MAX, 1e8, redis),
                    Update(families.REDIS_MASTER_LINK_UP, float(now % 600 < 300), redis),
                    Update(families.PROBE_VALUE, 20_000.0, redis.with_(name="queue")),
                    Update(families.PROBE_CERT_EXPIRY, now + 5 * 86400, tls),
                    Update(families.SYSTEM_CPU_THROTTLED, 0.1, container),
                    Update(families.SYSTEM_PRESSURE, 0.1, container.with_(of="container", resource="cpu", kind="some")),
                    Update(families.SYSTEM_PIDS, 90.0, container),
                    Update(families.SYSTEM_PIDS_MAX, 100.0, container),
                    *(Update(families.CHECK_UP, 1.0, labels) for labels in (redis, tls)),
                    *listener.updates(),
                ),
            )
        )
        await asyncio.sleep(60)


async def _scrape(app: application.App, scraped: Scraped) -> None:
    """Write down what each scrape of each pod gets."""
    exposition = Exposition({"cluster": "eu"})
    form = negotiate("application/openmetrics-text")
    await asyncio.sleep(20)
    while True:
        at = app.clock.time()
        text = (await exposition.text(app.live(), form)).decode()
        scraped.times.append(at)
        for line in text.splitlines():
            if not line.startswith("#"):
                scraped.lines += _as_scraped(line, at)
        await asyncio.sleep(SCRAPE)


_SERIES = re.compile(r"([^{]+)(?:\{(.*)\})?")


def _as_scraped(line: str, at: float) -> Iterator[str]:
    """*line* as Prometheus keeps it, for each pod."""
    series, _, value = line.rpartition(" ")
    for one in _at_each_pod(series):
        yield f"{one} {value} {at:.3f}"


@cache
def _at_each_pod(series: str) -> tuple[str, ...]:
    """*series* with the labels of its target, which win over its own."""
    found = _SERIES.fullmatch(series)
    assert found, series
    name, own = found.groups("")
    own = re.sub(r'(^|,)(pod|namespace|job|container|instance)="', r'\1exported_\2="', own)
    seen = []
    for n, pod in enumerate(PODS):
        target = {**SCRAPED, "pod": pod, "instance": f"10.0.0.{n}:9797"}
        labels = [own] * bool(own) + [f'{key}="{text}"' for key, text in target.items()]
        seen.append(f"{name}{{{','.join(labels)}}}")
    return tuple(seen)
