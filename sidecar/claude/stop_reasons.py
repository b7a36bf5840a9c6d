"""Why a message ended, as a label."""

from typing import Final

KNOWN: Final = frozenset(
    {
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
        "compaction",
    }
)


def label(stop_reason: str) -> str:
    """*stop_reason* as a label: that is a closed set, while the API's list is open."""
    return stop_reason if stop_reason in KNOWN else "other"
