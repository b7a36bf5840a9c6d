"""What the daemon does not load while nobody asked for it: its memory is the gateway's memory."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.harness import Daemon, Receiver, Target, recording, serve

ABSENT = (
    "rich",  # tables of other commands; structlog would import it
    "pygments",
    "opentelemetry",
    "google",  # protobuf comes with OpenTelemetry
    "grpc",
    "requests",
    "jinja2",
    "numpy",
    "greenlet",  # structlog would import it
    "cryptography",
    "dns",
    "psutil",
    "redis",
    "asyncpg",
    "aiosmtplib",  # the e-mail channel, which is not configured
    "smtplib",
    "time_machine",
    "anthropic",
    "httpx",
    "jsonpath_rfc9535",  # until a check follows a path
    "anyio",
    "pytest",
    "sidecar.channels.email",
    "sidecar.channels.slack",
    "sidecar.channels.log",
    "sidecar.checks.claude.stream",
    "sidecar.claude.stream",
    "sidecar.api.alerts",
    "sidecar.api.checks",
    "sidecar.api.events",  # what is asked of the API, until somebody asks
    "sidecar.api.openapi",
    "sidecar.api.v1",
    "sidecar.cli.check",
    "sidecar.cli.client",
    "sidecar.cli.completion",
    "sidecar.cli.config",
    "sidecar.cli.demo",
    "sidecar.cli.diagnose",
    "sidecar.cli.explain",
    "sidecar.cli.notify",
    "sidecar.cli.query",
    "sidecar.cli.rules",
    "sidecar.cli.simulator",
    "sidecar.cli.status",
    "sidecar.coordination",
    "sidecar.ingest",
    "sidecar.page",
    "sidecar.rules.unittests",
    "sidecar.simulator",
    "sidecar.testing",
)


def config(folder: Path, target: str, receiver: str) -> dict[str, Any]:
    """One check, one channel, one shipped pack."""
    return {
        "database": str(folder / "sidecar.db"),
        "http": {"listen": "127.0.0.1:0"},
        "checks": [{"type": "http", "name": "gateway", "url": target}],
        "channels": [{"type": "webhook", "name": "hook", "url": receiver}],
        "rules": [{"pack": "availability"}],
    }


@pytest.mark.realtime
async def test_what_is_not_configured_is_not_imported(tmp_path):
    """A daemon that has told somebody something has imported nothing that it was not configured to use."""
    target, receiver = Target({"": 503}), Receiver()
    async with (
        serve(target.app()) as watched,
        serve(receiver.app()) as told,
        Daemon(tmp_path, config(tmp_path, watched, told), recording(tmp_path / "modules")) as daemon,
    ):
        await asyncio.gather(daemon.ready(), receiver.next())
        assert await daemon.stop() == 0

    modules = (tmp_path / "modules").read_text().split()
    assert "sidecar.services.evaluator" in modules, "the list is that of a daemon"
    assert [name for name in modules if any(f"{name}.".startswith(f"{absent}.") for absent in ABSENT)] == []
