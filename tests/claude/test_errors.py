"""What a failed request means."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.claude.errors import ErrorType, Failure, Fault, Outcome, classify, classify_event, not_the_api, outcome

THROTTLE = {"Retry-After": "12"}


def body(type_: str, message: str = "words", code: str = "", **more: Any) -> bytes:
    """An error body as the API writes it."""
    error = {"type": type_, "message": message} | ({"details": {"error_code": code}} if code else {})
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"} | more).encode()


@pytest.mark.parametrize(
    ("status", "headers", "content", "word", "fault", "retryable"),
    [
        pytest.param(400, {}, body("invalid_request_error"), "bad_request", "our_request", False, id="a bad request"),
        pytest.param(
            400, {},
            body("invalid_request_error", "You have reached your specified API usage limits. You will regain …"),
            "spend_cap", "our_account", False, id="a limit that the customer has set",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", "You have reached your specified workspace API usage limits."),
            "spend_cap", "our_account", False, id="a workspace's limit",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
            "spend_cap", "our_account", False, id="no credit",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            "context_exceeded", "our_request", False, id="a prompt too long for the window",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", "input length and `max_tokens` exceed context limit: 199000 + 8192"),
            "context_exceeded", "our_request", False, id="prompt and answer too long together",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", code="organization_on_hold"),
            "permission", "our_account", False, id="an organization on hold",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", code="cmek_key_disabled"),
            "permission", "our_account", False, id="a disabled encryption key",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", code="claude_code_key_creator_not_member"),
            "auth", "our_key", False, id="a key whose creator has left",
        ),
        pytest.param(
            400, {}, body("invalid_request_error", code="claude_code_version_too_old"),
            "bad_request", "our_request", False, id="an old client",
        ),
        pytest.param(401, {}, body("authentication_error"), "auth", "our_key", False, id="a bad key"),
        pytest.param(
            401, {}, body("authentication_error", "CORS requests are not allowed for this Organization"),
            "bad_request", "our_request", False, id="an Origin header",
        ),
        pytest.param(402, {}, body("billing_error"), "spend_cap", "our_account", False, id="billing"),
        pytest.param(403, {}, body("billing_error"), "spend_cap", "our_account", False, id="billing, once a 403"),
        pytest.param(
            402, {}, body("billing_error", code="linked_organization_spend_limit_reached"),
            "spend_cap", "our_account", False, id="a linked organization's limit",
        ),
        pytest.param(403, {}, body("permission_error"), "permission", "our_key", False, id="not permitted"),
        pytest.param(404, {}, body("not_found_error"), "not_found", "our_request", False, id="no such model"),
        pytest.param(409, {}, body("conflict_error"), "bad_request", "our_request", True, id="a conflict"),
        pytest.param(413, {}, body("request_too_large"), "too_large", "our_request", False, id="too large"),
        pytest.param(413, {}, body("invalid_request_error"), "too_large", "our_request", False, id="too large, a 413"),
        pytest.param(
            413, {"Server": "cloudflare"}, b"<html>413 Request Entity Too Large</html>",
            "too_large", "our_request", False, id="too large, says Cloudflare in front of the API",
        ),
        pytest.param(429, THROTTLE, body("rate_limit_error"), "throttled", "our_account", True, id="throttled"),
        pytest.param(
            429, THROTTLE, body("rate_limit_error", code="ramp_limit_exceeded"),
            "throttled", "our_account", True, id="grown too fast",
        ),
        pytest.param(
            429, {}, body("rate_limit_error", code="enforced_spend_limit_reached"),
            "spend_cap", "our_account", False, id="the month's cap",
        ),
        pytest.param(
            429, THROTTLE, body("rate_limit_error", code="contract_spend_limit_reached"),
            "spend_cap", "our_account", False, id="a contract's cap, whatever the headers",
        ),
        pytest.param(
            429, {"anthropic-ratelimit-requests-remaining": "5"}, body("rate_limit_error"),
            "spend_cap", "our_account", False, id="no hint when to ask again",
        ),
        pytest.param(
            429, {"anthropic-ratelimit-requests-remaining": "0"}, body("rate_limit_error"),
            "throttled", "our_account", True, id="a gateway dropped retry-after, the limit shows",
        ),
        pytest.param(
            429, {}, body("TooManyRequests"), "throttled", "our_account", True, id="a gateway's own limit",
        ),
        pytest.param(500, {}, body("api_error"), "server_error", "provider", True, id="an internal error"),
        pytest.param(503, {}, body("api_error"), "server_error", "provider", True, id="unavailable"),
        pytest.param(
            503, {}, body("api_error", code="cmek_key_unreachable"),
            "server_error", "our_account", True, id="our encryption key is out of reach",
        ),
        pytest.param(504, {}, body("timeout_error"), "timeout", "provider", True, id="took too long"),
        pytest.param(529, {}, body("overloaded_error"), "overloaded", "provider", True, id="overloaded"),
        pytest.param(500, {}, body("overloaded_error"), "overloaded", "provider", True, id="overloaded, as a 500"),
        pytest.param(
            529, {}, body("api_error", code="compaction_unavailable"), "overloaded", "provider", True, id="compaction",
        ),
        pytest.param(418, {}, body("teapot_error"), "bad_request", "our_request", False, id="an unknown type of ours"),
        pytest.param(599, {}, body("novel_error"), "server_error", "provider", True, id="an unknown type of theirs"),
        pytest.param(529, {}, body("novel_error"), "overloaded", "provider", True, id="a type unknown, not the status"),
        pytest.param(408, {}, body("request_timeout"), "timeout", "gateway", True, id="408 of a gateway"),
        pytest.param(499, {}, body("client_closed"), "timeout", "gateway", True, id="499 of a gateway"),
        pytest.param(422, {}, body("unprocessable"), "bad_request", "our_request", False, id="422 of a gateway"),
        pytest.param(
            401, {}, b'{"error": {"message": "no key", "type": "auth_error", "code": "401"}}',
            "auth", "our_key", False, id="a gateway that speaks nearly the API's JSON",
        ),
        pytest.param(502, {}, b"<html>Bad Gateway</html>", "not_json", "gateway", True, id="a page of a load balancer"),
        pytest.param(503, {}, b"no healthy upstream", "not_json", "gateway", True, id="words of a proxy"),
        pytest.param(404, {}, b'{"detail": "Not Found"}', "not_json", "gateway", False, id="another kind of JSON"),
        pytest.param(403, {}, b"", "not_json", "gateway", False, id="nothing"),
        pytest.param(302, {}, b"", "not_json", "gateway", False, id="a redirect to some login"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_success(*, status, headers, content, word, fault, retryable):
    """An error is told by its own code and type; the status decides only where they are unknown."""
    failure = classify(status, headers, content)

    assert (failure.error_type, failure.fault, failure.retryable) == (word, fault, retryable)
    assert failure.next_step
    assert f"HTTP {status}" in failure.message


def test_what_the_evidence_is():
    """A failure names the API's type, code and request id, and repeats its words."""
    failure = classify(429, {"request-id": "req_9"}, body("rate_limit_error", "paused", "enforced_spend_limit_reached"))

    assert failure.message == "HTTP 429 enforced_spend_limit_reached: paused"
    assert (failure.api_type, failure.error_code) == ("rate_limit_error", "enforced_spend_limit_reached")
    assert failure.request_id == "req_9"
    assert classify(500, {}, body("api_error")).request_id == "req_1"


