"""Reads an expression into tokens: what can be refused, mended or located before the parser sees it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sidecar.promql.errors import QueryError

LENGTH: Final = 8192
"""Bytes that an expression may have."""
NESTING: Final = 75
"""How deep parentheses, brackets and braces may nest."""
TERMS: Final = 150
"""How many operators and brackets an expression may have.

The parser recurses once for each. Measured: on a stack of 512 KiB it dies between 250 and 275 of them, on the main
thread's 8 MiB beyond 4,000; the largest of 1,215 published alert rules has fewer than 40.
"""

_SCAN: Final = re.compile(
    r"""
    (?P<space>(?:\s|\#[^\n]*)+)
  | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
  | (?P<number>0[xX][0-9a-fA-F]+ | (?:\d+(?:ms|[smhdwy]))+ | (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<operator><\/|>\/|==|!=|>=|<=|=~|!~|[-+*/%^<>=])
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<mark>[,@])
    """,
    re.VERBOSE | re.ASCII,
)
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_NAMED_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # string number word operator open close mark other
    text: str
    start: int  # in characters
    depth: int  # how many brackets are open around it; a bracket counts as outside

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokens(text: str) -> list[Token]:
    """The tokens of *text*; refuses what is too long, too deep, too large or not closed."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as exc:
        raise QueryError(f"{near(text, exc.start)}: got half of a character, expected valid UTF-8") from exc
    if size > LENGTH:
        raise QueryError(f"got an expression of {size} bytes, expected at most {LENGTH}; record a part of it first")
    found = list(_scan(text))
    terms = sum(map(_is_term, found))
    if terms > TERMS:
        raise QueryError(f"got {terms} operators and brackets, expected at most {TERMS}; record a part of it first")
    return found


WORD_OPERATORS: Final = frozenset({"and", "or", "unless", "atan2"})


def _is_term(token: Token) -> bool:
    if token.kind == "operator":
        return token.text not in ("=", "=~", "!~")  # of matchers, which do not nest
    return token.kind == "open" or token.text.lower() in WORD_OPERATORS


def _scan(text: str) -> Iterator[Token]:
    opened: list[Token] = []
    at = 0
    while at < len(text):
        match = _SCAN.match(text, at)
        kind = (match and match.lastgroup) or "other"
        piece = match.group() if match else text[at]
        if kind == "close":
            if not opened or opened[-1].text != _PAIRS[piece]:
                raise QueryError(f"{near(text, at)}: got {piece!r}, expected its opening bracket before it")
            opened.pop()
        if piece in "\"'`":
            raise QueryError(f"{near(text, at)}: got a string that does not end, expected another {piece}")
        if kind != "space":
            yield Token(kind, piece, at, len(opened))
        if kind == "open":
            if len(opened) == NESTING:
                raise QueryError(f"{near(text, at)}: brackets are nested too deep, expected at most {NESTING} levels")
            opened.append(Token(kind, piece, at, len(opened)))
        at += len(piece)
    if opened:
        raise QueryError(f"{near(text, opened[-1].start)}: got {opened[-1].text!r}, expected its closing bracket")


def near(text: str, at: int) -> str:
    """Where character *at* of *text* is, in words: `near "foo bar" (1:5)`."""
    excerpt = " ".join(text[at : at + 24].encode(errors="replace").decode().split())
    return f'near "{excerpt}" ({place(text, at)})' if excerpt else f"at the end ({place(text, at)})"


def place(text: str, at: int) -> str:
    """Line and column of character *at*, counted as Prometheus does: from 1, columns in bytes."""
    line_start = text.rfind("\n", 0, at) + 1
    column = len(text[line_start:at].encode(errors="replace")) + 1
    return f"{text.count(chr(10), 0, at) + 1}:{column}"


def unquote(token: str) -> str:
    """The text that the string literal *token* stands for, by Go's rules; raises ValueError with the reason."""
    quote, body = token[0], token[1:-1]
    if quote == "`" or "\\" not in body:
        return body.replace("\r", "") if quote == "`" else body
    raw = bytearray()
    at = 0
    for match in _ESCAPE.finditer(body):
        raw += body[at : match.start()].encode()
        raw += _unescape(match.group(1), quote)
        at = match.end()
    raw += body[at:].encode()
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise ValueError("is not valid UTF-8") from exc


def _unescape(code: str, quote: str) -> bytes:
    if code in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[code].encode()
    if code == quote:
        return quote.encode()
    if len(code) == 3 and (code[0] == "x" or code.isdigit()):
        number = int(code[1:], 16) if code[0] == "x" else int(code, 8)
        if number > 255:
            raise ValueError(rf"has the escape \{code}, expected at most \377")
        return bytes([number])
    if len(code) > 1:
        number = int(code[1:], 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise ValueError(rf"has the escape \{code}, which is no character")
        return chr(number).encode()
    raise ValueError(rf"has the unknown escape \{code}; write \\{code} for a backslash, or quote with backticks")


def quoted(text: str) -> str:
    """*text* as a double-quoted literal that the parser reads as we mean it."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").replace("\r", r"\r") + '"'


def sites(text: str, found: list[Token]) -> dict[str, list[tuple[str, ...]]]:
    """Where the arguments of each call begin: by function or operator, its calls in the order of the text."""
    calls: dict[str, list[tuple[str, ...]]] = {}
    for index, token in enumerate(found):
        if token.kind != "word" or token.text.lower() in ("by", "without", "on", "ignoring"):
            continue
        opening = _opening(found, index + 1)
        if opening is not None:
            calls.setdefault(token.text.lower(), []).append(tuple(_arguments(text, found, opening)))
    return calls


def _opening(found: list[Token], index: int) -> int | None:
    """The index of the bracket that opens the arguments of the call whose name stands before *index*."""
    if index + 1 < len(found) and found[index].text.lower() in ("by", "without") and found[index + 1].text == "(":
        depth = found[index].depth
        index += 2
        while index < len(found) and not (found[index].text == ")" and found[index].depth == depth):
            index += 1
        index += 1
    return index if index < len(found) and found[index].text == "(" else None


def _arguments(text: str, found: list[Token], opening: int) -> Iterator[str]:
    depth = found[opening].depth + 1
    expected = True
    for token in found[opening + 1 :]:
        if token.depth < depth:
            return
        if token.depth == depth and token.text == ",":
            expected = True
        elif expected:
            yield place(text, token.start)
            expected = False
