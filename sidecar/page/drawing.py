"""Draws a badge: two words side by side, as SVG that stands for itself."""

import unicodedata
from enum import StrEnum
from html import escape
from typing import Final

from sidecar.templating.safe import line


class Colour(StrEnum):
    """What is behind the right word; white letters on each have a contrast of at least 4.5."""

    GOOD = "#1a7f37"
    POOR = "#9a6700"
    BAD = "#c5221f"
    UNKNOWN = "#57606a"
    PLAIN = "#0a5fb4"


LONGEST: Final = 40
"""Characters of a word that are shown."""

_LEFT: Final = "#3b4048"
_EDGE: Final = "#8b949e"  # seen on white as well as on black
_HEIGHT: Final = 20
_PAD: Final = 7
_SIZE: Final = 11  # pixels of the letters
# How wide Verdana's letters are, in thousandths of their size; DejaVu Sans, made after it, is as wide.
_WIDTHS: Final = {
    char: width
    for width, chars in {
        274: "il'",
        344: "jI|,. f",
        394: "!t",
        430: "r()[]/\\:;-J",
        521: 'csz"?',
        596: "eFLkvxyaTY*^_`",
        620: "bdghnopqu0123456789$EPZ{}",
        690: "ABCKRSVX",
        740: "&DGHNU",
        800: "#+<=>OQ~w",
        850: "M",
        985: "mW@%",
    }.items()
    for char in chars
}
_OTHER: Final = 650
_WIDE: Final = 1000

_TEMPLATE: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    'role="img" aria-label="{title}"><title>{title}</title>'
    '<rect width="{width}" height="{height}" rx="3" fill="{left}"/>'
    '<path d="M{split} 0h{straight}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{straight}z" fill="{right}"/>'
    '<rect x=".5" y=".5" width="{inner}" height="19" rx="2.5" fill="none" stroke="{edge}"/>'
    '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="{size}">'
    '<text x="{at_label}" y="14" textLength="{label_width}">{label}</text>'
    '<text x="{at_word}" y="14" textLength="{word_width}">{word}</text></g></svg>\n'
)


def drawn(label: str, word: str, colour: Colour, title: str = "") -> str:
    """A badge that says *label* on the left and *word* on the right; *title* is what it says to who cannot see it.

    Whatever the words are, they are one line of text of bounded length and nothing else.
    """
    label, word = line(label, LONGEST), line(word, LONGEST)
    label_width, word_width = width(label), width(word)
    split, rest = label_width + 2 * _PAD, word_width + 2 * _PAD
    return _TEMPLATE.format(
        width=split + rest,
        inner=split + rest - 1,
        height=_HEIGHT,
        split=split,
        straight=rest - 3,
        left=_LEFT,
        right=colour.value,
        edge=_EDGE,
        size=_SIZE,
        title=escape(line(title or f"{label}: {word}", 4 * LONGEST)),
        label=escape(label),
        word=escape(word),
        label_width=label_width,
        word_width=word_width,
        at_label=split / 2,
        at_word=split + rest / 2,
    )


def width(text: str) -> int:
    """How many pixels *text* takes, about; the drawing makes it fit exactly."""
    return max(1, round(sum(map(_advance, text)) * _SIZE / 1000))


def _advance(char: str) -> int:
    if char in _WIDTHS:
        return _WIDTHS[char]
    if unicodedata.combining(char):
        return 0
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else _OTHER
