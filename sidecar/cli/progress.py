"""What a person sees while they wait: one line that moves, on a terminal, gone at the end; never in a pipe."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

import click

from sidecar.cli import terminal

_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN: Final = "|/-\\"
_PATIENCE: Final = 0.5
"""Seconds for which nobody wonders."""
_TURN: Final = 0.1
_ERASE: Final = "\r\x1b[K"


class Progress:
    """A line on *stream*; without one nothing is shown and everything else works the same."""

    def __init__(self, text: str, stream: TextIO | None) -> None:
        self._text = text
        self._stream = stream
        self._lock = threading.Lock()
        self._drawn = False
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        """What is done now."""
        self._text = text

    def echo(self, line: str) -> None:
        """*line* goes to standard output and stays."""
        with self._lock:
            self._erase()
            click.echo(line)

    def draw(self, turn: int) -> None:
        """The line as it is now."""
        if self._stream is None:
            return
        frames = _FRAMES if _can(self._stream, _FRAMES) else _PLAIN
        line = f"{frames[turn % len(frames)]} {self._text}  {time.monotonic() - self._begun:.0f}s"
        with self._lock:
            self._stream.write(_ERASE + terminal.cut(line, terminal.columns() - 1))
            self._stream.flush()
            self._drawn = True

    def erase(self) -> None:
        """Nothing is left of it."""
        with self._lock:
            self._erase()

    def _erase(self) -> None:
        if self._drawn and self._stream is not None:
            self._stream.write(_ERASE)
            self._stream.flush()
            self._drawn = False


@contextmanager
def waiting(text: str, *, patience: float = _PATIENCE) -> Iterator[Progress]:
    """Show *text*, and for how long, when the block lasts longer than *patience* seconds and a person looks on."""
    progress = Progress(text, sys.stderr if terminal.is_live(sys.stderr) else None)
    if not terminal.is_live(sys.stderr):
        yield progress
        return
    over = threading.Event()

    def turn() -> None:
        n = 0
        if over.wait(patience):
            return
        while True:
            progress.draw(n)
            n += 1
            if over.wait(_TURN):
                return

    thread = threading.Thread(target=turn, name="progress", daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()
        progress.erase()


def _can(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
