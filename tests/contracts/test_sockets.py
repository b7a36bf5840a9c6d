"""What every check promises that speaks a protocol of its own over TCP, whoever wrote it."""

import asyncio
from typing import Any

import pytest

from sidecar import plugins
from sidecar.checks import Check
from sidecar.claude.errors import ErrorType
from sidecar.secrets import remember
from tests.checks.peers import ENDLESS, RESET, SILENT, look, peer
from tests.checks.script import Probed
from tests.integration.harness import free_port

SECRET = "canary-of-the-socket-checks"

SETTINGS: dict[str, dict[str, Any]] = {
    "redis": {"url": "redis://HOST:PORT", "password": SECRET, "values": {"depth": "jobs"}},
    "postgres": {"dsn": f"postgresql://probe:{SECRET}@HOST:PORT/app", "values": {"depth": {}}},
    "postgres without TLS": {"host": "HOST", "port": "PORT", "password": SECRET, "sslmode": "disable"},
    "amqp": {"url": "amqp://HOST:PORT", "password": SECRET, "values": {"depth": "tasks"}},
    "nats": {"url": "nats://HOST:PORT", "token": SECRET, "values": {"backlog": "orders"}},
    "grpc": {"address": "HOST:PORT", "metadata": {"authorization": SECRET}},
    "tls": {"address": "HOST:PORT"},
    "tls after SMTP": {"address": "HOST:PORT", "starttls": "smtp"},
    "tcp": {"address": "HOST:PORT", "dialogue": [{"expect": "^2 hello"}, {"send": SECRET}, {"expect": "x"}]},
    "tcp without lines": {"address": "HOST:PORT", "line_break": "none", "dialogue": [{"expect": "^2 hello"}]},
}
"""By type: settings that lead to HOST and PORT, with a secret where the type takes one."""

SAID = {
    "nothing": b"",
    "binary": bytes(range(256)) * 4,
    "zeros": b"\x00" * 5000,
    "an endless line": b"x" * 2**20,
    "empty lines": b"\r\n" * 5000,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n",
    "SMTP": b"220 mail.example ESMTP ready\r\n",
    "an error": b"-ERR \x1b[31m" + SECRET.encode() + b"\r\n",
    "an error of another kind": b"E\x00\x00\x00\x20SFATAL\x00C28P01\x00M" + SECRET.encode() + b"\x00\x00",
    "half a frame": b"\x01\x00\x00\x00\x00\xff\xff\x00\x0a\x00\x0a",
    "INFO": b'INFO {"server_id": 3, "max_payload": "x"}\r\n-ERR \xff\r\n',
    "INFO that is none": b"INFO []\r\nINFO {\r\n",
    "deep": b"INFO " + b"[" * 60_000 + b"\r\n",
}

pytestmark = pytest.mark.realtime


def built(name: str, port: int, host: str = "127.0.0.1", **more: Any) -> Check:
    settings = {
        key: value.replace("HOST", host).replace("PORT", str(port)) if isinstance(value, str) else value
        for key, value in SETTINGS[name].items()
    }
    type_ = name.partition(" ")[0]
    return plugins.find("sidecar.checks", type_, Check).model_validate(
        {"type": type_, "name": "probe", "timeout": "2s", **settings, **more}
    )


@pytest.fixture(params=SETTINGS)
def name(request) -> str:
    return str(request.param)


async def test_whatever_the_peer_says_it_is_a_failed_probe(name):
    """Bytes that make no sense fail the probe in one of our words, in a sentence without secrets; nothing else."""
    remember(SECRET)  # of another check, where this type has none

    async def ask(said: bytes) -> Probed:
        async with peer(said) as server:
            return await look(built(name, server.port))

    for said, probed in zip(SAID, await asyncio.gather(*map(ask, SAID.values())), strict=True):
        assert probed.error_type in {*ErrorType} - {ErrorType.INTERNAL, ErrorType.TIMEOUT}, f"{said}: {probed.message}"
        assert "\n" not in probed.message, said
        assert "\x1b" not in probed.message, said
        assert len(probed.message) < 1000, said
        assert SECRET not in probed.message + str(probed.notes), said


async def test_a_peer_that_says_nothing_ends_in_a_timeout(name):
    """Silence lasts as long as the check's timeout; then the connection is closed."""
    async with peer(SILENT) as server:
        probed = await look(built(name, server.port, timeout="100ms"))
        await server.left.wait()

    assert probed.error_type == "timeout"


async def test_a_peer_that_never_stops(name):
    """A peer that says more than anybody wants to hear is cut off, one way or another."""
    async with peer(ENDLESS) as server:
        probed = await look(built(name, server.port))
        await server.left.wait()

    assert probed.error_type in ("too_large", "reset", "tls", "timeout")


async def test_a_peer_that_resets(name):
    """A peer that breaks the connection at once is told apart from one that is not there."""
    async with peer(RESET) as server:
        probed = await look(built(name, server.port))

    assert probed.error_type in ("reset", "connect", "tls")


async def test_nobody_listens(name):
    """A port that is closed refuses the connection."""
    port = free_port()
    probed = await look(built(name, port))

    assert probed.error_type == "connect"
    assert "connection refused" in probed.message
    assert str(port) in probed.message


async def test_a_name_that_does_not_resolve(name):
    """A host without an address is a matter of DNS."""
    probed = await look(built(name, 7, host="nowhere.invalid"))

    assert probed.error_type == "dns"
    assert probed.message == "the name nowhere.invalid does not resolve"


def test_every_check_over_tcp_is_here():
    """A type that leads to a host and a port belongs into this table."""
    for name, settings in SETTINGS.items():
        assert name.partition(" ")[0] in plugins.names("sidecar.checks")
        assert any("PORT" in str(value) for value in settings.values())
