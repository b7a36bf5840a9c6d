"""How a command fails: one screen of words, or JSON for whoever asked for it, and an exit code.

Exit codes: 0 fine, 1 the answer is bad or we crashed, 2 wrong use or nothing to work with, 130 Ctrl-C, 141 nobody reads
our output any more.
"""

import errno
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from sidecar.model.credentials import masked
from sidecar.model.errors import ConfigError, SidecarError

TRACEBACK: Final = "--traceback"
"""The option of whoever looks for a mistake of ours."""
WRONG: Final = 2
INTERRUPTED: Final = 130
UNREAD: Final = 141
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_MOST: Final = 20
"""Mistakes of a configuration that are listed; who has corrected them sees the next."""


class WrongError(click.ClickException):
    """What was asked for is not there; how the command is called was right, and is not repeated."""

    exit_code = WRONG
    word = "usage"


class UnreadError(Exception):
    """Who read our standard output has gone, as `head` does."""


@contextmanager
def reading() -> Iterator[None]:
    """A pipe that breaks is told apart from a command that fails: click would end both with 1."""
    try:
        yield
    except BrokenPipeError as exc:
        raise UnreadError from exc


def end(exc: BaseException) -> NoReturn:
    """Say what *exc* means, and exit with its code."""
    match exc:
        case UnreadError():
            _hush()
            sys.exit(UNREAD)
        case click.Abort() | KeyboardInterrupt():
            _say("interrupted", "interrupted", quiet=True)
            sys.exit(INTERRUPTED)
        case click.ClickException():
            _say(_type(exc), exc.format_message(), shown=exc)
            sys.exit(exc.exit_code if exc.exit_code != 1 else WRONG)
        case ConfigError():
            _say("configuration", _short(exc), mistakes=[_mistake(mistake) for mistake in exc.mistakes])
            sys.exit(WRONG)
        case SidecarError():
            _say("failed", str(exc) if "\n" in str(exc) else f"sidecar: {exc}")
            sys.exit(WRONG)
        case OSError() if exc.errno in _NO_ROOM and exc.filename is None:
            text = f"standard output cannot be written: {exc.strerror}; make room where it goes"
            _say("output", f"sidecar: {text}")
            sys.exit(WRONG)
        case _:
            _crashed(exc)


def as_json() -> bool:
    """Whether the command was asked for JSON; it may have failed before its options were read."""
    words = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    return "--json" in words


def _type(exc: click.ClickException) -> str:
    """The word for *exc*: classes that are for machines name their own."""
    return str(getattr(exc, "word", "usage" if isinstance(exc, click.UsageError) else "failed"))


def _mistake(mistake: Any) -> dict[str, Any]:
    return {"file": mistake.file, "line": mistake.line, "key": mistake.key, "message": mistake.message}


def _short(exc: ConfigError) -> str:
    """The mistakes, one a line, as many as fit a screen."""
    lines = [str(mistake) for mistake in exc.mistakes]
    more = [f"and {len(lines) - _MOST} more; `sidecar config check` names them all"] if len(lines) > _MOST else []
    return "\n".join([*lines[:_MOST], *more])


def _crashed(exc: BaseException) -> NoReturn:
    """Say what went wrong inside of us, without secrets; a daemon's end with its whole trace, since nobody can ask."""
    lines = [masked(line) for line in traceback.format_exception(exc)]
    if "run" in sys.argv[1:3] or TRACEBACK in sys.argv[1:]:
        _say("crash", "".join(lines).rstrip())
        sys.exit(1)
    at = traceback.extract_tb(exc.__traceback__)[-1]
    what = " ".join(lines[-1].split())
    _say(
        "crash",
        f"sidecar: unexpected {what[:500]}\n"
        f"  in {at.name}, {Path(at.filename).name}:{at.lineno}; this is a mistake of sidecar's own.\n"
        f"  Please report it with what `sidecar {TRACEBACK}` and the same words behind it shows.",
    )
    sys.exit(1)


def _say(word: str, text: str, *, shown: click.ClickException | None = None, quiet: bool = False, **more: Any) -> None:
    """Write to standard error: whoever reads JSON from our standard output never meets another shape there."""
    from sidecar.secrets import redact

    try:
        if as_json():
            said = redact(text.removeprefix("sidecar: "))
            click.echo(redact(json.dumps({"error": {"type": word, "message": said, **more}})), err=True)
        elif shown is not None:
            shown.show()
        elif not quiet:
            click.echo(redact(text), err=True)
    except OSError:
        _hush()  # nobody hears our error, either; the exit code remains


def _hush() -> None:
    """What is left in buffers goes nowhere: at its end the interpreter would complain once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            try:
                os.dup2(nowhere, stream.fileno())
            except (OSError, ValueError, AttributeError):
                continue
