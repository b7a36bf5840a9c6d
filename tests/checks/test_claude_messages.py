"""The check claude.messages, against bytes written by hand."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks.claude.messages import ClaudeMessagesCheck
from sidecar.clock import SystemClock
from sidecar.model.families import (
    CLAUDE_COST,
    CLAUDE_DURATION,
    CLAUDE_RATELIMIT_LIMIT,
    CLAUDE_RATELIMIT_REMAINING,
    CLAUDE_RATELIMIT_RESET,
    CLAUDE_REQUESTS,
    CLAUDE_STOP_REASONS,
    CLAUDE_TOKENS,
    PROBE_STATUS,
)
from sidecar.outbound import Outbound
from sidecar.services.probing import Recording
from tests.checks.claude_wire import MESSAGE, error, json_answer
from tests.checks.script import HANG, RESET, Peer, answer, probe

KEY = "sk-ant-canary-0123456789"
API = "api.anthropic.com"
OWN = {"model": "claude-haiku-5-5", "source": "probe"}


def check(**settings: Any) -> ClaudeMessagesCheck:
    return ClaudeMessagesCheck.model_validate({"name": "claude", "api_key": KEY, **settings})


async def test_a_message_is_asked_as_the_api_wants_it(wire):
    """The request has key, version and a small body that sets no sampling and begins no answer."""
    peer = Peer([json_answer(200, MESSAGE)])
    wire.raw(API, peer)

    probed = await probe(check(), wire)

    assert probed.result.ok
    head, _, body = peer.request.partition("\r\n\r\n")
    lines = head.lower().split("\r\n")
    assert lines[0] == "post /v1/messages http/1.1"
    assert {f"x-api-key: {KEY}", "anthropic-version: 2023-06-01", "content-type: application/json"} <= set(lines)
    assert not any(line.startswith("authorization") for line in lines)
    assert json.loads(body) == {
        "model": "claude-haiku-5-5",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "Say OK."}],
    }


async def test_the_other_way_to_send_a_key(wire):
    """Newer SDKs send the key as a bearer and another version; gateways may want headers of their own."""
    peer = Peer([json_answer(200, MESSAGE)])
    wire.raw("gateway:4000", peer)
    settings = {"auth": "bearer", "api_version": "2026-10-21", "headers": {"X-Team": "ops"}}

    probed = await probe(check(base_url="http://gateway:4000/claude/v1/", **settings), wire)

    assert probed.result.ok
    head = peer.request.lower()
    assert head.startswith("post /claude/v1/messages ")
    assert f"authorization: bearer {KEY}\r\n" in head
    assert "anthropic-version: 2026-10-21\r\n" in head
    assert "x-team: ops\r\n" in head
    assert "x-api-key" not in head


async def test_what_a_message_measures(wire):
    """A success counts a request, tokens, cost, stop reason and limits, and notes the request's id."""
    usage = {"input_tokens": 1000, "output_tokens": 1, "cache_read_input_tokens": 500}
    wire.raw(API, Peer([2.0, json_answer(200, {**MESSAGE, "usage": usage, "stop_reason": "max_tokens"})]))

    probed = await probe(check(), wire)

    assert probed.values(CLAUDE_REQUESTS) == [({**OWN, "outcome": "ok"}, 1)]
    assert probed.value(CLAUDE_DURATION) == 2.0
    tokens = {labels["token_type"]: value for labels, value in probed.values(CLAUDE_TOKENS)}
    assert tokens == {"input": 1000, "output": 1, "cache_read": 500}
    assert probed.value(CLAUDE_COST) == pytest.approx(0.0001055)
    assert probed.values(CLAUDE_STOP_REASONS) == [({**OWN, "stop_reason": "max_tokens"}, 1)]
    assert probed.values(CLAUDE_RATELIMIT_LIMIT) == [({"family": "requests"}, 1000)]
    assert probed.values(CLAUDE_RATELIMIT_REMAINING) == [({"family": "requests"}, 999)]
    assert probed.values(CLAUDE_RATELIMIT_RESET) == [({"family": "requests"}, 1767614430)]
    assert probed.value(PROBE_STATUS) == 200
    assert probed.notes["request_id"] == "req_011"


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("end_turn", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("novel\ud800", "other"),
    ],
)
async def test_every_stop_reason_is_healthy(wire, reason, label):
    """Content outcomes are no outages, and a reason that nobody told us of becomes no label of its own."""
    wire.raw(API, Peer([json_answer(200, {**MESSAGE, "content": [], "stop_reason": reason})]))

    probed = await probe(check(), wire)

    assert probed.result.ok
    assert probed.values(CLAUDE_STOP_REASONS) == [({**OWN, "stop_reason": label}, 1)]


