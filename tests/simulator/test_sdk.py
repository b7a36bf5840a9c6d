"""The official SDK as judge: it takes the simulator for the API."""

import pkgutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from sidecar.simulator import KEY, Fault, Simulator
from tests.lazily import lazily

if TYPE_CHECKING:
    import anthropic
    from anthropic.types import MessageParam
else:
    anthropic = lazily("anthropic")

pytestmark = pytest.mark.realtime

MODEL = "claude-haiku-5-5"
ASK: "list[MessageParam]" = [{"role": "user", "content": "Hello"}]
TIMEOUT = 0.5


@pytest.fixture
def sdk(running: tuple[Simulator, str]) -> "Iterator[anthropic.Anthropic]":
    """A client that tries once."""
    with anthropic.Anthropic(base_url=running[1], api_key=KEY, max_retries=0) as client:
        yield client


@contextmanager
def failing(running: tuple[Simulator, str], fault: str) -> Iterator[None]:
    running[0].faults = (Fault.parse(fault),)
    yield
    running[0].faults = ()


def test_a_message(running, sdk):
    """create() returns a message with text, usage and its request id; the key comes as a bearer token."""
    message = sdk.messages.create(model=MODEL, max_tokens=20, messages=ASK)

    assert message.model == MODEL
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 20)
    assert message.content[0].type == "text"
    assert len(message.content[0].text.split()) == 20
    exchange = running[0].exchanges[-1]
    assert message._request_id == exchange.request_id
    assert (exchange.version, exchange.key_header) == ("2026-10-21", "authorization")


def test_prewarming(sdk):
    """`max_tokens=0` returns an empty message."""
    message = sdk.messages.create(model=MODEL, max_tokens=0, messages=ASK)

    assert (message.content, message.stop_reason, message.usage.output_tokens) == ([], "max_tokens", 0)


