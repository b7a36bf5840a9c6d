"""Bytes that nobody should send, and a machine that runs out of files, against a real daemon."""

import asyncio
import gzip
import json
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.harness import Daemon, Target, serve, until

EVENTS = "/api/v1/events"
JSON = "Content-Type: application/json"


def request(path: str, body: bytes = b"", headers: Sequence[str] = (), method: str = "POST") -> bytes:
    """A request as it is on the wire; *headers* may name another host."""
    host = () if any(header.startswith("Host:") for header in headers) else ("Host: 127.0.0.1",)
    lines = [f"{method} {path} HTTP/1.1", *host, f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


BYTES: dict[str, tuple[bytes, int]] = {
    "noise": (bytes(range(256)) * 20, 400),
    "a NUL in the path": (b"GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "a header of 200 kB": (request("/health", headers=["X: " + "a" * 200_000], method="GET"), 400),
    "20,000 headers": (request("/health", headers=[f"X{n}: a" for n in range(20_000)], method="GET"), 400),
    "a path of 100 kB": (request("/" + "a" * 100_000, method="GET"), 400),
    "a path that climbs": (request("/api/v1/checks/..%2f..%2fetc%2fpasswd", method="GET"), 404),
    "a method that is none": (request("/health", method="BREW"), 400),
    "TRACE": (request("/health", method="TRACE"), 405),
    "two lengths": (request(EVENTS, b"0\r\n\r\nGET /", ["Transfer-Encoding: chunked"]), 400),
    "a length below zero": (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n", 400),
    "two hosts": (b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "JSON 200,000 deep": (request(EVENTS, b"[" * 200_000 + b"]" * 200_000, [JSON]), 400),
    "60,000 keys": (request(EVENTS, b"{" + b",".join(b'"%d":1' % n for n in range(60_000)) + b"}", [JSON]), 400),
    "bytes that are no UTF-8": (request(EVENTS, b'[{"a":"\xff\xfe"}]', [JSON]), 400),
    "half a character": (request(EVENTS, b'[{"type":"\\ud800"}]', [JSON]), 400),
    "a number of 500,000 digits": (request(EVENTS, b"[" + b"9" * 500_000 + b"]", [JSON]), 400),
    "a bomb": (request(EVENTS, gzip.compress(b"[" + b" " * 20_000_000 + b"]"), [JSON, "Content-Encoding: gzip"]), 413),
    "no gzip, as events": (request(EVENTS, b"\x1f\x8bxx" * 9, [JSON, "Content-Encoding: gzip"]), 400),
    "no gzip, as a heartbeat": (request("/api/v1/heartbeats/job", b"\x1f\x8bxx" * 9, ["Content-Encoding: gzip"]), 400),
    "a query of brackets": (
        request("/api/v1/query", b"query=" + b"(" * 500_000, ["Content-Type: application/x-www-form-urlencoded"]),
        400,
    ),
    "a page's own name": (request("/api/v1/checks", headers=["Host: evil.example"], method="GET"), 403),
    "events of a page": (request(EVENTS, b"[]", ["Content-Type: text/plain", "Origin: http://evil.example"]), 403),
    "events of a file": (request(EVENTS, b"[]", [JSON, "Origin: null"]), 403),
    "a heartbeat of a page": (request("/api/v1/heartbeats/job", headers=["Sec-Fetch-Site: cross-site"]), 403),
    "a reload by a page": (request("/-/reload", headers=["Origin: http://evil.example"]), 403),
    "a silence by a page": (request("/api/v1/silences", b"{}", ["Origin: http://127.0.0.1:1"]), 403),
    "an acknowledgement by a page": (request("/api/v1/acks", b"{}", ["Origin: https://127.0.0.1.evil.example"]), 403),
    "a probe by a page": (request("/api/v1/checks/good/run", headers=["Origin: http://evil.example"]), 403),
}


def config(url: str) -> dict[str, Any]:
    return {
        "http": {"listen": "127.0.0.1:0"},
        "tick": "1s",
        "checks": [
            {"type": "http", "name": "good", "url": url, "every": "200ms"},
            {"type": "heartbeat", "name": "job", "period": "1h"},
        ],
    }


async def said(port: int, data: bytes) -> bytes:
    """What comes back for *data* until the other end hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        answer = b""
        try:
            async with asyncio.timeout(10):
                while part := await reader.read(2**16):
                    answer += part
        except ConnectionError:
            pass  # it would not read the rest of what we sent
        return answer
    finally:
        writer.close()


@pytest.mark.realtime
async def test_hostile_bytes_are_refused_and_change_nothing(tmp_path):
    """Each gets the status that it deserves; nothing is logged as our mistake, and probes go on."""
    async with serve(Target().app()) as url, Daemon(tmp_path, config(url)) as daemon:
        await daemon.ready()
        port = int(daemon.url.rpartition(":")[2])
        resident = memory(daemon)

        answers = {name: await said(port, data) for name, (data, _) in BYTES.items()}
        many = await said(
            port,
            request("/health/live", method="GET").replace(b"close", b"keep-alive") * 999
            + request("/health/live", method="GET"),
        )

        found = {name: int(answer.split(b" ", 2)[1]) for name, answer in answers.items() if answer}
        assert found == {name: status for name, (_, status) in BYTES.items() if name in found}
        assert len(found) >= len(BYTES) - 3  # whoever sends on and on may see a reset in place of the answer
        assert many.count(b"HTTP/1.1 200") == 1000
        assert memory(daemon) - resident < 60
        assert [entry for entry in daemon.log if entry["level"] in ("warning", "error")] == []
        assert (await daemon.get("/health/live"))[0] == 200


def memory(daemon: Daemon) -> float:
    """Resident memory in MiB."""
    pages = int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.realtime
async def test_a_daemon_without_files_to_open_lives_and_says_so(tmp_path):
    """Out of file descriptors, checks fail with that reason, and all is well again when there are some."""
    async with serve(Target().app()) as url, Daemon(tmp_path, config(url)) as daemon:

        async def state() -> str:
            checks = json.loads((await daemon.get("/health"))[1])["checks"]
            return next(str(check["state"]) for check in checks if check["name"] == "good")

        async def up() -> bool:
            return await state() == "up"

        await until(up, "the check to be up")
        opened = len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))
        before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (opened + 4, before[1]))
        port = int(daemon.url.rpartition(":")[2])
        guests = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        since = len(daemon.log)
        failed = await daemon.event("check.changed", since=since)
        await daemon.event("web.cannot_accept")
        for _, writer in guests:
            writer.close()
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)

        await until(up, "the check to be up again")

        assert failed["now"] == "down"
        assert "too many open files" in failed["message"]
        assert len(daemon.log) - since < 30
