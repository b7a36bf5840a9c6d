"""How much is left, as the headers of every answer tell it."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit. A unified one (of a subscription) is a share: its limit is 1."""

    family: str  # requests, tokens, input_tokens, output_tokens; priority_… and fast_… of these; unified_5h, unified_7d
    limit: float | None
    remaining: float | None
    reset_at: float | None  # when it is whole again, seconds since the epoch


_HEADER: Final = re.compile(
    r"anthropic-(ratelimit|priority|fast)-(requests|tokens|input-tokens|output-tokens)-(limit|remaining|reset)"
)
_UNIFIED: Final = re.compile(r"anthropic-ratelimit-unified-(5h|7d)-(utilization|reset)")
_RENAMED: Final = re.compile(r"x-ratelimit-(limit|remaining)-(requests|tokens)")  # as gateways in OpenAI's style do


def parse(headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
    """The limits that *headers* name, by family; what cannot be read is left out."""
    found: dict[str, dict[str, float]] = {}
    renamed: dict[str, dict[str, float]] = {}
    for name, text in headers.items():
        lowered = name.lower()
        if match := _HEADER.fullmatch(lowered):
            kind, tokens, field = match.groups()
            family = tokens.replace("-", "_") if kind == "ratelimit" else f"{kind}_{tokens.replace('-', '_')}"
            _put(found, family, field, _time(text) if field == "reset" else _number(text))
        elif match := _UNIFIED.fullmatch(lowered):
            window, field = match.groups()
            value = _number(text)
            if field == "utilization" and value is not None:
                field, value = "remaining", max(0.0, 1.0 - value)
                _put(found, f"unified_{window}", "limit", 1.0)
            _put(found, f"unified_{window}", field, value)
        elif match := _RENAMED.fullmatch(lowered):
            _put(renamed, match[2], match[1], _number(text))
    return tuple(_limits(found or renamed))


def _put(found: dict[str, dict[str, float]], family: str, field: str, value: float | None) -> None:
    if value is not None:
        found.setdefault(family, {})[field] = value


def _limits(found: Mapping[str, Mapping[str, float]]) -> Iterator[RateLimit]:
    for family, fields in sorted(found.items()):
        yield RateLimit(family, fields.get("limit"), fields.get("remaining"), fields.get("reset"))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _time(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
