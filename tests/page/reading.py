"""What a person reads on a page."""

import re
from html import unescape


def words(html: str) -> str:
    """What is read, without marks and with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def section(html: str, id_: str) -> str:
    """The section of that id, as it stands in the document."""
    found = re.search(rf'<section id="{id_}".*?</section>', html, re.DOTALL)
    assert found is not None, f"no section {id_!r}"
    return found[0]


def said(html: str, id_: str) -> str:
    """What is read in one section."""
    return words(section(html, id_))
