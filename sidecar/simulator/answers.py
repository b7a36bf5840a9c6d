"""What the model says: the same words to the same question, every time."""

import hashlib
import json
import random
from dataclasses import dataclass
from typing import Any, Final

from sidecar.simulator.requests import MessagesRequest
from sidecar.simulator.tokens import InputTokens

WORDS_PER_DELTA: Final = 3

_VOCABULARY: Final = (
    "the a this every some river stone window letter garden engine cloud signal lantern harbor morning winter answer "
    "question pattern quiet bright narrow steady early late gently slowly often never turns holds carries opens keeps "
    "follows reaches returns across under between beyond within around and while because until"
)
_WORDS: Final = _VOCABULARY.split()


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a block, and how many tokens the model took for it."""

    body: dict[str, Any]
    tokens: int


@dataclass(frozen=True, slots=True)
class Block:
    """One content block: as a stream opens it, the pieces, and as it is in the end."""

    opening: dict[str, Any]
    deltas: tuple[Delta, ...]
    whole: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A message, whole, with what it took."""

    blocks: tuple[Block, ...]
    stop_reason: str
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    output_tokens: int = 0
    thinking_tokens: int = 0
    silent_tokens: int = 0  # thought before the first delta


def answer(request: MessagesRequest) -> Answer:
    """The model's answer within `max_tokens`: its thoughts first, then a tool call or some words."""
    if request.max_tokens == 0:
        return Answer((), "max_tokens")
    rng = _rng(request)
    left = request.max_tokens
    blocks: list[Block] = []
    thinking = silent = 0
    if request.thinks:
        wanted = rng.randint(40, 120)
        thinking = min(wanted, left)
        silent = 0 if request.shows_thinking else thinking
        blocks.append(_thinking(rng, thinking, shown=request.shows_thinking))
        left -= thinking
    if left <= 0:
        return Answer(tuple(blocks), "max_tokens", None, None, thinking, thinking, silent)
    if tool := request.forced_tool:
        block = _tool_call(rng, tool)
        used = thinking + sum(delta.tokens for delta in block.deltas)
        return Answer((*blocks, block), "tool_use", None, None, used, thinking, silent)
    words = _sentence(rng, rng.randint(24, 48))
    reason, sequence = "end_turn", None
    if len(words) > left:
        words, reason = words[:left], "max_tokens"
    text = " ".join(words)
    cut = (
        min((found, s) for s in request.stop_sequences if (found := text.find(s)) >= 0) if _has(text, request) else None
    )
    if cut is not None:
        text, reason, sequence = text[: cut[0]], "stop_sequence", cut[1]
    block = _text(text)
    used = thinking + max(1, sum(delta.tokens for delta in block.deltas))
    return Answer((*blocks, block), reason, sequence, None, used, thinking, silent)


def refusal(category: str = "cyber") -> Answer:
    """A message that the model declines; an answer of a healthy API."""
    details = {
        "type": "refusal",
        "category": category,
        "explanation": "This request was declined by a safety classifier.",
    }
    return Answer((), "refusal", None, details, 1)


def usage(request: MessagesRequest, given: InputTokens, found: Answer) -> dict[str, Any]:
    """The `usage` object of a whole message."""
    geo = request.body.get("inference_geo") or "global"
    return {
        "input_tokens": given.uncached,
        "cache_creation_input_tokens": given.written,
        "cache_read_input_tokens": given.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": given.written_5m,
            "ephemeral_1h_input_tokens": given.written_1h,
        },
        "output_tokens": found.output_tokens,
        "output_tokens_details": {"thinking_tokens": found.thinking_tokens} if request.thinks else None,
        "server_tool_use": None,
        "service_tier": "standard",
        "speed": "fast" if request.fast else "standard",
        "inference_geo": geo,
    }


def message(id_: str, request: MessagesRequest, given: InputTokens, found: Answer) -> dict[str, Any]:
    """The message as it is returned at once."""
    return {
        "id": id_,
        "type": "message",
        "role": "assistant",
        "model": request.model.id,
        "content": [block.whole for block in found.blocks],
        "stop_reason": found.stop_reason,
        "stop_sequence": found.stop_sequence,
        "stop_details": found.stop_details,
        "container": None,
        "usage": usage(request, given, found),
    }


def _has(text: str, request: MessagesRequest) -> bool:
    return any(sequence in text for sequence in request.stop_sequences)


def _rng(request: MessagesRequest) -> random.Random:
    asked = json.dumps([request.model.id, request.body["messages"]], sort_keys=True)
    seed = int.from_bytes(hashlib.sha256(asked.encode()).digest()[:8], "big")
    return random.Random(seed)  # noqa: S311 -- words, not secrets


def _sentence(rng: random.Random, count: int) -> list[str]:
    words = [rng.choice(_WORDS) for _ in range(count)]
    words[0] = words[0].capitalize()
    words[-1] += "."
    return words


def _pieces(text: str) -> list[tuple[str, int]]:
    """*text* cut into what a stream sends at a time, with the words of each."""
    words = text.split(" ") if text else []
    groups = [words[i : i + WORDS_PER_DELTA] for i in range(0, len(words), WORDS_PER_DELTA)]
    return [((" " if index else "") + " ".join(group), len(group)) for index, group in enumerate(groups)]


def _text(text: str) -> Block:
    deltas = tuple(Delta({"type": "text_delta", "text": piece}, words) for piece, words in _pieces(text))
    return Block({"type": "text", "text": ""}, deltas, {"type": "text", "text": text})


def _thinking(rng: random.Random, tokens: int, *, shown: bool) -> Block:
    signature = hashlib.sha256(rng.randbytes(16)).hexdigest()
    text = " ".join(_sentence(rng, tokens)) if shown else ""
    deltas = [Delta({"type": "thinking_delta", "thinking": piece}, words) for piece, words in _pieces(text)]
    deltas.append(Delta({"type": "signature_delta", "signature": signature}, 0))
    opening = {"type": "thinking", "thinking": "", "signature": ""}
    return Block(opening, tuple(deltas), {"type": "thinking", "thinking": text, "signature": signature})


def _tool_call(rng: random.Random, tool: dict[str, Any]) -> Block:
    """A call with a value for each property; a stream sends one whole key and value at a time."""
    properties = (tool.get("input_schema") or {}).get("properties") or {}
    values = {name: _value(rng, schema) for name, schema in properties.items()}
    id_ = f"toolu_{rng.getrandbits(96):024x}"
    pieces = [
        f"{'{' if not index else ', '}{json.dumps(k)}: {json.dumps(v)}" for index, (k, v) in enumerate(values.items())
    ]
    deltas = [Delta({"type": "input_json_delta", "partial_json": ""}, 1)]
    deltas += [Delta({"type": "input_json_delta", "partial_json": piece}, 8) for piece in pieces]
    deltas.append(Delta({"type": "input_json_delta", "partial_json": "}" if pieces else "{}"}, 1))
    frame = {"type": "tool_use", "id": id_, "name": str(tool.get("name", "tool"))}
    return Block(frame | {"input": {}}, tuple(deltas), frame | {"input": values})


def _value(rng: random.Random, schema: Any) -> Any:
    schema = schema if isinstance(schema, dict) else {}
    if schema.get("enum"):
        return schema["enum"][0]
    kinds: dict[str, Any] = {"integer": rng.randint(1, 9), "number": 1.5, "boolean": True, "array": [], "object": {}}
    return kinds.get(str(schema.get("type")), rng.choice(_WORDS))
