"""Rate limits: buckets that refill continuously, and the headers that tell how full they are."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

PERIOD = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one pool of models may use per minute. The defaults are the lowest tier's."""

    requests: int = 1_000
    input_tokens: int = 2_000_000
    output_tokens: int = 400_000
    count_requests: int = 2_000  # of count_tokens, which has a limit of its own
    priority: bool = False  # the families of Priority Tier are sent as well
    fast: bool = True  # fast mode is enabled for the organization


class Bucket:
    """So much of something per minute; refills as time passes, may be overdrawn by what turns out only afterwards."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._level = float(limit)
        self._at = 0.0

    def remaining(self, now: float) -> float:
        """What is left at *now*."""
        self._level = min(self.limit, self._level + max(0.0, now - self._at) * self.limit / PERIOD)
        self._at = max(self._at, now)
        return self._level

    def take(self, amount: float, now: float) -> None:
        """Use *amount*, whether it is there or not."""
        self._level = self.remaining(now) - amount

    def wait(self, amount: float, now: float) -> float:
        """Seconds until *amount* is there; 0.0 if it is. More than the bucket holds is waited for until it is full."""
        missing = min(amount, self.limit) - self.remaining(now)
        if missing <= 0:
            return 0.0
        return missing * PERIOD / self.limit if self.limit else PERIOD

    def full_in(self, now: float) -> float:
        """Seconds until nothing of the limit is used."""
        return (self.limit - self.remaining(now)) * PERIOD / self.limit if self.limit else 0.0


class Pool:
    """The buckets that the models of one class share."""

    def __init__(self, limits: Limits) -> None:
        self.requests = Bucket(limits.requests)
        self.input_tokens = Bucket(limits.input_tokens)
        self.output_tokens = Bucket(limits.output_tokens)

    def refusal(self, input_tokens: int, now: float) -> tuple[str, int] | None:
        """Which limit a request would exceed and the whole seconds to wait; None if it may go ahead."""
        needs = (
            ("requests", self.requests, 1),
            ("input-tokens", self.input_tokens, input_tokens),
            ("output-tokens", self.output_tokens, 1),
        )
        for name, bucket, amount in needs:
            if wait := bucket.wait(amount, now):
                return name, max(1, math.ceil(wait))
        return None

    def headers(self, now: float, wall: float, prefix: str = "anthropic-ratelimit") -> dict[str, str]:
        """The four families: requests, input tokens, output tokens, and the most restrictive over both."""
        both = (self.input_tokens, self.output_tokens)
        return dict(
            [
                *_family(f"{prefix}-requests", (self.requests,), now, wall, unit=1),
                *_family(f"{prefix}-input-tokens", (self.input_tokens,), now, wall),
                *_family(f"{prefix}-output-tokens", (self.output_tokens,), now, wall),
                *_family(f"{prefix}-tokens", both, now, wall),
            ]
        )


def requests_headers(bucket: Bucket, now: float, wall: float) -> dict[str, str]:
    """The family of an endpoint that only counts requests."""
    return dict(_family("anthropic-ratelimit-requests", (bucket,), now, wall, unit=1))


def token_headers(prefix: str, pool: Pool, now: float, wall: float) -> dict[str, str]:
    """The two token families under another *prefix*: `anthropic-priority`, `anthropic-fast`."""
    found = pool.headers(now, wall, prefix)
    return {name: value for name, value in found.items() if "put-tokens-" in name}


def exhausted_headers(limit: str, retry_after: int, wall: float) -> dict[str, str]:
    """The family *limit* with nothing left in it for *retry_after* seconds, to lay over the true ones."""
    prefix = f"anthropic-ratelimit-{limit}"
    return {f"{prefix}-remaining": "0", f"{prefix}-reset": timestamp(wall + retry_after)}


def unified_headers(used: float, wall: float) -> dict[str, str]:
    """What traffic of a Claude subscription gets instead: shares of two windows, and their ends in Unix seconds."""
    share = min(max(used, 0.0), 1.0)
    prefix = "anthropic-ratelimit-unified"
    ends = {"5h": int(wall // 18_000 + 1) * 18_000, "7d": int(wall // 604_800 + 1) * 604_800}
    found = {
        f"{prefix}-status": "rejected" if share >= 1 else "allowed",
        f"{prefix}-reset": str(ends["5h"]),
        f"{prefix}-representative-claim": "five_hour",
        f"{prefix}-overage-status": "rejected",
    }
    for name, end in ends.items():
        found[f"{prefix}-{name}-status"] = "allowed"
        found[f"{prefix}-{name}-utilization"] = f"{share if name == '5h' else share / 10:.4f}"
        found[f"{prefix}-{name}-reset"] = str(end)
    return found


def timestamp(wall: float) -> str:
    """RFC 3339, whole seconds."""
    return datetime.fromtimestamp(math.ceil(wall), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _family(
    name: str, buckets: tuple[Bucket, ...], now: float, wall: float, unit: int = 1_000
) -> Iterator[tuple[str, str]]:
    limit = sum(bucket.limit for bucket in buckets)
    remaining = math.floor(sum(max(0.0, bucket.remaining(now)) for bucket in buckets))
    yield f"{name}-limit", str(limit)
    yield f"{name}-remaining", str(min(limit, round(remaining / unit) * unit))
    yield f"{name}-reset", timestamp(wall + max(bucket.full_in(now) for bucket in buckets))
