"""What we expose, judged by Prometheus itself."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.api import metrics
from sidecar.api.exposition import Exposition, negotiate
from sidecar.model import families
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Family, Kind, Update
from sidecar.services.addresses import Address
from sidecar.services.web import Web
from sidecar.store import Store
from tests.programs import program

CATALOGUE = [family for family in vars(families).values() if isinstance(family, Family)]
LABELS = Labels(
    check="messages", type="claude.messages", target="https://api.anthropic.com/v1/messages", critical="true"
)


def full_store(at: float) -> Store:
    """A store with one series or two of every metric that we have."""
    store = Store()
    store.begin("test", at - 30)
    updates = [
        Update(family, 1.5, labels) for family in CATALOGUE for labels in (LABELS, LABELS.with_(error_type='"\n\\'))
    ]
    store.append(Batch("test", at, tuple(updates)))
    return store


def shown(live: Any) -> str:
    return asyncio.run(Exposition({"cluster": "eu-1"}).text(live, negotiate(""))).decode()


def test_promtool_finds_nothing_to_say():
    """Every metric of the catalogue passes the linter of Prometheus' own tool."""
    text = shown(full_store(1_700_000_000.0).live())

    judged = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )

    assert (judged.stdout + judged.stderr).splitlines() == []
    assert judged.returncode == 0


def test_promtool_finds_nothing_to_say_about_percentiles():
    """Percentiles and the counts behind them pass Prometheus' linter."""
    store = full_store(1_700_000_000.0)
    store.tick(1_700_000_010.0)
    text = shown(store.live())
    assert "# TYPE claude_request_duration_seconds_quantile summary" in text
    assert "claude_request_duration_seconds_window_count{" in text

    judged = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )

    assert (judged.stdout + judged.stderr).splitlines() == []


@asynccontextmanager
async def serving(store: Store) -> AsyncIterator[Address]:
    """A public listener on a free port."""
    server = Web(metrics.routes(store.live, lambda: {"cluster": "eu-1"}), listen="127.0.0.1:0", public="127.0.0.1:0")
    task = asyncio.create_task(server.run())
    await server.bound.wait()
    yield server.addresses[1]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def prometheus(folder: Path, target: Address) -> AsyncIterator[str]:
    """A real Prometheus that scrapes *target* all the time; its URL."""
    configuration = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "scrape_configs": [{"job_name": "sidecar", "static_configs": [{"targets": [str(target)]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML
    process = await asyncio.create_subprocess_exec(
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--log.level=info",
        "--log.format=json",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "GOMAXPROCS": "1"},
    )
    assert process.stderr is not None
    try:
        while True:
            said = json.loads(await process.stderr.readline())
            if said.get("msg") == "Listening on":
                yield f"http://{said['address']}"
                break
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


async def query(session: aiohttp.ClientSession, url: str, expression: str) -> list[Mapping[str, Any]]:
    async with session.get(f"{url}/api/v1/query", params={"query": expression}) as response:
        if response.status != 200:
            return []  # still starting
        found: list[Mapping[str, Any]] = (await response.json())["data"]["result"]
        return found


@pytest.mark.realtime
async def test_a_real_prometheus_scrapes_us(tmp_path):
    """Prometheus takes every series from a real listener, and answers questions about them."""
    program("prometheus")
    store = full_store(time.time())

    async with serving(store) as address, prometheus(tmp_path, address) as url, aiohttp.ClientSession() as session:
        while not (found := await query(session, url, 'probe_success{check="messages", error_type=""}')):
            await asyncio.sleep(0.1)
        (up,) = await query(session, url, "up")
        (scraped,) = await query(session, url, 'scrape_samples_scraped{check=""}')
        (quantile,) = await query(session, url, 'histogram_quantile(0.5, probe_latency_seconds_bucket{error_type=""})')
        async with session.get(
            f"{url}/api/v1/targets/metadata", params={"metric": "probe_latency_seconds"}
        ) as response:
            (metadata,) = (await response.json())["data"]

    assert found[0]["value"][1] == "1.5"
    assert found[0]["metric"]["cluster"] == "eu-1"
    assert up["value"][1] == "1"
    assert int(scraped["value"][1]) == sum(
        2 * (len(family.buckets) + 3 if family.kind is Kind.HISTOGRAM else 1)
        for family in CATALOGUE
        if family.name != "ALERTS"
    )
    assert 0.8 < float(quantile["value"][1]) < 1.6
    assert metadata["type"] == "histogram"
    assert metadata["help"] == families.PROBE_LATENCY.help
