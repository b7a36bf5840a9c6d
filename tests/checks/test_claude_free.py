"""The checks claude.models and claude.count_tokens, against bytes written by hand."""

import json
from typing import Any

import pytest

from sidecar.checks.claude.count_tokens import ClaudeCountTokensCheck
from sidecar.checks.claude.models import ClaudeModelsCheck
from sidecar.model.families import (
    CLAUDE_INPUT_TOKENS,
    CLAUDE_MODEL_ACTIVE,
    CLAUDE_MODEL_RETIRES,
    CLAUDE_RATELIMIT_REMAINING,
    CLAUDE_REQUESTS,
)
from tests.checks.claude_wire import error, json_answer
from tests.checks.script import HANG, Peer, answer, probe

API = "api.anthropic.com"
MODEL = {"id": "claude-haiku-5-5", "type": "model", "display_name": "Claude Haiku 5.5", "lifecycle": "active"}


def models(**settings: Any) -> ClaudeModelsCheck:
    return ClaudeModelsCheck.model_validate({"name": "api", "api_key": "sk-ant-canary-0123456789", **settings})


def counting(**settings: Any) -> ClaudeCountTokensCheck:
    return ClaudeCountTokensCheck.model_validate({"name": "api", "api_key": "sk-ant-canary-0123456789", **settings})


async def test_the_list_of_models(wire):
    """A list, however short, proves that the key is good; it costs nothing and counts as no request to Claude."""
    peer = Peer([json_answer(200, {"data": [MODEL], "has_more": True, "first_id": None, "last_id": None})])
    wire.raw(API, peer)

    probed = await probe(models(), wire)

    assert probed.result.ok
    assert peer.request.startswith("GET /v1/models?limit=1 HTTP/1.1\r\n")
    assert "content-type" not in peer.request.lower()
    assert probed.values(CLAUDE_REQUESTS) == []
    assert probed.value(CLAUDE_RATELIMIT_REMAINING) == 999
    assert models().target == "https://api.anthropic.com/v1/models"


@pytest.mark.parametrize(
    ("fields", "active", "retires"),
    [
        pytest.param({}, 1, [], id="active"),
        pytest.param(
            {"lifecycle": "deprecated", "retires_at": "2026-01-05T12:00:00Z"}, 0, [1767614400], id="deprecated"
        ),
        pytest.param({"lifecycle": None}, 1, [], id="not told"),
    ],
)
async def test_one_model(wire, fields, active, retires):
    """A model that is named must be there; whether it will stay is recorded, and no failure."""
    peer = Peer([json_answer(200, MODEL | fields)])
    wire.raw(API, peer)

    probed = await probe(models(model="claude/haiku 5"), wire)

    assert probed.result.ok
    assert peer.request.startswith("GET /v1/models/claude%2Fhaiku%205 ")
    assert probed.values(CLAUDE_MODEL_ACTIVE) == [({"model": "claude/haiku 5"}, active)]
    assert [value for _, value in probed.values(CLAUDE_MODEL_RETIRES)] == retires


async def test_a_count(wire):
    """The number of tokens is recorded."""
    peer = Peer([json_answer(200, {"input_tokens": 14})])
    wire.raw(API, peer)

    probed = await probe(counting(prompt="Hello"), wire)

    assert probed.result.ok
    assert peer.request.startswith("POST /v1/messages/count_tokens ")
    assert json.loads(peer.request.partition("\r\n\r\n")[2]) == {
        "model": "claude-haiku-5-5",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    assert probed.values(CLAUDE_INPUT_TOKENS) == [({"model": "claude-haiku-5-5"}, 14)]
    assert probed.values(CLAUDE_REQUESTS) == []


@pytest.mark.parametrize("check", [models(), models(model="x"), counting()], ids=["list", "model", "count"])
@pytest.mark.parametrize(
    ("steps", "error_type"),
    [
        pytest.param([error(404, "not_found_error", "model: x")], "not_found", id="no such model"),
        pytest.param([error(401, "authentication_error", "invalid x-api-key")], "auth", id="a bad key"),
        pytest.param([error(403, "permission_error", "no")], "permission", id="not permitted"),
        pytest.param(
            [error(400, "invalid_request_error", "no", code="organization_on_hold")], "permission", id="on hold"
        ),
        pytest.param([json_answer(200, {"ok": True})], "not_json", id="other JSON"),
        pytest.param([answer(200, b"<html>")], "not_json", id="a page"),
        pytest.param([answer(503, b"no upstream")], "not_json", id="a proxy"),
        pytest.param([HANG], "timeout", id="silence"),
        pytest.param([], "reset", id="no answer"),
    ],
)
async def test_each_failure_has_its_word(wire, check, steps, error_type):
    """Free checks fail in the same words as paid ones."""
    wire.raw(API, Peer(steps))

    assert (await probe(check, wire)).error_type == error_type
