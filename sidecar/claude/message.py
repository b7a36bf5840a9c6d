"""A message that came as one body."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.claude import usage
from sidecar.claude._json import mapping, text
from sidecar.claude.usage import Usage
from sidecar.model.errors import SidecarError


class MalformedMessage(SidecarError):  # noqa: N818 -- what was found
    """JSON that is no finished message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is known of a finished message; never what it says."""

    id: str
    model: str
    stop_reason: str
    usage: Usage
    stop_category: str = ""  # of a refusal


def parse(body: Mapping[str, Any]) -> Message:
    """The message in *body*, judged by its form alone: an empty one is as good; raises MalformedMessage."""
    for key, kind in (("id", str), ("model", str), ("content", list), ("stop_reason", str), ("usage", dict)):
        if not isinstance(body.get(key), kind):
            raise MalformedMessage(f"got an answer without a usable {key!r}, expected a finished message")
    if body.get("type") != "message":
        raise MalformedMessage(f"got an answer of the type {str(body.get('type'))[:40]!r}, expected 'message'")
    return Message(
        id=body["id"],
        model=body["model"],
        stop_reason=body["stop_reason"],
        usage=usage.parse(body["usage"]),
        stop_category=text(mapping(body.get("stop_details")).get("category")),
    )
