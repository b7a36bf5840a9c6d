"""Regular expressions in settings of checks."""

from typing import Annotated, Any

import re2
from pydantic import AfterValidator


def compiled(text: str) -> Any:
    """The regular expression *text*; raises ValueError. It takes linear time, whatever it is given."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as exc:
        raise ValueError(f"{text!r} is no regular expression in RE2 syntax: {_said(exc)}") from None


def _said(exc: Exception) -> str:
    said = exc.args[0] if exc.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _checked(text: str) -> str:
    compiled(text)
    return text


Pattern = Annotated[str, AfterValidator(_checked)]
"""A text that is a regular expression in RE2 syntax; it may match anywhere."""
