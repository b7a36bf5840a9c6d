"""Server-sent events from bytes, however they are cut."""

import re
from dataclasses import dataclass
from typing import Final

from sidecar.model.errors import SidecarError

LONGEST_LINE: Final = 2**20
"""Bytes of one line, and of one event's data. Claude's events are far shorter, also those with a tool's input."""

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BOM: Final = b"\xef\xbb\xbf"


class StreamBroken(SidecarError):  # noqa: N818 -- names what happened to the stream
    """Bytes that are no event stream; the decoder is of no use afterwards."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (`message` when the stream gives none) and its data, lines joined by a line feed."""

    name: str
    data: str


class Decoder:
    """Turns a stream's bytes into its events, by the rules of the HTML standard.

    Mutable: it keeps the line and the event that have begun. What is left of them at the end of the stream is no event.
    """

    def __init__(self, *, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._line = bytearray()
        self._after_cr = False  # a line feed that comes next belongs to the carriage return before it
        self._first_line = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0  # of _data, in bytes

    def feed(self, data: bytes) -> list[Event]:
        """The events that *data* completes; raises StreamBroken when a line or an event does not end."""
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        *ended, rest = _LINE_END.split(data)
        events = []
        for part in ended:
            self._grow(part)
            line = bytes(self._line)
            self._line.clear()
            if (event := self._take(line)) is not None:
                events.append(event)
        self._grow(rest)
        return events

    def _grow(self, part: bytes) -> None:
        if len(self._line) + len(part) > self._longest:
            raise StreamBroken(f"got a line of more than {self._longest} bytes, expected events")
        self._line += part

    def _take(self, line: bytes) -> Event | None:
        """One whole line; the event that it completes, if any."""
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")  # a comment is a field without a name
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"data":
            self._size += len(value) + 1
            if self._size > self._longest + 1:
                raise StreamBroken(f"got an event of more than {self._longest} bytes, expected shorter ones")
            self._data.append(value.decode("utf-8", "replace"))
        return None

    def _dispatch(self) -> Event | None:
        event = Event(self._name or "message", "\n".join(self._data)) if self._data else None
        self._name, self._size = "", 0
        self._data.clear()
        return event
