"""Words and tables in the Markdown that GitHub shows."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_CODE: Final = re.compile(r"(`[^`]*`)")
MADE: Final = "Made from the code by `make docs`."


def heading(text: str, level: int = 2) -> Iterator[str]:
    """A heading with the empty lines that belong to it."""
    yield from ["", f"{'#' * level} {text}", ""]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; nothing at all without a row."""
    found = [" | ".join(map(cell, row)) for row in rows]
    if found:
        yield f"| {' | '.join(columns)} |"
        yield f"|{' --- |' * len(columns)}"
        yield from (f"| {row} |" for row in found)


def cell(text: str) -> str:
    """*text* on one line, and without what would end its cell."""
    return line(text).replace("|", r"\|")


def line(text: str) -> str:
    """*text* on one line; what is no code and looks like HTML is none."""
    parts = _CODE.split(re.sub(r"\s+", " ", text).strip())
    return "".join(part if n % 2 else part.replace("<", "&lt;") for n, part in enumerate(parts))


def code(text: object) -> str:
    """*text* as code; nothing when it is empty."""
    written = str(text)
    mark = "``" if "`" in written else "`"
    pad = " " if "`" in written else ""
    return f"{mark}{pad}{written}{pad}{mark}" if written else ""


def block(language: str, text: str) -> Iterator[str]:
    """*text* as a block of code."""
    yield f"```{language}"
    yield from text.rstrip("\n").splitlines()
    yield "```"


def first_line(docstring: str | None) -> str:
    """What a docstring promises in its first line."""
    return (docstring or "").strip().partition("\n")[0]


def paragraphs(text: str) -> Iterator[str]:
    """*text* with one line for each paragraph."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        yield line(paragraph)
        yield ""


def anchor(title: str) -> str:
    """Under which name GitHub finds the heading *title*."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
