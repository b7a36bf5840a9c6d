"""What a message has used, as the API counts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.claude._json import count, mapping, text


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one message. `input` is what was neither read from a cache nor written to one.

    `speed` is `standard` or `fast`, `geo` the inference's place (`global`, `us`), `tier` the service tier (`standard`,
    `priority`, `batch`); each is empty when the answer does not say.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    web_searches: int = 0
    speed: str = ""
    geo: str = ""
    tier: str = ""
    thinking: int = 0  # of the output

    @property
    def cache_write(self) -> int:
        """Tokens written to caches of any lifetime."""
        return self.cache_write_5m + self.cache_write_1h

    @property
    def total_input(self) -> int:
        """All tokens of the prompt, cached or not."""
        return self.input + self.cache_read + self.cache_write


def parse(usage: Mapping[str, Any]) -> Usage:
    """What a `usage` object says; what is missing, null or no number counts as nothing.

    Cache writes without their lifetime count as those of five minutes, the API's default.
    """
    split = mapping(usage.get("cache_creation"))
    one_hour = count(split.get("ephemeral_1h_input_tokens"))
    five_minutes = count(split.get("ephemeral_5m_input_tokens"))
    written = max(count(usage.get("cache_creation_input_tokens")), one_hour + five_minutes)
    return Usage(
        input=count(usage.get("input_tokens")),
        output=count(usage.get("output_tokens")),
        cache_read=count(usage.get("cache_read_input_tokens")),
        cache_write_5m=written - one_hour,
        cache_write_1h=one_hour,
        web_searches=count(mapping(usage.get("server_tool_use")).get("web_search_requests")),
        speed=text(usage.get("speed")),
        geo=text(usage.get("inference_geo")),
        tier=text(usage.get("service_tier")),
        thinking=count(mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def merge(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """A stream's `usage` after another event: its numbers are totals so far; null and missing ones leave the old."""
    return {**older, **{key: value for key, value in newer.items() if value is not None}}
