"""Server-sent events out of bytes, however they are cut."""

import re
from dataclasses import dataclass
from typing import Final

from sidecar.model.errors import SidecarError

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class OversizedEventError(SidecarError):
    """An event that does not end."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (`message` when it has none) and its data, lines joined."""

    name: str
    data: str


class Decoder:
    """Takes bytes as they come and gives the events that are whole, as the HTML standard reads them.

    What is no UTF-8 becomes replacement characters; comments, ids and unknown fields are passed over, and an event
    without data is none. An event longer than *limit* bytes raises OversizedEventError.
    """

    def __init__(self, limit: int = 1024 * 1024) -> None:
        self._limit = limit
        self._line = bytearray()  # of the line that has not ended yet
        self._after_cr = False  # a \n that comes now belongs to the \r before it
        self._first = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that *chunk* completes."""
        if not chunk:
            return []
        skip = 1 if self._after_cr and chunk.startswith(b"\n") else 0
        self._after_cr = chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(chunk[skip:])
        events = []
        for line in lines:
            self._line += line
            if event := self._end_line():
                events.append(event)
        self._line += rest
        self._bound(len(self._line))
        return events

    def _end_line(self) -> Event | None:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._end_event()
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
            self._size += len(line)
            self._bound(0)
        return None

    def _end_event(self) -> Event | None:
        event = Event(self._name or "message", "\n".join(self._data)) if self._data else None
        self._name, self._size = "", 0
        self._data.clear()
        return event

    def _bound(self, more: int) -> None:
        if self._size + more > self._limit:
            raise OversizedEventError(f"an event is longer than {self._limit} bytes")
