"""What clouds and gateways make of the API's words."""

import json
from typing import Any

import pytest

from sidecar.claude.errors import classify
from sidecar.claude.sse import Decoder
from sidecar.claude.stream import StreamResult, judge
from sidecar.claude.usage import Usage, parse

LIMIT = {"type": "error", "error": {"type": "rate_limit_error", "message": "no more"}}


def quoted(status_type: str, error_type: str, message: str, code: str = "") -> dict[str, Any]:
    """An error of LiteLLM's, which puts the API's whole answer into its message and drops all headers."""
    details = {"details": {"error_code": code}} if code else {}
    error = {"type": "error", "error": {"type": error_type, "message": message} | details, "request_id": "req_7"}
    said = (
        f"litellm.SomeError: AnthropicException - {json.dumps(error)}. Handle with `x`.\n\nLiteLLM: model group failed"
    )
    return {"type": "error", "error": {"type": status_type, "message": said}}


NO_DEPLOYMENT = {"type": "error", "error": {"type": "rate_limit_error", "message": "No deployments available"}}


@pytest.mark.parametrize(
    ("status", "headers", "body", "word", "fault"),
    [
        pytest.param(
            429,
            {"X-Amzn-ErrorType": "ThrottlingException:http://docs"},
            {"message": "Too many"},
            "throttled",
            "our_account",
            id="AWS, named by a header",
        ),
        pytest.param(
            403,
            {"x-amzn-errortype": "AccessDeniedException"},
            {"Message": "no"},
            "permission",
            "our_key",
            id="AWS with a capital letter",
        ),
        pytest.param(
            400,
            {},
            {"__type": "com.amazon#ValidationException", "message": "model"},
            "bad_request",
            "our_request",
            id="AWS, named in the body",
        ),
        pytest.param(
            400,
            {},
            {"__type": "ValidationException", "message": "prompt is too long"},
            "context_exceeded",
            "our_request",
            id="AWS, a long prompt",
        ),
        pytest.param(
            429,
            {"x-amzn-errortype": "ModelNotReadyException"},
            {},
            "overloaded",
            "provider",
            id="AWS without a model at hand",
        ),
        pytest.param(
            429,
            {},
            {"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}},
            "throttled",
            "our_account",
            id="Google's quota is no spend cap",
        ),
        pytest.param(
            401,
            {},
            {"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}},
            "auth",
            "our_key",
            id="Google without a login",
        ),
        pytest.param(
            400,
            {"x-amzn-errortype": "BrandNewException"},
            {"message": "x"},
            "not_json",
            "gateway",
            id="a name that nobody knows",
        ),
        pytest.param(
            503,
            {},
            {"error": {"message": "no deployment", "type": "None", "code": "503"}},
            "server_error",
            "gateway",
            id="a gateway's own failure",
        ),
        pytest.param(
            503,
            {"request-id": "req_1"},
            {"error": {"type": "novel_error"}},
            "server_error",
            "provider",
            id="a new type of the API's",
        ),
        pytest.param(
            429,
            {"x-should-retry": "false", "retry-after": "3600"},
            LIMIT,
            "spend_cap",
            "our_account",
            id="a gateway's cap",
        ),
        pytest.param(429, {"x-should-retry": "true"}, LIMIT, "throttled", "our_account", id="a gateway's limit"),
        pytest.param(
            429, {"x-ratelimit-remaining-tokens": "0"}, LIMIT, "throttled", "our_account", id="limits that were renamed"
        ),
        pytest.param(
            429,
            {"anthropic-ratelimit-unified-status": "rejected"},
            LIMIT,
            "throttled",
            "our_account",
            id="a subscription's share",
        ),
        pytest.param(
            429,
            {"anthropic-ratelimit-unified-status": "allowed"},
            LIMIT,
            "spend_cap",
            "our_account",
            id="a subscription that is not the reason",
        ),
        pytest.param(429, {}, NO_DEPLOYMENT, "server_error", "provider", id="a gateway that has paused its upstreams"),
        pytest.param(
            429,
            {},
            {
                "type": "error",
                "error": {"type": "rate_limit_error", "message": "No deployments available - crossed budget"},
            },
            "throttled",
            "our_account",
            id="a gateway's budget",
        ),
        pytest.param(
            429,
            {},
            quoted("rate_limit_error", "rate_limit_error", "would exceed your rate limit"),
            "throttled",
            "our_account",
            id="a limit, quoted by a gateway that drops retry-after",
        ),
        pytest.param(
            429,
            {},
            quoted("rate_limit_error", "rate_limit_error", "paused", "enforced_spend_limit_reached"),
            "spend_cap",
            "our_account",
            id="the month's cap, quoted",
        ),
        pytest.param(
            500, {}, quoted("api_error", "overloaded_error", "Overloaded"), "overloaded", "provider", id="a 529, quoted"
        ),
        pytest.param(
            400,
            {},
            quoted("invalid_request_error", "invalid_request_error", "disabled", "organization_on_hold"),
            "permission",
            "our_account",
            id="an organization on hold, quoted",
        ),
        pytest.param(
            402, {}, quoted("api_error", "billing_error", "pay"), "spend_cap", "our_account", id="billing, quoted"
        ),
    ],
)
def test_an_error_keeps_its_meaning_on_its_way(*, status, headers, body, word, fault):
    """Errors of clouds and gateways have the API's words where they mean the same."""
    failure = classify(status, headers, json.dumps(body).encode())

    assert (failure.error_type, failure.fault) == (word, fault)
    assert failure.next_step


def test_a_clouds_error_is_quoted_by_its_name():
    """The evidence is what the cloud said."""
    body = b'{"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}}'

    assert classify(404, {}, body).message == "HTTP 404 NOT_FOUND: no such model"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:10 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:10 GMT", "Date": "yesterday"}, None),
    ],
    ids=["later", "already over", "no date to count from"],
)
def test_a_date_counts_from_the_answers_own(headers, seconds):
    """A gateway may name the moment; its own clock says how long that is."""
    assert classify(429, headers, json.dumps(LIMIT).encode()).retry_after == seconds


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("Invalid key sk-ant-api03-abc_DEF-123", "Invalid key ***", id="a key"),
        pytest.param("got Authorization: Bearer abc.123.def!", "got Authorization: ***!", id="a token"),
        pytest.param("Basic authentication required", "Basic authentication required", id="only a word"),
        pytest.param("jwt eyJhbGciOi.eyJzdWIi.c2ln refused", "jwt *** refused", id="a signed token"),
        pytest.param("one\r\n two\x1b[31m\u202e three", "one two [31m three", id="lines and control characters"),
        pytest.param("x" * 5000, None, id="too long"),
    ],
)
def test_what_was_said_is_safe_to_show(said, shown):
    """A message is one bounded line, and no key in it survives."""
    body = json.dumps({"error": {"type": "authentication_error", "message": said}}).encode()

    message = classify(401, {"request-id": "req_\n1"}, body).message

    if shown is None:
        assert len(message) == 300
        assert message.endswith("…")
    else:
        assert message == f"HTTP 401 authentication_error: {shown}"


