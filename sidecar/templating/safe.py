"""Words from outside, made safe to show: they are read by people, never obeyed by a terminal, a mail or a chat."""

import math
import re
import unicodedata
from typing import Final
from urllib.parse import quote, urlsplit

BREAK: Final = " ⏎ "
"""What stands for a line break, so that no label can begin a line of its own."""

_BREAKS: Final = re.compile(r"[ \t]*(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])+[ \t]*")
_SPACES: Final = re.compile(r"[ \t]+")
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Letters and marks that show nothing although their category says otherwise.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_MARKS_IN_A_ROW: Final = 4  # more stacked accents than any script needs climb over the lines above
_LONGEST_URL: Final = 2000


def line(text: str, limit: int = 300) -> str:
    """*text* as one line of at most *limit* characters that shows what it is made of.

    Line breaks become ⏎; control characters and those that turn the direction of writing become `‹U+202E›`; what is
    invisible goes. What is longer ends in an ellipsis.
    """
    # Hostile text may be megabytes: what cannot be shown is not looked at.
    head = text[: 4 * limit + 64]
    head = _BREAKS.sub(BREAK, head.strip("\r\n\t "))
    shown = _SPACES.sub(" ", "".join(_visible(head))).strip()
    if len(shown) <= limit and len(text) <= 4 * limit + 64:
        return shown
    return shown[: limit - 1].rstrip() + "…"


def url(text: str) -> str:
    """*text* if it is a link that may be shown and followed, else the empty string.

    Only http and https, no user name in front of the host, nothing but printable ASCII after escaping.
    """
    if not text or len(text) > _LONGEST_URL or any(ord(c) <= 0x20 or c == "\x7f" for c in text):
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname
        parts.port  # noqa: B018 -- raises when it is no number
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host or not host.isascii() or "@" in parts.netloc:
        return ""
    # Quotes, angle brackets and bars would end the link early in HTML or in Slack's markup.
    return quote(text, safe=":/?#[]@!$&()*+,;=%-._~")


def number(value: float) -> str:
    """*value* for a person: four digits that count, thousands apart, `no data` for NaN."""
    if math.isnan(value):
        return "no data"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if abs(value) >= 1e15:
        return f"{value:.4g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value + 0.0:.4g}"  # adding zero takes the sign off a negative zero


def _visible(text: str) -> list[str]:
    shown: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > _MARKS_IN_A_ROW or char in _BLANK:
                continue
            shown.append(char)
            continue
        marks = 0
        if char == "\t" or category == "Zs":
            shown.append(" ")
        elif char in _BIDI or category == "Cc":
            shown.append(f"‹U+{ord(char):04X}›")
        elif category == "Cs" or (category == "Cn" and ord(char) & 0xFFFE == 0xFFFE):
            shown.append("\ufffd")  # half a character; encoding it would fail
        elif category not in ("Cf", "Zl", "Zp") and char not in _BLANK:
            shown.append(char)
    return shown
