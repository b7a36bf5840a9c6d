"""What looks like a credential that nobody told us of."""

import re
from typing import Final

_MASK: Final = "***"
_TELLING: Final = re.compile(
    r"(?:key|token|password|passwd|secret|url|credentials?|authorization|dsn|headers)$", re.IGNORECASE
)
_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Who somebody is, before a host: scheme://user:password@host, and what is left of it without a scheme.
        (r"(://)[^\s/'\"]*@", rf"\g<1>{_MASK}@"),
        (r"(?<![\w.\-:/])[\w.\-/]*:[^\s'\"@]+@(?=[\w\[])", f"{_MASK}@"),
        (r"(://[^\s'\"?#]*)[?#][^\s'\"]+", rf"\g<1>?{_MASK}"),
        # An incoming webhook's address is its own secret: the long segments that hold a digit.
        (r"(?<=[/])(?=[\w\-]*\d)[\w\-]{16,}", _MASK),
        (r"\b(Bearer|Basic)\s+[\w\-.~+/=]{6,}", rf"\g<1> {_MASK}"),
        (r"\b(?:sk-[\w\-]{6,}|eyJ[\w\-]{6,}[\w\-.]*)", _MASK),
        (
            r"\b([\w\-]*(?:passw(?:or)?d?|secret|token|api[_\-]?key|authorization)[\w\-]*(?:=|:\s+))[^\s'\",;{}*`]{6,}",
            rf"\g<1>{_MASK}",
        ),
    )
)


def is_telling(name: str) -> bool:
    """Whether a setting of this name, which may be a dotted path, holds a secret."""
    return _TELLING.search(name) is not None


def masked(text: str) -> str:
    """*text*, which repeats what a person wrote, without what looks like a credential."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
