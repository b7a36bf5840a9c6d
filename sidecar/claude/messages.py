"""A whole message, as it is answered without a stream."""

import json
from dataclasses import dataclass
from typing import Any

from sidecar.claude import usage
from sidecar.claude.usage import Usage


@dataclass(frozen=True, slots=True)
class Message:
    """What a well-formed message says about itself; never its text."""

    id: str
    model: str
    stop_reason: str
    usage: Usage


def parse(body: bytes) -> Message | None:
    """The message that *body* is; None when it is none.

    Every stop reason is a finished message: a refusal or a full window is an outcome of the content, no outage.
    """
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or raw.get("type") != "message" or not isinstance(raw.get("content"), list):
        return None
    if not isinstance(raw.get("usage"), dict) or not isinstance(raw.get("stop_reason"), str):
        return None
    return Message(_text(raw, "id"), _text(raw, "model"), raw["stop_reason"], usage.parse(raw["usage"]))


def count(body: bytes) -> int | None:
    """The number that an answer of count_tokens gives; None when it gives none."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = raw.get("input_tokens") if isinstance(raw, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**53 else None


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""
