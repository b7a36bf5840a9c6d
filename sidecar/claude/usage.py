"""The tokens of one message, as its `usage` tells them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that are billed, each in one field only: the whole input is their sum."""

    input_tokens: int = 0  # neither read from the cache nor written to it
    output_tokens: int = 0  # with hidden thinking
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    web_searches: int = 0
    fast: bool = False
    batch: bool = False
    inference_geo: str = ""

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h

    @property
    def total_input(self) -> int:
        return self.input_tokens + self.cache_read + self.cache_write

    def updated(self, raw: Any) -> "Usage":
        """This usage with what *raw* says anew: a stream's numbers are cumulative, and the last are the true ones."""
        if not isinstance(raw, Mapping):
            return self
        usage = replace(
            self,
            input_tokens=_count(raw, "input_tokens", self.input_tokens),
            output_tokens=_count(raw, "output_tokens", self.output_tokens),
            cache_read=_count(raw, "cache_read_input_tokens", self.cache_read),
            web_searches=_count(raw.get("server_tool_use"), "web_search_requests", self.web_searches),
        )
        split = raw.get("cache_creation")
        if isinstance(split, Mapping):
            usage = replace(
                usage,
                cache_write_5m=_count(split, "ephemeral_5m_input_tokens", 0),
                cache_write_1h=_count(split, "ephemeral_1h_input_tokens", 0),
            )
        written = _count(raw, "cache_creation_input_tokens", usage.cache_write)
        if written > usage.cache_write:  # without the split, or more than it: five minutes are the default
            usage = replace(usage, cache_write_5m=written - usage.cache_write_1h)
        speed, tier, geo = raw.get("speed"), raw.get("service_tier"), raw.get("inference_geo")
        return replace(
            usage,
            fast=speed == "fast" if isinstance(speed, str) else usage.fast,
            batch=tier == "batch" if isinstance(tier, str) else usage.batch,
            inference_geo=geo if isinstance(geo, str) else usage.inference_geo,
        )


def parse(raw: Any) -> Usage:
    """The usage of a whole message; what is missing or no count is zero."""
    return Usage().updated(raw)


def _count(raw: Any, key: str, otherwise: int) -> int:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else otherwise
