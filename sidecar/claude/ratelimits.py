"""How much of the rate limits is left, as an answer's headers say."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit. What the headers do not say is None; `reset_at`, when it is whole again, is seconds since the epoch.

    `family`: requests, tokens, input_tokens, output_tokens; priority_… and fast_… of the latter two; unified_5h and
    unified_7d of a subscription, where the limit is 1 and the remainder a share of it.
    """

    family: str
    limit: float | None = None
    remaining: float | None = None
    reset_at: float | None = None


_OWN: Final = re.compile(
    r"anthropic-(?:ratelimit-(requests|tokens|(?:input|output)-tokens)|((?:priority|fast)-(?:input|output)-tokens))"
    r"-(limit|remaining|reset)"
)
_UNIFIED: Final = re.compile(r"anthropic-ratelimit-(unified-(?:5h|7d))-(utilization|reset)")
_RENAMED: Final = re.compile(r"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_WAIT: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII)
_LATEST: Final = 4102444800.0  # 2100; what lies beyond is no time


def parse(headers: Mapping[str, str], now: float) -> tuple[RateLimit, ...]:
    """The limits that *headers* tell, by family; what cannot be read is left out.

    Gateways that rename the headers to OpenAI's are understood, unless the API's own stand beside them.
    """
    found: dict[str, dict[str, float]] = {}
    renamed: dict[str, dict[str, float]] = {}
    for name, value in headers.items():
        lower = name.lower()
        if match := _OWN.fullmatch(lower):
            _put(found, match[1] or match[2], match[3], value, now)
        elif match := _UNIFIED.fullmatch(lower):
            _put(found, match[1], match[2], value, now)
        elif match := _RENAMED.fullmatch(lower):
            _put(renamed, match[2], match[1], value, now)
    for family, facts in renamed.items():
        found.setdefault(family, facts)
    return tuple(
        RateLimit(family, facts.get("limit"), facts.get("remaining"), facts.get("reset"))
        for family, facts in sorted(found.items())
    )


def _put(found: dict[str, dict[str, float]], family: str, fact: str, value: str, now: float) -> None:
    read = _time(value, now) if fact == "reset" else _number(value)
    if read is None:
        return
    facts = found.setdefault(family.replace("-", "_"), {})
    if fact == "utilization":
        facts |= {"limit": 1.0, "remaining": max(0.0, 1.0 - read)}
    else:
        facts[fact] = read


def _number(value: str) -> float | None:
    try:
        number = float(value[:40])
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _time(value: str, now: float) -> float | None:
    """A time as RFC 3339, as seconds since the epoch, or as what is left until then (`6m0s`, `12`)."""
    value = value.strip()
    number = _number(value)
    if number is not None:
        at = number if number > 1e9 else now + number  # nobody waits for thirty years
    elif value and (wait := _WAIT.fullmatch(value)):
        hours, minutes, seconds, milliseconds = (float(part[:15] if part else 0) for part in wait.groups())
        at = now + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    else:
        try:
            moment = datetime.fromisoformat(value)
            at = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError):
            return None
    return at if 0 < at < _LATEST else None