async def test_a_prompt_that_is_only_read(wire):
    """With max_tokens 0 nothing is written, and the empty message is well."""
    peer = Peer([json_answer(200, {**MESSAGE, "content": [], "stop_reason": "max_tokens"})])
    wire.raw(API, peer)

    assert (await probe(check(max_tokens=0), wire)).result.ok
    assert '"max_tokens": 0' in peer.request


@pytest.mark.parametrize("before", [0, 100, 230, 250, 262, 290, 1190])
@pytest.mark.parametrize("times", [1, 80])
async def test_an_echo_of_the_key_shows_no_half_of_it(wire, before, times):
    """A gateway that repeats the key, wherever that is cut to be shown, shows nothing of it."""
    key = "gateway-canary-0123456789-0123456789"
    said = "x" * before + key * times
    headers = (f"server: {key * times}", f"retry-after: {key}")
    for answered in (
        error(401, "authentication_error", said),
        json_answer(401, {"error": {"type": key, "message": said, "details": {"error_code": said}}}),
        answer(401, said.encode(), *headers, f"request-id: {key * times}"),
    ):
        wire.raw(API, Peer([answered]))

        probed = await probe(check(api_key=key), wire)

        shown = probed.message + str(probed.notes)
        assert not any(key[i : i + 8] in shown for i in range(len(key) - 8)), shown


async def test_an_error_is_kept_as_evidence(wire):
    """The answer that failed the probe is there to be read: its headers, and the beginning of its body."""
    wire.raw(API, Peer([error(529, "overloaded_error", "Overloaded")]))

    evidence = (await probe(check(), wire)).result.evidence

    assert evidence is not None
    assert evidence.headers["request-id"] == "req_011"
    assert evidence.headers["anthropic-ratelimit-requests-remaining"] == "999"
    assert json.loads(evidence.body)["error"]["type"] == "overloaded_error"


async def test_a_probe_that_is_cancelled_was_too_late(wire):
    """When the prober's own limit comes first, as on a busy machine, the request counts as the probe does: as late."""
    wire.raw(API, Peer([HANG]))
    ctx = Recording(SystemClock(monotonic=asyncio.get_running_loop().time), Outbound(connector=wire.connector))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await check().probe(ctx)

    ((labels, _),) = [(update.labels, update.value) for update in ctx.updates if update.family is CLAUDE_REQUESTS]
    assert labels["error_type"] == "timeout"


async def test_a_model_without_a_price(wire):
    """A gateway's own name for a model costs what nobody knows, which is not zero."""
    wire.raw(API, Peer([json_answer(200, MESSAGE)]))

    probed = await probe(check(model="house-model"), wire)

    assert probed.result.ok
    assert probed.values(CLAUDE_COST) == []


