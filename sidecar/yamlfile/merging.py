"""Several documents as one."""

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.model.errors import ConfigError, Mistake
from sidecar.yamlfile.document import Document, join


def merge(documents: Sequence[Document]) -> Document:
    """*documents*, each a mapping: their lists one after the other, their mappings joined key by key.

    Raises ConfigError for each value that is given twice, naming both places. Every path of the answer still knows its
    file and line.
    """
    merger = _Merger()
    for document in documents:
        merger.add(document)
    if merger.mistakes:
        raise ConfigError(*merger.mistakes)
    return Document(merger.value, documents[0].file, merger.lines, merger.texts, merger.files)


class _Merger:
    """The joined value, and where each part of it stands."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self.lines: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.mistakes: list[Mistake] = []

    def add(self, document: Document) -> None:
        """Join what *document* says."""
        moved: dict[str, str] = {}  # the places of list items that are behind others now
        self._join(self.value, document, document.value, "", moved)
        for path, line in document.lines.items():
            here = _moved(path, moved)
            self.lines.setdefault(here, line)
            self.files.setdefault(here, document.file)
            if (text := document.text(path)) is not None:
                self.texts.setdefault(here, text)

    def _join(
        self, into: dict[str, Any], document: Document, value: Mapping[str, Any], at: str, moved: dict[str, str]
    ) -> None:
        for key, new in value.items():
            place, old = join(at, key), into.get(key)
            if key not in into:
                into[key] = _copy(new)
            elif isinstance(old, dict) and isinstance(new, dict):
                self._join(old, document, new, place, moved)
            elif isinstance(old, list) and isinstance(new, list):
                for index, item in enumerate(new):
                    moved[join(place, index)] = join(place, len(old))
                    old.append(item)
            else:
                where = f"{self.files[place]} at line {self.lines[place]}"
                self.mistakes.append(document.mistake(place, f"is given twice, also in {where}; expected it once"))


def _copy(value: Any) -> Any:
    """A list or mapping of one's own, to add to; what is in a list is never added to."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, list) else value


def _moved(path: str, moved: Mapping[str, str]) -> str:
    end = path.find("]")
    while moved and end >= 0:
        if (there := moved.get(path[: end + 1])) is not None:
            return there + path[end + 1 :]
        end = path.find("]", end + 1)
    return path
