"""What the terminal can do: its size, whether it takes colours, which characters it can write."""

import codecs
import io
import os
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import Final, TextIO

NARROWEST: Final = 40
"""Columns that we always take: below that, words would be cut to nothing."""
_WIDEST_PIPE: Final = 10_000
_LOWEST: Final = 8
_GLYPHS: Final = "●✓✗→…·–—“”‘’×▁▂▃▄▅▆▇█⏎‹›─│╭╮╰╯≥≤"
_ASCII: Final = dict(zip(_GLYPHS, "*+x>~---\"\"''x.:-=+*#@|<>-|++++><", strict=True))
"""What stands for a character where it cannot be written, of the same width: columns stay aligned."""


def prepare() -> None:
    """Whatever is written is taken from now on.

    What standard output and error cannot encode is spelled in ASCII instead of ending the command, and what the shell
    has closed goes nowhere.
    """
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- for as long as we live
    if sys.stderr is None:  # click would write to standard output instead
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- for as long as we live
    codecs.register(_really_ascii)
    codecs.register_error("sidecar", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="sidecar-ascii" if is_ascii else None, errors="sidecar")


def _really_ascii(name: str) -> codecs.CodecInfo | None:
    """ASCII under another name: click takes a stream of that name for a mistake, and writes UTF-8 to it."""
    if name not in ("sidecar_ascii", "sidecar-ascii"):
        return None
    is_ = codecs.lookup("ascii")
    parts = (is_.encode, is_.decode, is_.streamreader, is_.streamwriter, is_.incrementalencoder, is_.incrementaldecoder)
    return codecs.CodecInfo(*parts, name="sidecar-ascii")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


def colours() -> bool | None:
    """Whether colours are wanted (FORCE_COLOR) or not (NO_COLOR, TERM=dumb); None: where the output is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") != "0":
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def is_live(stream: TextIO | None) -> bool:
    """Whether what was written to *stream* can be written over: a terminal that moves its cursor."""
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
    except ValueError:  # it is closed
        return False


def columns() -> int:
    """Columns of the terminal, or of COLUMNS; a pipe has as many as are needed."""
    if os.environ.get("COLUMNS", "").isdigit() or is_terminal():
        return max(NARROWEST, shutil.get_terminal_size().columns)
    return _WIDEST_PIPE


def is_narrow() -> bool:
    """Whether lines end somewhere: not in a pipe, whose reader wants each fact on one line."""
    return columns() < _WIDEST_PIPE


def rows() -> int:
    """Lines of the terminal."""
    return max(_LOWEST, shutil.get_terminal_size().lines)


def is_terminal() -> bool:
    """Whether a person reads our output, and not another program."""
    return sys.stdout is not None and sys.stdout.isatty()


def measure(text: str) -> int:
    """Columns that *text* takes: two for each wide character, none for one that stands on another."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, room: int) -> str:
    """*text* within so many columns."""
    if measure(text) <= room:
        return text
    taken, left = [], room - 1
    for char in text:
        left -= _columns(char)
        if left < 0:
            break
        taken.append(char)
    return "".join(taken).rstrip() + "…"


def pad(text: str, width: int) -> str:
    """*text* filled up to so many columns."""
    return text + " " * (width - measure(text))
