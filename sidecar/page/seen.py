"""A page as it was seen at one time, to be compared with what it is later."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import thread_time
from typing import Self

from sidecar.page.frame import Page, digest, revision


@dataclass(frozen=True, slots=True)
class Place:
    """Which page: a view, and what it is about."""

    view: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """*page*, the digests of its sections and of their parts by id, and the revision of the whole."""

    page: Page
    digests: Mapping[str, str]
    revision: str
    cost: float = 0.0  # seconds of a processor

    @classmethod
    def of(cls, make: Callable[[], Page]) -> Self:
        """The page that *make* makes, looked at."""
        began = thread_time()
        page = make()
        digests = {section.id: digest(section.html) for section in page.sections}
        digests |= {id_: digest(html) for section in page.sections for id_, html in section.parts.items()}
        told = revision(page)
        return cls(page, digests, told, thread_time() - began)

    def since(self, before: Self) -> Iterator[tuple[str, str]]:
        """What is other than *before*, by id: whole sections, and parts of those whose surroundings stayed."""
        for section in self.page.sections:
            if self.digests[section.id] != before.digests.get(section.id):
                yield section.id, section.whole()
                continue
            for id_, html in section.parts.items():
                if self.digests[id_] != before.digests.get(id_):
                    yield id_, html

    def everything(self) -> Iterator[tuple[str, str]]:
        """All sections, by id."""
        for section in self.page.sections:
            yield section.id, section.whole()
