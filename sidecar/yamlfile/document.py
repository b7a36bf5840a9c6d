"""A file that was read: its value, and the line of everything in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.model.errors import Mistake


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where: `lines` maps dotted paths such as `checks[2].every` to 1-based lines."""

    value: Any
    file: str
    lines: Mapping[str, int]
    texts: Mapping[str, str] = field(default_factory=dict)  # scalars that are not text, as they were written
    files: Mapping[str, str] = field(default_factory=dict)  # of paths that come from another file

    def line(self, path: str) -> int:
        """The line of *path*, or of the nearest thing around it; 0 when the file has neither."""
        return self.lines.get(self._nearest(path), 0)

    def file_of(self, path: str) -> str:
        """The file in which *path*, or the nearest thing around it, stands."""
        return self.files.get(self._nearest(path), self.file) if self.files else self.file

    def text(self, path: str) -> str | None:
        """The scalar at *path* as it was written (`1.10`, not 1.1), where it is a number, a boolean or null."""
        return self.texts.get(path)

    def mistake(self, path: str, message: str) -> Mistake:
        """*message* about what stands at *path*."""
        return Mistake(self.file_of(path), self.line(path), path, message)

    def _nearest(self, path: str) -> str:
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return path


def join(path: str, step: str | int) -> str:
    """The path of what stands at *step* inside *path*."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step
