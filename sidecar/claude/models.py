"""What the Models API says of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sidecar.claude._json import count, text
from sidecar.model.errors import SidecarError


class MalformedModel(SidecarError):  # noqa: N818 -- what was found
    """An answer that describes no model."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as this key sees it. What the answer does not say is None; times are seconds since the epoch."""

    id: str
    display_name: str = ""
    lifecycle: str | None = None  # active, deprecated or retired; older API versions may leave it out
    created_at: float | None = None
    deprecated_at: float | None = None
    retires_at: float | None = None
    line: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None

    @property
    def active(self) -> bool | None:
        """Whether it is neither deprecated nor retired; a retirement's date alone says nothing."""
        return None if self.lifecycle is None else self.lifecycle == "active"


def parse(model: Mapping[str, Any]) -> Model:
    """The ModelInfo object *model*; raises MalformedModel when it has no id."""
    id_ = text(model.get("id"))
    if not id_:
        raise MalformedModel(f"got an object of the type {str(model.get('type'))[:40]!r}, expected a model with its id")
    return Model(
        id=id_,
        display_name=text(model.get("display_name")),
        lifecycle=text(model.get("lifecycle")) or None,
        created_at=_time(model.get("created_at")),
        deprecated_at=_time(model.get("deprecated_at")),
        retires_at=_time(model.get("retires_at")),
        line=text(model.get("line")) or None,
        max_input_tokens=count(model.get("max_input_tokens")) or None,
        max_tokens=count(model.get("max_tokens")) or None,
    )


def parse_list(page: Mapping[str, Any]) -> tuple[Model, ...]:
    """The models of one page of the list; raises MalformedModel when it is none."""
    data = page.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise MalformedModel("got no list of models, expected an object with `data`")
    return tuple(map(parse, data))


def _time(value: object) -> float | None:
    """An RFC 3339 time. The API gives the epoch when it does not know."""
    try:
        at = datetime.fromisoformat(text(value))
        seconds = at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None
