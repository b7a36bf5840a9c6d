"""A message as a stream of server-sent events, in the order in which the API sends them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sidecar.simulator.answers import Answer, usage
from sidecar.simulator.requests import MessagesRequest
from sidecar.simulator.tokens import InputTokens

PING = {"type": "ping"}


@dataclass(frozen=True, slots=True)
class Step:
    """One event, and how many tokens the model makes before it."""

    event: dict[str, Any]
    tokens: int = 0

    @property
    def is_delta(self) -> bool:
        """Whether it carries a piece of the answer."""
        return bool(self.event["type"] == "content_block_delta")


def encode(event: dict[str, Any]) -> bytes:
    """The bytes of one event."""
    return f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


def steps(id_: str, request: MessagesRequest, given: InputTokens, found: Answer) -> Iterator[Step]:
    """`message_start`, the blocks, `message_delta`, `message_stop`; a ping after the first block has begun."""
    counted = usage(request, given, found)
    yield Step({"type": "message_start", "message": _opening(id_, request, counted)})
    for index, block in enumerate(found.blocks):
        yield Step({"type": "content_block_start", "index": index, "content_block": block.opening})
        if index == 0:
            yield Step(PING)
        silent = found.silent_tokens if index == 0 else 0
        for delta in block.deltas:
            yield Step({"type": "content_block_delta", "index": index, "delta": delta.body}, delta.tokens + silent)
            silent = 0
        yield Step({"type": "content_block_stop", "index": index})
    yield Step(
        {
            "type": "message_delta",
            "delta": {
                "stop_reason": found.stop_reason,
                "stop_sequence": found.stop_sequence,
                "stop_details": found.stop_details,
                "container": None,
            },
            "usage": {
                name: counted[name]
                for name in (
                    "input_tokens",
                    "cache_creation_input_tokens",
                    "cache_read_input_tokens",
                    "output_tokens",
                    "output_tokens_details",
                    "server_tool_use",
                )
            },
        }
    )
    yield Step({"type": "message_stop"})


def _opening(id_: str, request: MessagesRequest, counted: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id_,
        "type": "message",
        "role": "assistant",
        "model": request.model.id,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        # How much comes out is not known yet; the API writes a placeholder, which is no count.
        "usage": counted | {"output_tokens": 1, "output_tokens_details": None},
    }
