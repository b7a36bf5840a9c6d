"""The Claude checks and the simulator were written from the same facts, apart from each other: they must agree."""

from dataclasses import replace
from typing import Any

import pytest

from sidecar import plugins
from sidecar.checks import Check
from sidecar.model.families import CLAUDE_FIRST_TOKEN, CLAUDE_RATELIMIT_REMAINING, CLAUDE_STOP_REASONS, PROBE_PHASE
from sidecar.simulator import KEY, Fault, FaultKind, Latency, Simulator, application
from tests.checks.script import Probed, probe

QUICK = Latency(overhead=0.0, first_token=0.5, tokens_per_second=20.0, jitter=0.0)

EVERYWHERE = {
    FaultKind.AUTH: "auth",
    FaultKind.PERMISSION: "permission",
    FaultKind.ON_HOLD: "permission",
    FaultKind.SERVER_ERROR: "server_error",
    FaultKind.UNAVAILABLE: "server_error",
    FaultKind.BAD_GATEWAY: "not_json",
    FaultKind.NOT_JSON: "not_json",
    FaultKind.RESET: "reset",
    FaultKind.HANG: "timeout",
    FaultKind.SLOW: "",
}
POSTS = EVERYWHERE | {FaultKind.TOO_LARGE: "too_large", FaultKind.NOT_FOUND: "not_found"}
MESSAGES = POSTS | {
    FaultKind.OVERLOADED: "overloaded",
    FaultKind.THROTTLED: "throttled",
    FaultKind.RAMP_LIMIT: "throttled",
    FaultKind.SPEND_CAP: "spend_cap",
    FaultKind.SELF_LIMIT: "spend_cap",
    FaultKind.CREDIT: "spend_cap",
    FaultKind.BILLING: "spend_cap",
    FaultKind.GATEWAY_TIMEOUT: "timeout",
    FaultKind.REFUSAL: "",
}
STREAMS = MESSAGES | {
    FaultKind.STALL: "stalled",
    FaultKind.PING_ONLY: "ping_only",
    FaultKind.TRUNCATE: "truncated",
    FaultKind.STREAM_ERROR: "overloaded",
    FaultKind.BUFFERED: "",
}
EXPECTED = {
    "claude.models": EVERYWHERE,
    "claude.count_tokens": POSTS,
    "claude.messages": MESSAGES,
    "claude.stream": STREAMS,
}


def check(type_: str, **settings: Any) -> Check:
    given = {"name": "claude", "type": type_, "api_key": KEY, "base_url": "http://claude.test"}
    return plugins.find("sidecar.checks", type_, Check).model_validate(given | settings)


async def probed(wire, type_: str, *faults: Fault, latency: Latency = QUICK, **settings: Any) -> Probed:
    wire.serve("claude.test", application(Simulator(faults=faults, latency=latency)))
    return await probe(check(type_, **settings), wire)


@pytest.mark.parametrize("auth", ["x-api-key", "bearer"])
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("type_", EXPECTED)
async def test_a_healthy_api(wire, type_, version, auth):
    """Every check is content with an API that is well, in both versions and with both ways to send a key."""
    found = await probed(wire, type_, api_version=version, auth=auth)

    assert found.result.ok, found.message
    assert found.notes["request_id"]


@pytest.mark.parametrize(
    ("type_", "kind", "word"),
    [(type_, kind, word) for type_, words in EXPECTED.items() for kind, word in words.items()],
    ids=str,
)
async def test_each_fault_is_told_by_its_word(wire, type_, kind, word):
    """What the API does wrong is what the check says it does."""
    found = await probed(wire, type_, Fault(kind))

    assert found.error_type == word, found.message


def test_no_fault_is_forgotten():
    """Whatever the simulator can do wrong, some check has a word for it."""
    assert set(STREAMS) == set(FaultKind)


async def test_what_is_measured_is_what_was_simulated(wire):
    """Time to first token and headroom are what the simulator was told to give."""
    found = await probed(wire, "claude.stream", latency=replace(QUICK, tokens_per_second=2000.0))

    assert found.value(CLAUDE_FIRST_TOKEN) == pytest.approx(0.5, abs=0.01)
    assert {labels["phase"] for labels, _ in found.values(PROBE_PHASE)} >= {"first_byte", "first_token", "transfer"}
    assert {"requests", "tokens"} <= {labels["family"] for labels, _ in found.values(CLAUDE_RATELIMIT_REMAINING)}


async def test_a_refusal_and_a_burst_are_told_but_do_not_fail(wire):
    """What is remarkable about a healthy stream is in its stop reason or its notes."""
    refusal = await probed(wire, "claude.stream", Fault(FaultKind.REFUSAL))
    burst = await probed(wire, "claude.stream", Fault(FaultKind.BUFFERED))

    assert [labels["stop_reason"] for labels, _ in refusal.values(CLAUDE_STOP_REASONS)] == ["refusal"]
    assert "holds the stream back" in str(burst.notes["buffered"])


@pytest.mark.parametrize("after", [0, 1, 5])
@pytest.mark.parametrize(
    ("kind", "word"),
    [(FaultKind.RESET, "truncated"), (FaultKind.TRUNCATE, "truncated"), (FaultKind.STALL, "stalled")],
)
async def test_a_stream_may_break_anywhere(wire, kind, word, after):
    """A stream that breaks after some content has the word of one that breaks at once."""
    found = await probed(wire, "claude.stream", Fault(kind, after=after))

    assert found.error_type == word, found.message


async def test_prompts_that_are_only_read_and_models_by_name(wire):
    """The cheapest probes work as the simulator takes them: no tokens to write, one model to look up."""
    assert (await probed(wire, "claude.messages", max_tokens=0)).result.ok
    assert (await probed(wire, "claude.models", model="claude-haiku-5-5")).result.ok
    assert (await probed(wire, "claude.models", model="claude-novel-9")).error_type == "not_found"
    assert (await probed(wire, "claude.messages", model="claude-novel-9")).error_type == "not_found"