def test_a_stream_of_events(sdk):
    """create(stream=True) yields the events in their order; pings are swallowed by the SDK."""
    with sdk.messages.create(model=MODEL, max_tokens=6, messages=ASK, stream=True) as stream:
        kinds = [event.type for event in stream]

    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_stream_is_put_together(sdk):
    """stream() accumulates text and usage into what create() returns."""
    whole = sdk.messages.create(model=MODEL, max_tokens=100, messages=ASK)

    with sdk.messages.stream(model=MODEL, max_tokens=100, messages=ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == whole.content[0].text == final.content[0].text
    assert final.stop_reason == whole.stop_reason == "end_turn"
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens


def test_thoughts_and_a_tool(sdk):
    """A thinking model's stream accumulates into a thinking block and a tool call."""
    tool = {"name": "look", "input_schema": {"type": "object", "properties": {"where": {"type": "string"}}}}
    ask = {"model": "claude-sonnet-5-5", "max_tokens": 400, "messages": ASK, "tools": [tool]}

    with sdk.messages.stream(**ask, thinking={"type": "adaptive"}, tool_choice={"type": "any"}) as stream:
        final = stream.get_final_message()

    thought, call = final.content
    assert thought.type == "thinking"
    assert thought.thinking
    assert thought.signature
    assert call.type == "tool_use"
    assert list(call.input) == ["where"]
    assert final.stop_reason == "tool_use"
    assert final.usage.output_tokens_details.thinking_tokens > 0


def test_a_model_that_always_thinks_may_say_nothing(sdk):
    """One token of Opus 5.5 is a healthy message without text."""
    message = sdk.messages.create(model="claude-opus-5-5", max_tokens=1, messages=ASK)

    assert message.stop_reason == "max_tokens"
    assert [block.type for block in message.content] == ["thinking"]


def test_tokens_are_counted(sdk):
    """count_tokens() returns what the message is then billed for."""
    counted = sdk.messages.count_tokens(model=MODEL, messages=ASK, system="Be brief.")
    message = sdk.messages.create(model=MODEL, max_tokens=1, messages=ASK, system="Be brief.")

    assert counted.input_tokens == message.usage.input_tokens


def test_models_are_listed_and_found(sdk):
    """list() follows the pages; retrieve() knows aliases; retired ones come when asked for."""
    listed = list(sdk.models.list(limit=5))
    found = sdk.models.retrieve("claude-haiku-4-5")
    retired = list(sdk.models.list(lifecycle=["retired"]))

    assert len(listed) == 18
    assert all(model.lifecycle in ("active", "deprecated") for model in listed)
    assert listed[0].capabilities.thinking.types.disabled.supported is False
    assert found.id == "claude-haiku-4-5-20251001"
    assert [model.lifecycle for model in retired] == ["retired"]


def test_sampling_parameters_depend_on_the_version(sdk):
    """The SDK's own version refuses temperature, the older one takes it where the model does."""
    ask = {"model": "claude-haiku-4-5", "max_tokens": 1, "messages": ASK, "extra_body": {"temperature": 0.5}}

    with pytest.raises(anthropic.BadRequestError):
        sdk.messages.create(**ask)
    old = sdk.messages.create(**ask, extra_headers={"anthropic-version": "2023-06-01"})

    assert old.stop_reason == "max_tokens"


def test_the_older_header_is_taken_as_well(running):
    """A key in x-api-key is as good."""
    headers: dict[str, Any] = {"x-api-key": KEY, "authorization": anthropic.omit}
    with anthropic.Anthropic(base_url=running[1], api_key=KEY, max_retries=0) as client:
        client.models.list(extra_headers=headers)

    assert running[0].exchanges[-1].key_header == "x-api-key"


ERRORS = [
    pytest.param("overloaded", "OverloadedError", (529, "overloaded_error", None), id="overloaded"),
    pytest.param("throttled", "RateLimitError", (429, "rate_limit_error", None), id="throttled"),
    pytest.param(
        "ramp_limit",
        "types.shared.ramp_limit_exceeded_error.RampLimitExceededError",
        (429, "rate_limit_error", "ramp_limit_exceeded"),
        id="ramp limit",
    ),
    pytest.param(
        "spend_cap",
        "types.shared.enforced_spend_limit_reached_error.EnforcedSpendLimitReachedError",
        (429, "rate_limit_error", "enforced_spend_limit_reached"),
        id="spend cap",
    ),
    pytest.param("self_limit", "BadRequestError", (400, "invalid_request_error", None), id="self limit"),
    pytest.param("credit", "BadRequestError", (400, "invalid_request_error", None), id="credit"),
    pytest.param("billing", "PaymentRequiredError", (402, "billing_error", None), id="billing"),
    pytest.param(
        "on_hold",
        "types.shared.organization_on_hold_error.OrganizationOnHoldError",
        (400, "invalid_request_error", "organization_on_hold"),
        id="on hold",
    ),
    pytest.param("auth", "AuthenticationError", (401, "authentication_error", None), id="auth"),
    pytest.param("permission", "PermissionDeniedError", (403, "permission_error", None), id="permission"),
    pytest.param("not_found", "NotFoundError", (404, "not_found_error", None), id="not found"),
    pytest.param("too_large", "RequestTooLargeError", (413, "request_too_large", None), id="too large"),
    pytest.param("server_error", "InternalServerError", (500, "api_error", None), id="server error"),
    pytest.param("bad_gateway", "InternalServerError", (502, None, None), id="bad gateway"),
    pytest.param("unavailable", "ServiceUnavailableError", (503, "api_error", None), id="unavailable"),
    pytest.param("gateway_timeout", "GatewayTimeoutError", (504, "timeout_error", None), id="gateway timeout"),
]


@pytest.mark.parametrize(("fault", "raised", "words"), ERRORS)
def test_the_sdk_knows_every_error(running, sdk, fault, raised, words):
    """Each fault raises the SDK's own class for it, also when a stream was asked for."""
    known = pkgutil.resolve_name(f"anthropic.{raised}")
    for stream in (False, True):
        with failing(running, fault), pytest.raises(known) as caught:
            sdk.messages.create(model=MODEL, max_tokens=5, messages=ASK, stream=stream)

        error = caught.value
        assert (error.status_code, error.type, error.error_code) == words
        in_front = fault in ("bad_gateway", "too_large")
        assert error.request_id == (None if in_front else running[0].exchanges[-1].request_id)
        assert ("retry-after" in error.response.headers) is (fault in ("throttled", "ramp_limit"))


def test_a_wrong_key_is_an_authentication_error(running):
    """Without any fault, a key that nobody named is refused."""
    with (
        anthropic.Anthropic(base_url=running[1], api_key="sk-ant-wrong", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError, match="invalid bearer token"),
    ):
        client.models.list()


def test_an_error_in_a_stream_has_status_200(running, sdk):
    """The SDK raises its plain status error, with the type and the request id."""
    with failing(running, "stream_error,after=1"), pytest.raises(anthropic.APIStatusError) as caught:  # noqa: SIM117
        with sdk.messages.stream(model=MODEL, max_tokens=30, messages=ASK) as stream:
            list(stream)

    assert type(caught.value) is anthropic.APIStatusError
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")
    assert caught.value.request_id == running[0].exchanges[-1].request_id


def test_a_truncated_stream_raises_nothing(running, sdk):
    """The SDK ends as if all were well; only the missing stop reason tells."""
    with failing(running, "truncate"), sdk.messages.stream(model=MODEL, max_tokens=30, messages=ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert len(text.split()) == 9
    assert final.stop_reason is None
    assert final.usage.output_tokens == 1


@pytest.mark.parametrize("fault", ["reset", "reset,after=2"])
def test_a_reset_is_a_connection_error(running, sdk, fault):
    """Before the answer the SDK says so itself; in mid-stream its HTTP library does."""
    expected = (anthropic.APIConnectionError, httpx2.TransportError)
    with failing(running, fault), pytest.raises(expected):  # noqa: SIM117
        with sdk.messages.stream(model=MODEL, max_tokens=30, messages=ASK) as stream:
            list(stream)


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_silence_ends_in_a_timeout(running, sdk, fault):
    """Nothing comes, before the answer or within it, until the client gives up."""
    expected = (anthropic.APITimeoutError, httpx2.TimeoutException)
    with failing(running, fault), pytest.raises(expected):  # noqa: SIM117
        with sdk.messages.stream(model=MODEL, max_tokens=30, messages=ASK, timeout=TIMEOUT) as stream:
            list(stream)


def test_pings_keep_the_sdk_waiting(running, sdk):
    """Pings are bytes, so no timeout ends the stream; only who reads the raw lines sees them."""
    ask = sdk.messages.with_streaming_response.create
    with failing(running, "ping_only,every=20ms"):  # noqa: SIM117
        with ask(model=MODEL, max_tokens=5, messages=ASK, stream=True, timeout=TIMEOUT) as response:
            events = (line for line in response.iter_lines() if line.startswith("event:"))
            kinds = [line for line, _ in zip(events, range(6), strict=False)]

    assert kinds == ["event: message_start", "event: content_block_start", *["event: ping"] * 4]


def test_html_with_status_200_is_no_message(running, sdk):
    """The SDK returns the page as text: whoever trusts the status alone is deceived."""
    with failing(running, "not_json"):
        answer = sdk.messages.create(model=MODEL, max_tokens=5, messages=ASK)

    assert "Sign in" in str(answer)


def test_a_slow_and_a_buffered_stream_are_whole(running, sdk):
    """What is late or comes at once is still the same message."""
    final = []
    for fault in ("slow,factor=2", "buffered"):
        with failing(running, fault), sdk.messages.stream(model=MODEL, max_tokens=30, messages=ASK) as stream:
            final.append(stream.get_final_message().content[0].text)

    assert final[0] == final[1]


def test_a_refusal_is_a_message(running, sdk):
    """The stop reason and its category are read from an ordinary message."""
    with failing(running, "refusal"):
        message = sdk.messages.create(model=MODEL, max_tokens=30, messages=ASK)

    assert message.stop_reason == "refusal"
    assert message.stop_details.category == "cyber"


def test_the_sdk_tries_again_what_may_pass(running):
    """With its usual two retries an overload is asked three times, a bad request once."""
    with anthropic.Anthropic(base_url=running[1], api_key=KEY, max_retries=2) as client:
        client._calculate_retry_timeout = lambda *_: 0.0  # type: ignore[method-assign] # its own waits are real
        for fault, attempts in (("overloaded", [0, 1, 2]), ("credit", [0])):
            running[0].exchanges.clear()
            with failing(running, fault), pytest.raises(anthropic.APIStatusError):
                client.messages.create(model=MODEL, max_tokens=5, messages=ASK)
            assert [exchange.attempt for exchange in running[0].exchanges] == attempts


async def test_the_asynchronous_client(running):
    """The same through AsyncAnthropic: message, stream, count, list, and errors before and within a stream."""
    async with anthropic.AsyncAnthropic(base_url=running[1], api_key=KEY, max_retries=0) as sdk:
        message = await sdk.messages.create(model=MODEL, max_tokens=20, messages=ASK)
        async with sdk.messages.stream(model=MODEL, max_tokens=20, messages=ASK) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
        counted = await sdk.messages.count_tokens(model=MODEL, messages=ASK)
        listed = [model async for model in sdk.models.list(limit=4)]

        assert message.content[0].type == final.content[0].type == "text"
        assert message.content[0].text == text == final.content[0].text
        assert counted.input_tokens == message.usage.input_tokens
        assert len(listed) == 18
        with failing(running, "overloaded"), pytest.raises(anthropic.OverloadedError):
            await sdk.messages.create(model=MODEL, max_tokens=20, messages=ASK)
        with failing(running, "stream_error"), pytest.raises(anthropic.APIStatusError) as caught:
            async with sdk.messages.stream(model=MODEL, max_tokens=20, messages=ASK) as stream:
                async for _ in stream:
                    pass
        assert caught.value.status_code == 200


def test_a_deprecated_model_warns(sdk):
    """The SDK warns about a model whose end the catalogue names, and the simulator still answers."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        message = sdk.messages.create(model="claude-sonnet-4-5", max_tokens=1, messages=ASK)

    assert message.model == "claude-sonnet-4-5-20250929"
    assert any("November 30th, 2026" in str(w.message) for w in caught)
