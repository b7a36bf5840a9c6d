"""A start with broken files, in a real process."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.harness import Daemon, until

pytestmark = pytest.mark.realtime


async def ask(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/health") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_the_last_good_configuration_runs_until_the_files_are_mended(tmp_path: Path) -> None:
    """It says so in the log, in /health and in a metric, and takes up the mended file by itself."""
    good = {
        "database": str(tmp_path / "state.db"),
        "http": {"listen": "127.0.0.1:0"},
        "tick": "1s",
        "reload": {"every": "100ms"},
        "checks": [{"type": "heartbeat", "name": "job", "period": "1h"}],
    }
    daemon = Daemon(tmp_path, good)
    await daemon.start()
    kept = tmp_path / "state.db.last-good.json"

    async def is_kept() -> bool:
        return kept.exists()

    await until(is_kept, "the configuration to be kept")
    await daemon.stop()
    assert kept.stat().st_mode & 0o077 == 0

    broken = good | {"checks": [{"type": "nonsense", "name": "job", "period": "1h"}]}
    daemon = Daemon(tmp_path, broken)
    await daemon.start()
    try:
        assert "nonsense" in (await daemon.event("config.last_good"))["problem"]
        configuration = (await ask(daemon.url))["configuration"]
        assert (configuration["ok"], configuration["last_good"]) == (False, True)
        assert "nonsense" in configuration["problem"]

        async def measured() -> bool:
            async with aiohttp.ClientSession() as session, session.get(f"{daemon.url}/metrics") as answer:
                return "\nsidecar_config_last_reload_successful 0" in await answer.text()

        await until(measured, "the metric that says so")
        await asyncio.to_thread((tmp_path / "sidecar.yml").write_text, json.dumps(good))

        async def mended() -> bool:
            return bool((await ask(daemon.url))["configuration"]["ok"])

        await until(mended, "the mended file to be taken up")
        assert not (await ask(daemon.url))["configuration"]["last_good"]
    finally:
        await daemon.stop()
