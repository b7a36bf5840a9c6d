"""Probes whose secret is another one by the time it is refused."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks.claude.messages import ClaudeMessagesCheck
from sidecar.checks.http import HttpCheck
from sidecar.checks.scrape import ScrapeCheck
from sidecar.model.families import CLAUDE_REQUESTS, PROBE_PHASE, PROBE_STATUS, PROBE_VALUE
from sidecar.secrets import Secret
from tests.checks.claude_wire import MESSAGE
from tests.checks.script import Probed, probe

OLD, NEW = "old-key-canary", "new-key-canary"
KINDS = {401: "authentication_error", 403: "permission_error", 500: "api_error"}


class Gate:
    """A gateway that lets in whoever has the new key; *rotate* happens while the first request is on its way."""

    def __init__(self, *, rotate: Callable[[], object] = lambda: None, status: int = 401, takes: float = 0.0) -> None:
        self.keys: list[str] = []
        self._rotate = rotate
        self._status = status
        self._takes = takes
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("x-api-key", ""))
        await asyncio.sleep(self._takes)
        if len(self.keys) == 1:
            self._rotate()
        if self.keys[-1] != NEW:
            error = {"type": KINDS[self._status], "message": f"wrong key {self.keys[-1]}"}
            return web.json_response({"type": "error", "error": error}, status=self._status)
        body = "a 1\n" if request.path == "/metrics" else json.dumps(MESSAGE)
        return web.Response(text=body, content_type="text/plain" if request.path == "/metrics" else "application/json")


@pytest.fixture
def key(tmp_path) -> Path:
    path: Path = tmp_path / "key"
    path.write_text(OLD)
    return path


def messages(key: Path, **more: Any) -> Check:
    settings = {"name": "paid", "base_url": "http://gateway", "api_key": {"file": str(key)}, **more}
    return ClaudeMessagesCheck.model_validate(settings)


def http(key: Path, **more: Any) -> Check:
    headers = {"X-Api-Key": {"file": str(key)}}
    return HttpCheck.model_validate({"name": "free", "url": "http://gateway/", "headers": headers, **more})


def scrape(key: Path, **more: Any) -> Check:
    headers = {"X-Api-Key": {"file": str(key)}}
    return ScrapeCheck.model_validate({"name": "read", "url": "http://gateway/metrics", "headers": headers, **more})


async def probed(wire: Any, check: Check, gate: Gate) -> Probed:
    wire.serve("gateway", gate.app)
    return await probe(check, wire)


@pytest.mark.parametrize("build", [messages, http, scrape])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_rotates_during_a_probe_fails_nothing(wire, key, build, status):
    """The probe is made once more with the new key, says so, and counts as one."""
    gate = Gate(rotate=lambda: key.write_text(NEW), status=status)

    found = await probed(wire, build(key), gate)

    assert (found.result.ok, gate.keys) == (True, [OLD, NEW]), found.message
    assert found.notes["retried"] == "secret changed"


@pytest.mark.parametrize("build", [messages, http, scrape])
async def test_a_key_that_stays_is_refused_once(wire, key, build):
    """Nothing is repeated, let alone paid for, with the key that was refused."""
    gate = Gate()

    found = await probed(wire, build(key), gate)

    assert (found.result.ok, gate.keys) == (False, [OLD])
    assert "retried" not in found.notes
    assert OLD not in found.message


async def test_only_the_second_attempt_is_measured(wire, key):
    """Counters, phases, status, evidence and duration are those of the attempt that counts."""
    gate = Gate(rotate=lambda: key.write_text(NEW), takes=2.0)

    found = await probed(wire, messages(key), gate)

    ((labels, count),) = found.values(CLAUDE_REQUESTS)
    assert (labels["outcome"], count) == ("ok", 1)
    assert found.value(PROBE_STATUS) == 200
    assert len([1 for labels, _ in found.values(PROBE_PHASE) if labels["phase"] == "first_byte"]) == 1
    assert found.result.duration == pytest.approx(2.0, abs=0.1)


async def test_a_second_refusal_is_a_failure_that_says_so(wire, key):
    """When the new key is refused, too, the probe has failed, and tells that it tried both."""
    gate = Gate(rotate=lambda: key.write_text("another-canary"))

    found = await probed(wire, messages(key), gate)

    assert (found.error_type, gate.keys) == ("auth", [OLD, "another-canary"])
    assert found.notes["retried"] == "secret changed"
    assert "canary" not in found.message
    ((labels, count),) = found.values(CLAUDE_REQUESTS)
    assert (labels["outcome"], count) == ("refused", 1)


async def test_both_attempts_share_the_timeout(wire, key):
    """A probe takes no longer than its timeout, however often it asks."""
    gate = Gate(rotate=lambda: key.write_text(NEW), takes=6.0)

    found = await probed(wire, http(key, timeout="10s"), gate)

    assert (found.error_type, len(gate.keys)) == ("timeout", 2)


async def test_a_negative_check_asks_with_the_present_key(wire, key):
    """Whoever expects a refusal expects it of the key that is valid now."""
    gate = Gate(rotate=lambda: key.write_text(NEW))

    found = await probed(wire, http(key, negative=True), gate)

    assert (found.error_type, found.message) == ("assertion", "the probe succeeded, expected a failure")


async def test_a_failure_of_another_kind_is_not_repeated(wire, key):
    """A key that changes while the gateway is broken is no reason to ask again."""
    gate = Gate(rotate=lambda: key.write_text(NEW), status=500)

    found = await probed(wire, messages(key), gate)

    assert (found.error_type, len(gate.keys)) == ("server_error", 1)


async def test_a_check_that_speaks_something_else_is_repeated_by_its_word(wire, key):
    """A failure of the kind auth or permission is a refusal, whatever the protocol."""

    class Custom(HttpCheck):
        async def probe(self, ctx: ProbeContext) -> None:
            found = self.headers["X-Api-Key"].reveal()
            ctx.record(PROBE_VALUE, 1.0, name=found)
            key.write_text(NEW)
            if found != NEW:
                raise CheckFailed("permission", "no")

    headers = {"X-Api-Key": Secret.from_file(str(key))}
    check = Custom.model_validate({"name": "c", "url": "http://gateway/", "headers": headers})

    found = await probe(check, wire)

    assert found.result.ok
    assert [labels["name"] for labels, _ in found.values(PROBE_VALUE)] == [NEW]
