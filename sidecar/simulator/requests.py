"""What a request of the Messages API says, and what the API finds wrong with it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sidecar.simulator.catalogue import Model
from sidecar.simulator.errors import ApiError, invalid

VERSIONS: Final = ("2023-06-01", "2026-10-21")
NEW: Final = "2026-10-21"

_TO_BOTH: Final = (
    "model messages system tools tool_choice thinking output_config cache_control speed context_management mcp_servers"
)
_TO_MESSAGES: Final = (
    "max_tokens stream stop_sequences temperature top_p top_k metadata service_tier inference_geo container diagnostics"
)
_BLOCK_TYPES: Final = (
    "text image document tool_use tool_result thinking redacted_thinking server_tool_use web_search_tool_result "
    "web_fetch_tool_result code_execution_tool_result search_result container_upload compaction"
)
_BOTH: Final = frozenset(_TO_BOTH.split())
_FIELDS: Final = _BOTH | frozenset(_TO_MESSAGES.split())
_BLOCKS: Final = frozenset(_BLOCK_TYPES.split())
_SAMPLING: Final = ("temperature", "top_p", "top_k")


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A request that the API takes, with what follows from it."""

    model: Model
    body: dict[str, Any]
    max_tokens: int
    stream: bool
    stop_sequences: tuple[str, ...]

    @property
    def thinks(self) -> bool:
        """Whether the model thinks before it speaks."""
        asked = (self.body.get("thinking") or {}).get("type")
        return self.model.always_thinks or asked in ("enabled", "adaptive")

    @property
    def shows_thinking(self) -> bool:
        """Whether the thoughts come along, or only their signature."""
        thinking = self.body.get("thinking") or {}
        return bool(thinking.get("display", "omitted" if self.model.always_thinks else "summarized") == "summarized")

    @property
    def fast(self) -> bool:
        """Whether fast mode is asked for."""
        return self.body.get("speed") == "fast"

    @property
    def forced_tool(self) -> dict[str, Any] | None:
        """The tool that the model has to call."""
        choice = self.body.get("tool_choice") or {}
        tools = self.body.get("tools") or []
        if choice.get("type") == "any":
            return dict(tools[0]) if tools else None
        if choice.get("type") == "tool":
            return next((dict(tool) for tool in tools if tool.get("name") == choice.get("name")), None)
        return None


