"""How many tokens a request has, and which of them the prompt cache knows."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sidecar.simulator.requests import MessagesRequest

CACHEABLE: Final = 1024
"""Tokens that a prefix must have to be cached."""

_TTL: Final = {"5m": 300.0, "1h": 3600.0}


@dataclass(frozen=True, slots=True)
class InputTokens:
    """The input of one request, by what it costs."""

    uncached: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        """Tokens put into the cache."""
        return self.written_5m + self.written_1h

    @property
    def total(self) -> int:
        """Everything that the model reads."""
        return self.uncached + self.read + self.written

    @property
    def limited(self) -> int:
        """What counts against the input limit: cache reads do not."""
        return self.uncached + self.written


@dataclass(frozen=True, slots=True)
class _Breakpoint:
    key: str
    tokens: int  # of the prompt up to here
    ttl: str


class PromptCache:
    """Prefixes of prompts that were seen before, each until its time is over; a hit renews it."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def input_tokens(self, request: MessagesRequest, now: float) -> InputTokens:
        """The input of *request*; what it asks to cache is cached from now on."""
        self._until = {key: until for key, until in self._until.items() if until > now}
        total = count(request)
        points = [point for point in _breakpoints(request) if point.tokens >= CACHEABLE]
        read = max((point.tokens for point in points if point.key in self._until), default=0)
        written = {"5m": 0, "1h": 0}
        covered = read
        for point in points:
            if point.tokens > covered:
                written[point.ttl] += point.tokens - covered
                covered = point.tokens
            self._until[point.key] = now + _TTL[point.ttl]
        return InputTokens(total - covered, read, written["5m"], written["1h"])


def count(request: MessagesRequest) -> int:
    """Tokens of the whole input: about four characters each, and a few for the frame."""
    return 3 + sum(tokens for tokens, _, _ in _parts(request))


def _breakpoints(request: MessagesRequest) -> Iterator[_Breakpoint]:
    parts = list(_parts(request))
    automatic = request.body.get("cache_control")
    digest, tokens = hashlib.sha256(request.model.id.encode()), 3
    for index, (size, text, control) in enumerate(parts):
        digest.update(text.encode("utf-8", "replace"))
        tokens += size
        marked = control or (automatic if index == len(parts) - 1 else None)
        if isinstance(marked, dict):
            yield _Breakpoint(digest.hexdigest(), tokens, "1h" if marked.get("ttl") == "1h" else "5m")


def _parts(request: MessagesRequest) -> Iterator[tuple[int, str, Any]]:
    """Tools, system and messages in the order in which the model reads them: tokens, text, cache_control."""
    for tool in request.body.get("tools") or []:
        yield _part(request, {k: v for k, v in tool.items() if k != "cache_control"}, tool.get("cache_control"), 8)
    yield from _content(request, request.body.get("system") or "")
    for message in request.body["messages"]:
        frame = 4
        for size, text, control in _content(request, message["content"]):
            yield size + frame, message["role"] + text, control
            frame = 0


def _content(request: MessagesRequest, content: str | list[dict[str, Any]]) -> Iterator[tuple[int, str, Any]]:
    if isinstance(content, str):
        if content:
            yield _part(request, content, None, 0)
        return
    for block in content:
        plain = block["text"] if block["type"] == "text" else {k: v for k, v in block.items() if k != "cache_control"}
        yield _part(request, plain, block.get("cache_control"), 0)


def _part(request: MessagesRequest, value: Any, control: Any, frame: int) -> tuple[int, str, Any]:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return math.ceil(len(text) / 4 * request.model.tokens_per_word) + frame, text, control
