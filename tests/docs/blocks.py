"""The blocks of code in a page, each with the word behind its language that says what it is: ```yaml rules."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: where it stands, and what it says that it is."""

    page: str
    line: int
    language: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of the page at *path*."""
    text = path.read_text("utf-8")
    for found in _FENCE.finditer(text):
        language, _, kind = found["info"].strip().partition(" ")
        indent = len(found["indent"])
        lines = [line[indent:] for line in found["text"].splitlines()]
        yield Block(
            str(path.relative_to(ROOT)), text.count("\n", 0, found.start()) + 1, language, kind, "\n".join(lines) + "\n"
        )


@cache
def prose(path: Path) -> str:
    """The page without its blocks."""
    return _FENCE.sub("", path.read_text("utf-8"))


@cache
def anchors(path: Path) -> set[str]:
    """The names under which GitHub finds the headings of a page; the second of one name gets -1, and so on."""
    found: set[str] = set()
    for title in _HEADING.findall(prose(path)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        name = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        number, unique = 0, name
        while unique in found:
            number += 1
            unique = f"{name}-{number}"
        found.add(unique)
    return found


def links(path: Path) -> list[str]:
    """Where the page points to."""
    return _LINK.findall(_CODE.sub("", prose(path)))