@pytest.mark.parametrize(
    ("steps", "error_type", "outcome", "message"),
    [
        pytest.param([error(529, "overloaded_error", "Overloaded")], "overloaded", "failed",
            "HTTP 529 overloaded_error: Overloaded", id="overloaded"),
        pytest.param([error(429, "rate_limit_error", "slow down", "retry-after: 7")], "throttled", "refused",
            "HTTP 429 rate_limit_error: slow down", id="throttled"),
        pytest.param([error(429, "rate_limit_error", "paused", code="enforced_spend_limit_reached")], "spend_cap",
            "refused", "HTTP 429 enforced_spend_limit_reached: paused", id="spend cap"),
        pytest.param([error(400, "invalid_request_error", "You have reached your specified API usage limits.")],
            "spend_cap", "refused",
            "HTTP 400 invalid_request_error: You have reached your specified API usage limits.", id="our own limit"),
        pytest.param([error(401, "authentication_error", f"invalid key {KEY}")], "auth", "refused",
            "HTTP 401 authentication_error: invalid key ***", id="a bad key, which is not repeated"),
        pytest.param([error(404, "not_found_error", "model: x")], "not_found", "refused",
            "HTTP 404 not_found_error: model: x", id="no such model"),
        pytest.param([error(500, "api_error", "a\r\n\x1b[31mb")], "server_error", "failed",
            "HTTP 500 api_error: a [31mb", id="words that want to command a terminal"),
        pytest.param([answer(502, b"<html>", "Server: nginx", "Content-Type: text/html")], "not_json", "failed",
            "HTTP 502 from nginx with text/html, expected the API's JSON", id="a page of something in between"),
        pytest.param([answer(200, b"<html>", "Server: nginx", "Content-Type: text/html")], "not_json", "failed",
            "HTTP 200 from nginx with text/html, expected the API's JSON", id="a page with 200"),
        pytest.param([error(200, "overloaded_error", "Overloaded")], "overloaded", "failed",
            "HTTP 200 overloaded_error: Overloaded", id="an error with 200"),
        pytest.param([json_answer(200, {**MESSAGE, "stop_reason": None})], "not_json", "failed",
            "HTTP 200 from an unnamed server with application/json, expected the API's JSON", id="half a message"),
        pytest.param([b"HTTP/1.1 529 -\r\nContent-Length: 99\r\n\r\n{", HANG], "not_json", "failed",
            "HTTP 529 from an unnamed server with no content type, expected the API's JSON", id="it dawdles"),
        pytest.param([b"HTTP/1.1 500 -\r\nContent-Length: 99\r\n\r\n{", RESET], "not_json", "failed",
            "HTTP 500 from an unnamed server with no content type, expected the API's JSON", id="it is cut off"),
        pytest.param([answer(302, b"", "Location: http://login/")], "not_json", "failed",
            "HTTP 302 from an unnamed server with no content type, expected the API's JSON", id="a redirect"),
        pytest.param([answer(200, gzip.compress(b" " * 9_000_000), "Content-Encoding: gzip")], "not_json", "failed",
            "https://api.anthropic.com/v1/messages answered with more than 4194304 bytes", id="a bomb"),
        pytest.param([], "reset", "failed",
            "https://api.anthropic.com/v1/messages hung up without an answer", id="no answer"),
        pytest.param([HANG], "timeout", "failed", "got no whole answer within 10s", id="silence"),
        pytest.param([b"HTTP/1.1 200 -\r\nContent-Length: 99\r\n\r\n{", HANG], "timeout", "failed",
            "got no whole answer within 10s", id="half an answer, then silence"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(wire, steps, error_type, outcome, message):
    """A failure is counted under its word, as refused when it is ours, and says what was found."""
    wire.raw(API, Peer(steps))

    probed = await probe(check(), wire)

    assert (probed.error_type, probed.message) == (error_type, message)
    assert probed.values(CLAUDE_REQUESTS) == [({**OWN, "outcome": outcome, "error_type": error_type}, 1)]
    assert probed.values(CLAUDE_DURATION) == []


async def test_the_evidence_of_a_failure(wire):
    """Whose fault it is, the API's own code, the request's id and the next step stand beside the message."""
    wire.raw(API, Peer([error(429, "rate_limit_error", "slow down", "retry-after: 7", code="ramp_limit_exceeded")]))

    probed = await probe(check(), wire)

    assert probed.notes == {
        "status": 429,
        "request_id": "req_011",
        "fault": "our_account",
        "api_error": "ramp_limit_exceeded",
        "retry_after": 7.0,
        "next_step": "Usage grows too fast: raise it more slowly.",
    }


async def test_a_key_that_cannot_be_read(wire, tmp_path):
    """A key's file that is gone is a matter of the key, and nothing is asked."""
    peer = Peer([])
    wire.raw(API, peer)

    probed = await probe(check(api_key={"file": str(tmp_path / "gone")}), wire)

    assert probed.error_type == "auth"
    assert peer.requests == []


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"base_url": "https://x/?key=1"}, id="a base URL with a query"),
        pytest.param({"base_url": "api.anthropic.com"}, id="a base URL without a scheme"),
        pytest.param({"api_key": None}, id="no key for the API itself"),
        pytest.param({"max_tokens": -1}, id="negative tokens"),
        pytest.param({"max_tokens": 1_000_000}, id="an expensive probe"),
        pytest.param({"api_version": "2023 06 01"}, id="a version with spaces"),
        pytest.param({"auth": "basic"}, id="another header"),
        pytest.param({"temperature": 0}, id="sampling"),
    ],
)
def test_settings_that_make_no_sense(settings):
    """What cannot work is refused when it is read."""
    with pytest.raises(ValidationError):
        check(**settings)


def test_the_defaults():
    """A paid probe is rare, small, and asks the API itself."""
    found = check()

    assert (found.every, found.timeout, found.max_tokens) == (300, 10, 1)
    assert found.target == "https://api.anthropic.com/v1/messages"
    assert check(base_url="http://gateway", api_key=None).target == "http://gateway/v1/messages"
