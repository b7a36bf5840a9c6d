"""Limits, models and messages, as the API writes them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.claude import messages, models
from sidecar.claude.messages import Message
from sidecar.claude.models import ModelInfo, ModelPage
from sidecar.claude.ratelimits import RateLimit, parse
from sidecar.claude.usage import Usage

MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "content": [],
    "stop_reason": "max_tokens", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 0},
}  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(
            {
                "Anthropic-RateLimit-Requests-Limit": "1000",
                "anthropic-ratelimit-requests-remaining": "999",
                "anthropic-ratelimit-requests-reset": "2026-01-05T12:00:30Z",
                "anthropic-ratelimit-input-tokens-limit": "2000000",
                "anthropic-ratelimit-input-tokens-remaining": "1999000",
                "request-id": "req_1",
            },
            [
                RateLimit("input_tokens", 2_000_000, 1_999_000, None),
                RateLimit("requests", 1000, 999, 1767614430.0),
            ],
            id="as the API writes them",
        ),
        pytest.param(
            {"anthropic-priority-input-tokens-limit": "5", "anthropic-fast-output-tokens-remaining": "0"},
            [RateLimit("fast_output_tokens", None, 0, None), RateLimit("priority_input_tokens", 5, None, None)],
            id="other tiers",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-unified-5h-utilization": "0.25",
                "anthropic-ratelimit-unified-5h-reset": "1767614400",
                "anthropic-ratelimit-unified-status": "allowed",
            },
            [RateLimit("unified_5h", 1.0, 0.75, 1767614400.0)],
            id="a subscription's share",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-requests": "10",
                "x-ratelimit-remaining-requests": "4",
                "x-ratelimit-reset-requests": "2s",
            },
            [RateLimit("requests", 10, 4, None)],
            id="renamed by a gateway",
        ),
        pytest.param(
            {"x-ratelimit-limit-requests": "10", "anthropic-ratelimit-requests-limit": "50"},
            [RateLimit("requests", 50, None, None)],
            id="the API's own names come first",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-requests-limit": "many",
                "anthropic-ratelimit-requests-remaining": "nan",
                "anthropic-ratelimit-requests-reset": "9999999-01-01",
                "anthropic-ratelimit-tokens-limit": "-1",
            },
            [],
            id="what cannot be read",
        ),
        pytest.param({}, [], id="none"),
    ],
)
def test_limits(headers, expected):
    """Each family of headers is one limit, as far as it can be read."""
    assert list(parse(headers)) == expected


@pytest.mark.parametrize("reason", ["end_turn", "max_tokens", "refusal", "model_context_window_exceeded", "novel"])
def test_a_message_is_well_whatever_its_stop_reason(reason):
    """The health of a message is its form, never its text or its reason to stop."""
    found = messages.parse(json.dumps(MESSAGE | {"stop_reason": reason}).encode())

    assert found == Message("msg_1", "claude-haiku-5-5", reason, Usage(input_tokens=9))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"[" * 100_000, id="a deep nest"),
        *(
            pytest.param(json.dumps(MESSAGE | {key: value}).encode(), id=f"{key} is {value!r}")
            for key, value in [("type", "error"), ("content", None), ("usage", 3), ("stop_reason", None)]
        ),
    ],
)
def test_what_is_no_message(body):
    """A body that is not a finished message is none."""
    assert messages.parse(body) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"input_tokens": 14}', 14),
        (b'{"input_tokens": "14"}', None),
        (b'{"input_tokens": true}', None),
        (b'{"input_tokens": -1}', None),
        (b'{"input_tokens": 1' + b"0" * 400 + b"}", None),
        (b"14", None),
        (b"\xff", None),
    ],
)
def test_a_count(body, expected):
    """An answer of count_tokens is one number."""
    assert messages.count(body) == expected


def model(**fields: Any) -> dict[str, Any]:
    return {"id": "claude-haiku-5-5", "type": "model"} | fields


@pytest.mark.parametrize(
    ("raw", "expected", "active"),
    [
        pytest.param(model(), ModelInfo("claude-haiku-5-5"), True, id="as older versions list it"),
        pytest.param(
            model(lifecycle="active", display_name="Haiku", max_input_tokens=1_000_000, retires_at=None),
            ModelInfo("claude-haiku-5-5", "Haiku", "active", None, 1_000_000),
            True,
            id="active",
        ),
        pytest.param(
            model(lifecycle="deprecated", retires_at="2026-01-05T12:00:00Z"),
            ModelInfo("claude-haiku-5-5", lifecycle="deprecated", retires_at=1767614400.0),
            False,
            id="deprecated",
        ),
        pytest.param(
            model(lifecycle="retired"), ModelInfo("claude-haiku-5-5", lifecycle="retired"), False, id="retired"
        ),
        pytest.param(
            model(lifecycle=3, retires_at="soon", max_input_tokens="x"),
            ModelInfo("claude-haiku-5-5"),
            True,
            id="nonsense",
        ),
    ],
)
def test_a_model(raw, expected, active):
    """A model is active unless the API says otherwise."""
    found = models.parse(json.dumps(raw).encode())

    assert found == expected
    assert found is not None
    assert found.active is active


@pytest.mark.parametrize("body", [b"", b"{}", b'{"id": 3}', b'{"id": "x", "type": "message"}', b"\xff\xfe"])
def test_what_is_no_model(body):
    """A body that describes no model is none."""
    assert models.parse(body) is None


def test_a_page_of_models():
    """A page is its models, and whether there are more."""
    body = json.dumps({"data": [model(), model(id="claude-opus-5")], "has_more": True}).encode()

    assert models.parse_page(body) == ModelPage(
        (ModelInfo("claude-haiku-5-5"), ModelInfo("claude-opus-5")), has_more=True
    )
    assert models.parse_page(b'{"data": []}') == ModelPage(())


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": 3}', b'{"data": [3]}'])
def test_what_is_no_page(body):
    """A body that lists no models is none."""
    assert models.parse_page(body) is None


@given(st.dictionaries(st.sampled_from(
    ["anthropic-ratelimit-requests-limit", "anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-unified-7d-reset"]
), st.text(max_size=12)), st.binary(max_size=50))  # fmt: skip
@settings(max_examples=60)
def test_whatever_comes_is_read(headers, body):
    """Nothing that a peer sends raises."""
    parse(headers)
    for read in (messages.parse, messages.count, models.parse, models.parse_page):
        read(body)