def load(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request's body."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise invalid(f"The request body is not valid JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise invalid("Input should be an object")
    return body


def model_of(raw: bytes) -> str | None:
    """The model that a body names, if it can be read at all."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    name = body.get("model") if isinstance(body, dict) else None
    return name if isinstance(name, str) else None


def check(body: dict[str, Any], version: str, models: dict[str, Model], *, counting: bool) -> MessagesRequest:
    """The request in *body*; raises the API's own error for the first thing that is wrong with it."""
    for name in body:
        if name not in (_BOTH if counting else _FIELDS):
            raise invalid(f"{name}: Extra inputs are not permitted")
    model_id = _required(body, "model", str)
    max_tokens = 1 if counting else _required(body, "max_tokens", int)
    messages = _required(body, "messages", list)
    _check_fields(body)
    if max_tokens < 0:
        raise invalid("max_tokens: Input should be greater than or equal to 0")
    if version == NEW and not counting:
        for name in _SAMPLING:
            if name in body:
                raise invalid(f"{name}: Extra inputs are not permitted in API version {NEW}")
    _check_messages(messages, version)
    model = models.get(model_id)
    if model is None or model.lifecycle == "retired":
        raise ApiError(404, "not_found_error", f"model: {model_id}")
    _check_against(model, body, max_tokens)
    if max_tokens == 0:
        _check_prewarming(body)
    return MessagesRequest(
        model, body, max_tokens, bool(body.get("stream", False)), tuple(body.get("stop_sequences") or ())
    )


def _required(body: dict[str, Any], name: str, kind: type[Any]) -> Any:
    if name not in body:
        raise invalid(f"{name}: Field required")
    _kind(name, body[name], kind)
    return body[name]


def _kind(name: str, value: Any, kind: type[Any]) -> None:
    words = {str: "string", int: "integer", list: "list", bool: "boolean", dict: "dictionary"}
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise invalid(f"{name}: Input should be a valid {words[kind]}")


def _check_fields(body: dict[str, Any]) -> None:
    for name, kind in (("stream", bool), ("stop_sequences", list), ("tools", list), ("tool_choice", dict)):
        if body.get(name) is not None:
            _kind(name, body[name], kind)
    for name in ("thinking", "output_config", "metadata"):
        if body.get(name) is not None:
            _kind(name, body[name], dict)
    if "system" in body and not isinstance(body["system"], str):
        _kind("system", body["system"], list)
        _check_blocks("system", body["system"])
    for index, tool in enumerate(body.get("tools") or []):
        _kind(f"tools.{index}", tool, dict)
        if "name" not in tool and "type" not in tool:
            raise invalid(f"tools.{index}.name: Field required")
    choice = (body.get("tool_choice") or {}).get("type")
    if choice in ("any", "tool") and not body.get("tools"):
        raise invalid("tool_choice: Tools must be provided when a tool is required")
    for index, sequence in enumerate(body.get("stop_sequences") or []):
        _kind(f"stop_sequences.{index}", sequence, str)
        if not sequence.strip():
            raise invalid("stop_sequences: each stop sequence must contain non-whitespace")


def _check_messages(messages: list[Any], version: str) -> None:
    if not messages:
        raise invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        place = f"messages.{index}"
        _kind(place, message, dict)
        for name in ("role", "content"):
            if name not in message:
                raise invalid(f"{place}.{name}: Field required")
        if message["role"] not in ("user", "assistant", "system"):
            raise invalid(f"{place}.role: Input should be 'user', 'assistant' or 'system'")
        content = message["content"]
        if not isinstance(content, str):
            _kind(f"{place}.content", content, list)
            _check_blocks(f"{place}.content", content)
            _check_new_rules(f"{place}.content", message["role"], content, version)
        if not content and not (index == len(messages) - 1 and message["role"] == "assistant"):
            raise invalid(
                f"{place}: all messages must have non-empty content except for the optional final assistant message"
            )
    if messages[0]["role"] == "assistant":
        raise invalid('messages: first message must use the "user" role')


def _check_blocks(place: str, blocks: list[Any]) -> None:
    for index, block in enumerate(blocks):
        _kind(f"{place}.{index}", block, dict)
        kind = block.get("type")
        if kind not in _BLOCKS:
            raise invalid(
                f"{place}.{index}: Input tag {kind!r} found using 'type' does not match any of the expected tags"
            )
        if kind == "text":
            _kind(f"{place}.{index}.text", block.get("text"), str)
            if not block["text"].strip():
                raise invalid("messages: text content blocks must be non-empty")


def _check_new_rules(place: str, role: str, blocks: list[dict[str, Any]], version: str) -> None:
    if version != NEW:
        return
    for index, block in enumerate(blocks):
        if role == "assistant" and block["type"] == "document":
            raise invalid(f"{place}.{index}: document blocks are not permitted in assistant messages")
        if role == "user" and block["type"] == "text" and block.get("citations"):
            raise invalid(f"{place}.{index}.citations: citations are not permitted on user text blocks")


def _check_against(model: Model, body: dict[str, Any], max_tokens: int) -> None:
    if max_tokens > model.max_output:
        raise invalid(
            f"max_tokens: {max_tokens} > {model.max_output}, which is the maximum allowed number of output tokens "
            f"for {model.id}"
        )
    for name in _SAMPLING:
        if name in body and not model.takes_sampling:
            raise invalid(f"{name}: this model does not support sampling parameters")
    if not 0 <= (body.get("temperature") or 0) <= 1:
        raise invalid("temperature: Input should be between 0 and 1")
    if body["messages"][-1]["role"] == "assistant" and not model.takes_prefill:
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    for problem in _thinking_problems(model, body.get("thinking") or {}, max_tokens):
        raise invalid(problem)


def _thinking_problems(model: Model, thinking: dict[str, Any], max_tokens: int) -> Iterator[str]:
    match thinking.get("type"):
        case None if not thinking:
            return
        case "disabled" | "between_tools" if model.always_thinks:
            yield f"thinking.type: {thinking['type']!r} is not supported by {model.id}, which always thinks"
        case "adaptive" if model.generation < (4, 6):
            yield f"thinking.type: 'adaptive' is not supported by {model.id}"
        case "enabled" if not model.takes_budget:
            yield f"thinking.type: 'enabled' is not supported by {model.id}; use 'adaptive'"
        case "enabled":
            budget = thinking.get("budget_tokens")
            if not isinstance(budget, int) or budget < 1024:
                yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
            elif max_tokens and budget >= max_tokens:
                yield "`max_tokens` must be greater than `thinking.budget_tokens`"
        case "disabled" | "between_tools" | "adaptive":
            return
        case other:
            yield f"thinking: Input tag {other!r} found using 'type' does not match any of the expected tags"


def _check_prewarming(body: dict[str, Any]) -> None:
    """`max_tokens: 0` fills the cache and generates nothing; what only makes sense with output is refused."""
    if body.get("stream"):
        raise invalid("max_tokens: 0 is not supported with stream: true")
    if (body.get("thinking") or {}).get("type") == "enabled":
        raise invalid("max_tokens: 0 is not supported with thinking.type: enabled")
    if (body.get("output_config") or {}).get("format"):
        raise invalid("max_tokens: 0 is not supported with output_config.format")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise invalid("max_tokens: 0 is not supported with tool_choice any or tool")
