"""The models that the simulator has."""

from dataclasses import dataclass
from typing import Any, Final, Literal

Lifecycle = Literal["active", "deprecated", "retired"]
_EPOCH: Final = "1970-01-01T00:00:00Z"  # what the API says of a release date that it does not know
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """One model, with what it accepts.

    `generation` orders them: what 4.6 and 4.7 stopped accepting follows from it.
    """

    id: str
    display_name: str
    line: str
    generation: tuple[int, int]
    pool: str  # models of one pool share a rate limit
    aliases: tuple[str, ...] = ()
    created_at: str = _EPOCH
    window: int = _MILLION
    max_output: int = 128_000
    lifecycle: Lifecycle = "active"
    deprecated_at: str | None = None
    retires_at: str | None = None
    always_thinks: bool = False

    @property
    def takes_prefill(self) -> bool:
        """Whether the conversation may end with the assistant's words."""
        return self.generation < (4, 6)

    @property
    def takes_sampling(self) -> bool:
        """Whether temperature, top_p and top_k are known to it."""
        return self.generation < (4, 7)

    @property
    def takes_budget(self) -> bool:
        """Whether thinking may be given a budget (`thinking.type: enabled`)."""
        return self.generation < (4, 7)

    @property
    def tokens_per_word(self) -> float:
        """Newer tokenizers make about 30 % more tokens of the same text."""
        return 1.0 if self.generation < (4, 7) else 1.3

    def info(self) -> dict[str, Any]:
        """The model as `/v1/models` describes it."""
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.display_name,
            "created_at": self.created_at,
            "line": self.line,
            "lifecycle": self.lifecycle,
            "deprecated_at": self.deprecated_at,
            "retires_at": self.retires_at,
            "max_input_tokens": self.window,
            "max_tokens": self.max_output,
            "capabilities": self._capabilities(),
        }

    def _capabilities(self) -> dict[str, Any]:
        yes, no = {"supported": True}, {"supported": False}
        effort = dict.fromkeys(("low", "medium", "high", "max", "xhigh"), yes if self.generation >= (4, 5) else no)
        adaptive = yes if self.generation >= (4, 6) else no
        thinking = {
            "adaptive": adaptive,
            "between_tools": no if self.always_thinks else adaptive,
            "disabled": no if self.always_thinks else yes,
            "enabled": yes if self.takes_budget else no,
        }
        return {
            "batch": yes,
            "citations": yes,
            "code_execution": yes,
            "context_management": {
                "supported": True,
                "clear_thinking_20251015": yes,
                "clear_tool_uses_20250919": yes,
                "compact_20260112": adaptive,
            },
            "effort": {"supported": True, **effort},
            "image_input": yes,
            "pdf_input": yes,
            "server_tools": {"supported": True, "code_execution": yes, "web_search": yes},
            "structured_outputs": yes,
            "thinking": {"supported": True, "types": thinking},
        }


def _new(line: str, major: int, minor: int = 0, *, always_thinks: bool = False) -> Model:
    version = f"{major}-{minor}" if minor else f"{major}"
    name = f"Claude {line.title()} {version.replace('-', '.')}"
    pool = f"{line}-{version}" if major >= 5 and line != "fable" else f"{line}-{major}"
    return Model(f"claude-{line}-{version}", name, line, (major, minor), pool, always_thinks=always_thinks)


CATALOGUE: Final = (
    _new("fable", 5, 2, always_thinks=True),
    _new("mythos", 5, 2, always_thinks=True),
    _new("haiku", 5, 5),
    _new("sonnet", 5, 5),
    _new("opus", 5, 5, always_thinks=True),
    _new("fable", 5, 1, always_thinks=True),
    _new("mythos", 5, 1, always_thinks=True),
    _new("sonnet", 5),
    _new("fable", 5, always_thinks=True),
    _new("mythos", 5, always_thinks=True),
    _new("opus", 5),
    _new("opus", 4, 8),
    _new("opus", 4, 7),
    _new("opus", 4, 6),
    _new("sonnet", 4, 6),
    Model(
        "claude-opus-4-5-20251101",
        "Claude Opus 4.5",
        "opus",
        (4, 5),
        "opus-4",
        aliases=("claude-opus-4-5",),
        created_at="2025-11-01T00:00:00Z",
        window=200_000,
        max_output=64_000,
    ),
    Model(
        "claude-haiku-4-5-20251001",
        "Claude Haiku 4.5",
        "haiku",
        (4, 5),
        "haiku-4",
        aliases=("claude-haiku-4-5",),
        created_at="2025-10-01T00:00:00Z",
        window=200_000,
        max_output=64_000,
    ),
    Model(
        "claude-sonnet-4-5-20250929",
        "Claude Sonnet 4.5",
        "sonnet",
        (4, 5),
        "sonnet-4",
        aliases=("claude-sonnet-4-5",),
        created_at="2025-09-29T00:00:00Z",
        window=200_000,
        max_output=64_000,
        lifecycle="deprecated",
        deprecated_at="2026-05-30T00:00:00Z",
        retires_at="2026-11-30T00:00:00Z",
    ),
    Model(
        "claude-opus-4-20250514",
        "Claude Opus 4",
        "opus",
        (4, 0),
        "opus-4",
        aliases=("claude-opus-4-0",),
        created_at="2025-05-22T00:00:00Z",
        window=200_000,
        max_output=32_000,
        lifecycle="retired",
        deprecated_at="2026-04-14T00:00:00Z",
        retires_at="2026-06-15T00:00:00Z",
    ),
)
"""Newest first, as the API lists them."""
