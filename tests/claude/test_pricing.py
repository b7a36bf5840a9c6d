"""What tokens cost."""

from decimal import Decimal

import pytest

from sidecar.claude.pricing import canonical, cost
from sidecar.claude.usage import Usage, parse

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        pytest.param("claude-haiku-5-5", Usage(10, 1), "0.0000015", id="a probe of the cheapest model"),
        pytest.param("claude-opus-5-5", Usage(10, 1), "0.00006", id="a probe of a large one"),
        pytest.param("claude-fable-5-2", Usage(20, 64), "0.00272", id="a streamed probe of the largest"),
        pytest.param("claude-haiku-5-5", Usage(100_000, 0), "0.01", id="just within the lower band"),
        pytest.param("claude-haiku-5-5", Usage(100_001, 0), "0.0500005", id="just above it"),
        pytest.param(
            "claude-haiku-5-5", Usage(1, 0, cache_read=100_000), "0.0050005", id="the cache counts for the band"
        ),
        pytest.param("claude-sonnet-5-5", Usage(cache_read=MILLION), "0.10", id="read from the cache"),
        pytest.param("claude-sonnet-5", Usage(cache_write_5m=MILLION), "2.50", id="written for five minutes"),
        pytest.param("claude-sonnet-5", Usage(cache_write_1h=MILLION), "4", id="written for an hour"),
        pytest.param("claude-opus-5", Usage(MILLION, fast=True), "10", id="fast mode doubles"),
        pytest.param("claude-opus-5", Usage(MILLION, batch=True), "2.5", id="a batch halves"),
        pytest.param("claude-opus-5", Usage(MILLION, inference_geo="us"), "5.5", id="in the US it is a tenth more"),
        pytest.param("claude-opus-4-5", Usage(MILLION, inference_geo="us"), "5", id="but not for older models"),
        pytest.param("claude-opus-5", Usage(MILLION, inference_geo="global"), "5", id="elsewhere"),
        pytest.param("claude-sonnet-4-6", Usage(web_searches=3), "0.03", id="searches cost by the piece"),
        pytest.param("claude-sonnet-4-6", Usage(), "0", id="nothing costs nothing"),
    ],
)
def test_list_price(model, usage, dollars):
    """The cost is the sum of all kinds of tokens at their own price."""
    assert cost(model, usage) == Decimal(dollars)


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        pytest.param("gpt-9", Usage(1, 1), id="another maker"),
        pytest.param("claude-novel-9", Usage(1, 1), id="a model that nobody has told us of"),
        pytest.param("claude-sonnet-5-9", Usage(1, 1), id="a successor is not its predecessor"),
        pytest.param("claude-haiku-5-5", Usage(1, 1, fast=True), id="a mode that has no price"),
        pytest.param("", Usage(1, 1), id="no model"),
    ],
)
def test_an_unknown_price_is_not_zero(model, usage):
    """Where the price is not known there is no cost."""
    assert cost(model, usage) is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("claude-haiku-4-5", "claude-haiku-4-5", id="an alias"),
        pytest.param("claude-haiku-4-5-20251001", "claude-haiku-4-5", id="with its date"),
        pytest.param("claude-opus-5", "claude-opus-5", id="one number"),
        pytest.param("claude-opus-5-latest", "claude-opus-5", id="latest"),
        pytest.param("claude-mythos-preview", "claude-mythos-preview", id="a preview"),
        pytest.param("claude-haiku-4-5@20251001", "claude-haiku-4-5", id="Google"),
        pytest.param("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5", id="Bedrock"),
        pytest.param("anthropic/claude-sonnet-5-5", "claude-sonnet-5-5", id="a gateway's prefix"),
        pytest.param("Claude-Opus-5[1m]", "claude-opus-5", id="a window"),
        pytest.param("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20241022", id="an old order of names"),
        pytest.param("house-model", "house-model", id="a gateway's own name"),
    ],
)
def test_names_of_one_model(model, expected):
    """Dates, clouds and gateways decorate a name; the price is that of the model."""
    assert canonical(model) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4), id="the plain ones"),
        pytest.param(
            {
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7},
            },
            Usage(cache_read=5, cache_write_5m=2, cache_write_1h=7),
            id="the cache by lifetime",
        ),
        pytest.param({"cache_creation_input_tokens": 9}, Usage(cache_write_5m=9), id="without the split"),
        pytest.param(
            {"speed": "fast", "service_tier": "batch", "inference_geo": "us"},
            Usage(fast=True, batch=True, inference_geo="us"),
            id="how it was done",
        ),
        pytest.param({"server_tool_use": {"web_search_requests": 2}}, Usage(web_searches=2), id="searches"),
        pytest.param(
            {
                "input_tokens": None,
                "output_tokens": "7",
                "cache_read_input_tokens": -1,
                "speed": 3,
                "cache_creation": 1,
            },
            Usage(),
            id="what is no count is none",
        ),
        pytest.param(None, Usage(), id="no usage"),
    ],
)
def test_usage_as_the_api_tells_it(raw, expected):
    """Every kind of token is counted once, and nonsense is not counted."""
    assert parse(raw) == expected


def test_the_whole_input():
    """Read, written and plain tokens together are the input."""
    assert Usage(1, 9, cache_read=2, cache_write_5m=3, cache_write_1h=4).total_input == 10
