"""What the API lists about its models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model. What the API version does not tell is None; times are seconds since the epoch."""

    id: str
    display_name: str = ""
    lifecycle: str | None = None  # active, deprecated or retired
    retires_at: float | None = None
    max_input_tokens: int | None = None

    @property
    def active(self) -> bool:
        """Whether it is listed without reservation; a model whose lifecycle is not told is."""
        return self.lifecycle in (None, "active")


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One page of the list."""

    models: tuple[ModelInfo, ...]
    has_more: bool = False


def parse(body: bytes) -> ModelInfo | None:
    """The model that *body* describes; None when it describes none."""
    return _model(_json(body))


def parse_page(body: bytes) -> ModelPage | None:
    """The page of models that *body* is; None when it is none."""
    page = _json(body)
    rows = page.get("data") if isinstance(page, dict) else None
    if not isinstance(page, dict) or not isinstance(rows, list):
        return None
    models = tuple(model for row in rows if (model := _model(row)))
    return ModelPage(models, page.get("has_more") is True) if len(models) == len(rows) else None


def _model(raw: Any) -> ModelInfo | None:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("id"), str) or raw.get("type", "model") != "model":
        return None
    lifecycle, window, name = raw.get("lifecycle"), raw.get("max_input_tokens"), raw.get("display_name")
    return ModelInfo(
        raw["id"],
        name if isinstance(name, str) else "",
        lifecycle if isinstance(lifecycle, str) else None,
        _time(raw.get("retires_at")),
        window if isinstance(window, int) else None,
    )


def _time(text: Any) -> float | None:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
