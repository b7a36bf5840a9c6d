"""A template's text to pieces: plain text, and actions as tokens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sidecar.templating.gotemplate.nodes import TemplateError

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<raw>`[^`]*`)
    |(?P<char>'(?:[^'\\\n]|\\.)+')
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<dot>\.)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>:=|[=|(),])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Plain text, or the tokens of one action."""

    at: int
    text: str = ""
    tokens: tuple[Token, ...] | None = None


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of *text* in order; `{{-` and `-}}` have eaten the space around them."""
    at, trim = 0, False
    while True:
        start = text.find("{{", at)
        plain = text[at:] if start < 0 else text[at:start]
        left = start >= 0 and re.match(r"\{\{-[ \t\r\n]", text[start : start + 4]) is not None
        if trim:
            plain = plain.lstrip(" \t\r\n")
        if left:
            plain = plain.rstrip(" \t\r\n")
        if plain:
            yield Piece(at, plain)
        if start < 0:
            return
        inside = start + (3 if left else 2)
        tokens, at, trim = _action(text, inside, start)
        if tokens is not None:
            yield Piece(start, tokens=tokens)


def _action(text: str, at: int, start: int) -> tuple[tuple[Token, ...] | None, int, bool]:
    """The tokens from *at* to the end of the action, where that is, and whether it eats the space behind it."""
    comment = re.compile(r"[ \t\r\n]*/\*").match(text, at)
    if comment is not None:
        end = text.find("*/", comment.end())
        closing = re.compile(r"([ \t\r\n]-)?\}\}").match(text, end + 2) if end >= 0 else None
        if closing is None:
            raise TemplateError(f"{_place(text, start)}: got a comment without an end, expected `*/}}}}`")
        return None, closing.end(), closing[1] is not None
    tokens: list[Token] = []
    while True:
        if text.startswith("}}", at):
            return tuple(tokens), at + 2, False
        if tokens and tokens[-1].kind == "space" and text.startswith("-}}", at):
            return tuple(tokens), at + 3, True
        found = _TOKEN.match(text, at)
        if found is None:
            what = repr(text[at]) if at < len(text) else "the end"
            raise TemplateError(f"{_place(text, at)}: got {what}, expected the action to go on or to end with `}}}}`")
        tokens.append(Token(str(found.lastgroup), found[0], at))
        at = found.end()


def _place(text: str, at: int) -> str:
    """`line:column` for people, and what stands there."""
    line = text.count("\n", 0, at) + 1
    return f"{line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1}"