def streamed(*data: Any) -> StreamResult:
    decoder, result = Decoder(), StreamResult()
    for at, one in enumerate(data):
        for event in decoder.feed(f"data: {json.dumps(one)}\n\n".encode()):
            result = result.after(event, float(at))
    return result


START = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 9}}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 11}}
STOP = {"type": "message_stop"}


def test_events_without_names_are_told_by_their_type():
    """A gateway that drops the `event:` lines changes nothing."""
    result = streamed(START, DELTA, DELTA, END, STOP)

    assert judge(result) is None
    assert result.tokens_per_second == 10.0


@pytest.mark.parametrize(
    ("error", "word"),
    [
        pytest.param({"message": "upstream", "type": "None", "code": "503"}, "stream_error", id="its own"),
        pytest.param({"message": "Overloaded", "type": "overloaded_error"}, "overloaded", id="the API's"),
    ],
)
def test_an_error_without_its_events_name(error, word):
    """A gateway's error in the middle of a stream ends it, though neither name nor type say so."""
    result = streamed(START, DELTA, {"error": error})

    failure = judge(result)

    assert failure
    assert (result.over, failure.error_type) == (True, word)


def test_a_stream_whose_reason_was_lost_is_broken():
    """An end without a stop reason is no well-formed message."""
    failure = judge(streamed(START, DELTA, STOP))

    assert failure
    assert failure.error_type == "stream_error"


def test_a_stream_that_was_held_back_has_no_speed():
    """When all pieces come in one moment, the speed of the model cannot be told."""
    result = StreamResult()
    for n, one in enumerate((START, DELTA, DELTA, END, STOP)):
        for event in Decoder().feed(f"data: {json.dumps(one)}\n\n".encode()):
            result = result.after(event, 9.0 + n / 1000)

    assert judge(result) is None
    assert result.tokens_per_second is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(
            {"cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 5}},
            Usage(cache_write_5m=10, cache_write_1h=5),
            id="without their total",
        ),
        pytest.param(
            {
                "cache_creation_input_tokens": 20,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 5},
            },
            Usage(cache_write_5m=15, cache_write_1h=5),
            id="less than their total",
        ),
        pytest.param(
            {"cache_creation_input_tokens": 20, "cache_creation": None}, Usage(cache_write_5m=20), id="the total alone"
        ),
    ],
)
def test_cache_writes_are_counted_once(raw, expected):
    """What the split by lifetime leaves out was written for five minutes."""
    assert parse(raw) == expected


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b'{"detail": "Unauthorized"}', "; it says: Unauthorized", id="detail"),
        pytest.param(b'{"message": "no Route\\nmatched"}', "; it says: no Route matched", id="message"),
        pytest.param(b'{"error": "invalid key sk-gw-0123456789"}', "; it says: invalid key ***", id="a key of its own"),
        pytest.param(b'{"detail": {"a": 1}}', "", id="no text"),
        pytest.param(b"<html>Unauthorized", "", id="a page"),
    ],
)
def test_a_gateway_is_quoted_in_its_own_words(body, said):
    """JSON that is not the API's still says what the gateway has to say, in one line and without its key."""
    failure = classify(401, {"Content-Type": "application/json", "Server": "kong"}, body)

    assert failure.error_type == "not_json"
    assert failure.message == f"HTTP 401 from kong with application/json, expected the API's JSON{said}"
