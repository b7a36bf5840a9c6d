"""A gateway's client and a real daemon."""

import asyncio

import aiohttp
import pytest

from sidecar.client import Client
from tests.integration.harness import Daemon


@pytest.mark.realtime
async def test_a_gateway_tells_a_daemon(tmp_path):
    """What the client says is in the daemon's metrics, once, and the daemon finds nothing wrong with it."""
    config = {"http": {"listen": "127.0.0.1:0"}, "database": ""}
    async with Daemon(tmp_path, config) as daemon, aiohttp.ClientSession(raise_for_status=True) as session:
        client = Client(daemon.url, labels={"service": "gateway"}, sender="worker-1", flush_interval=60.0)
        client.request(
            model="claude-sonnet-4-5", status=200, duration=2.5, usage={"input_tokens": 7, "output_tokens": 9}
        )
        client.request(model="claude-sonnet-4-5", status=529, error={"type": "overloaded_error"})
        client.increment("gateway_hits_total", 3)
        client.gauge("gateway_queue_depth", 4)
        client.describe("gateway_wait_seconds", "How long callers wait.", buckets=[0.5, 1])
        client.observe("gateway_wait_seconds", 0.75)
        client.circuit_breaker("claude", "open")

        assert await asyncio.to_thread(client.flush)
        await asyncio.to_thread(client.close)
        async with session.get(f"{daemon.url}/metrics") as answer:
            text = await answer.text()

    stats = client.stats()
    assert (stats.accepted, stats.rejected, stats.last_error) == (6, 0, "")
    lines = {line.partition("{")[0]: line for line in text.splitlines() if 'service="gateway"' in line}
    assert lines["gateway_hits_total"].endswith(" 3.0")
    assert 'sender="worker-1"' in lines["gateway_queue_depth"]
    assert lines["gateway_wait_seconds_count"].endswith(" 1.0")
    assert 'error_type="overloaded"' in text
    assert 'claude_circuit_breaker_state{name="claude"' in text
