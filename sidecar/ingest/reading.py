"""The events that a request's body holds."""

import json
from collections.abc import Iterator
from typing import Final

from sidecar.ingest.rejecting import Rejected, shown
from sidecar.store import Reason

MOST: Final = 20_000
"""Events of one request."""
NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines"})
JSON: Final = frozenset({"application/json", "application/octet-stream", "text/plain"})

_decode = json.JSONDecoder().raw_decode


class Unreadable(Exception):  # noqa: N818 -- the body, not the program, is in error
    """A body that holds no events at all."""


class TooMany(Unreadable):
    """A body with more events than one request may have."""


def read(body: bytes, *, lines: bool) -> Iterator[object]:
    """The events of *body*, each parsed when it is asked for; `Rejected` stands for one that is no JSON.

    One object, an array of objects, or objects on lines; *lines*: it is known to be lines. Raises Unreadable, or
    TooMany, before the first.
    """
    try:
        content = body.decode().removeprefix("\ufeff").strip()
    except UnicodeDecodeError as exc:
        raise Unreadable(f"byte {exc.start} is no UTF-8; expected JSON in UTF-8") from None
    if not content:
        raise Unreadable("got an empty body, expected an event, an array of events, or one event a line")
    if lines or _is_lines(content):
        _bounded(content.count("\n") + 1)
        return _lines(content)
    try:
        found = json.loads(content)
    except ValueError as exc:
        raise Unreadable(f"no JSON: {exc}; expected an event, an array of events, or one event a line") from None
    except RecursionError:
        raise Unreadable("the JSON is nested too deeply") from None
    events = found if isinstance(found, list) else [found]
    _bounded(len(events))
    return iter(events)


def _bounded(number: int) -> None:
    if number > MOST:
        raise TooMany(f"got {number} events in one request, expected at most {MOST}; send them in several requests")


def _is_lines(content: str) -> bool:
    """Whether the first line is an object, and there are more lines."""
    first, _, rest = content.partition("\n")
    if not rest or not first.startswith("{"):
        return False
    try:
        _, end = _decode(first)
    except (ValueError, RecursionError):
        return False
    return not first[end:].strip()


def _lines(content: str) -> Iterator[object]:
    for line in content.split("\n"):
        stripped = line.strip()
        if not stripped:
            continue
        try:
            event, end = _decode(stripped)
        except (ValueError, RecursionError):
            yield Rejected(Reason.MALFORMED, f"got {shown(stripped)}, expected a line that is a JSON object")
            continue
        if end == len(stripped):
            yield event
        else:
            yield Rejected(Reason.MALFORMED, f"got more than one value in the line {shown(stripped)}, expected one")