def test_who_answered_instead():
    """Where the API's JSON is missing, the message names who spoke, and in what."""
    failure = classify(502, {"Server": "nginx", "Content-Type": "text/html; charset=utf-8"}, b"<html>")

    assert failure.message == "HTTP 502 from nginx with text/html, expected the API's JSON"
    assert not_the_api(200, {}).message == (
        "HTTP 200 from an unnamed server with no content type, expected the API's JSON"
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": "7", "retry-after-ms": "250"}, 0.25, id="milliseconds are finer"),
        pytest.param({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, id="a date, which needs a clock"),
        pytest.param({"retry-after": "soon"}, None, id="no number"),
        pytest.param({"retry-after": "9" * 400}, None, id="no sensible number"),
    ],
)
def test_when_to_ask_again(headers, expected):
    """Retry-after is read in seconds; whatever it says, it marks a limit that passes."""
    failure = classify(429, headers, body("rate_limit_error"))

    assert (failure.error_type, failure.retry_after) == ("throttled", expected)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        pytest.param({"type": "overloaded_error", "message": "Overloaded"}, "overloaded", id="overloaded"),
        pytest.param({"type": "api_error", "message": "x"}, "server_error", id="an internal error"),
        pytest.param({"type": "rate_limit_error", "message": "x"}, "throttled", id="a limit, without headers to ask"),
        pytest.param({"type": "timeout_error"}, "timeout", id="a timeout"),
        pytest.param({"type": "novel_error"}, "stream_error", id="an unknown type"),
        pytest.param({}, "stream_error", id="no type"),
        pytest.param("Overloaded", "stream_error", id="no object"),
        pytest.param(None, "stream_error", id="nothing"),
    ],
)
def test_an_error_after_the_200(error, word):
    """An error in a stream has its own word, or that of a stream that broke."""
    failure = classify_event(error)

    assert failure.error_type == word
    assert "after HTTP 200" in failure.message


def test_every_word_has_an_outcome():
    """What is ours is refused, what is not has failed, and no word is a success."""
    refused = {word for word in ErrorType if outcome(word) is Outcome.REFUSED}

    assert refused == {
        "throttled", "spend_cap", "auth", "permission", "not_found", "bad_request", "too_large", "context_exceeded",
    }  # fmt: skip
    assert outcome("") is Outcome.OK
    assert {outcome(word) for word in ErrorType} == {Outcome.REFUSED, Outcome.FAILED}
    assert Failure(ErrorType.AUTH, "", Fault.OUR_KEY, retryable=False).outcome is Outcome.REFUSED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "error", "message", "details", "error_code", "request_id"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    st.integers(100, 999),
    st.dictionaries(st.sampled_from(["retry-after", "Server", "content-type", "x"]), st.text(max_size=9), max_size=3),
    st.binary(max_size=99) | JSON.map(lambda value: json.dumps(value).encode()),
)
@example(500, {}, b"[" * 100_000)
@example(500, {}, b'{"error": {"type": "\\ud800", "message": ' + b"9" * 5000 + b"}}")
@settings(max_examples=100)
def test_whatever_comes_is_classified(status, headers, content):
    """No answer, however broken, is beyond words."""
    failure = classify(status, headers, content)

    assert failure.error_type in ErrorType
    assert len(failure.message) < 1000
