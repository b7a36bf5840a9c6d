"""The files that a configuration is made of."""

import fnmatch
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Protocol

LONGEST: Final = 16 * 1024 * 1024
"""Bytes that are read of a file, since a device has no end; far less is refused as too long."""

Signature = tuple[tuple[str, object], ...]


class Files(Protocol):
    """Where configurations are read from."""

    def read(self, path: Path) -> bytes:
        """What the file holds; raises OSError."""
        ...

    def glob(self, folder: Path, pattern: str) -> Sequence[Path]:
        """The files and folders that *pattern* names in *folder*, sorted; raises OSError or ValueError."""
        ...


@dataclass(slots=True)
class Disk:
    """The files as they are now. Remembers what was asked, to be watched and to be kept."""

    texts: dict[str, bytes] = field(default_factory=dict)
    found: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _seen: dict[str, object] = field(default_factory=dict)

    def read(self, path: Path) -> bytes:
        """What the file holds; raises OSError."""
        self._seen[str(path)] = _stamp(path)
        with path.open("rb") as stream:
            text = stream.read(LONGEST)
        self.texts[str(path)] = text
        return text

    def glob(self, folder: Path, pattern: str) -> Sequence[Path]:
        """The files that *pattern* names in *folder*, sorted; raises OSError or ValueError."""
        paths = _glob(folder, pattern)
        self.found[str(folder), pattern] = [str(path) for path in paths]
        return paths

    def seen(self) -> Signature:
        """Which files they were, when they were read."""
        globs = ((f"{folder}\0{pattern}", tuple(paths)) for (folder, pattern), paths in self.found.items())
        return (*self._seen.items(), *globs)

    def now(self) -> Signature:
        """Which files they are now; equal to `seen` while nothing has changed.

        Links are followed: a mounted ConfigMap changes by another folder behind a link, and no file in it ever does.
        """
        globs = (
            (f"{folder}\0{pattern}", tuple(map(str, _glob_now(Path(folder), pattern))))
            for folder, pattern in self.found
        )
        return (*((path, _stamp(Path(path))) for path in self._seen), *globs)


@dataclass(frozen=True, slots=True)
class Kept:
    """Files as they were once, all by their absolute paths: the next start may be in another folder."""

    texts: Mapping[str, bytes]
    found: Mapping[tuple[str, str], Sequence[str]]

    def read(self, path: Path) -> bytes:
        """What the file held; raises FileNotFoundError."""
        try:
            return self.texts[str(path.absolute())]
        except KeyError:
            raise FileNotFoundError(2, "was not kept", str(path)) from None

    def glob(self, folder: Path, pattern: str) -> Sequence[Path]:
        """The files that *pattern* named in *folder*."""
        return [Path(path) for path in self.found.get((str(folder.absolute()), pattern), ())]


def fingerprint(texts: Mapping[str, bytes]) -> str:
    """What tells these files from any others: the same for the same texts under the same names, on every pod."""
    digest = hashlib.sha256()
    for name in sorted(texts):
        for part in (name.encode(), texts[name]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def packs() -> dict[str, Traversable]:
    """The shipped rule packs by name."""
    inside = resources.files("sidecar") / "_data" / "rules"
    folder: Traversable = inside if inside.is_dir() else Path(__file__).parent.parent.parent / "rules"
    return {item.name.removesuffix(".yml"): item for item in folder.iterdir() if item.name.endswith(".yml")}


def _glob(folder: Path, pattern: str) -> list[Path]:
    """A pattern of nothing but a name finds a file that looks like a pattern, too."""
    if not any(char in pattern for char in "*?["):
        path = folder / pattern
        return [path] if path.exists() else []
    return sorted(folder.glob(pattern))


def _glob_now(folder: Path, pattern: str) -> list[Path]:
    try:
        return _glob(folder, pattern)
    except OSError:  # a folder that cannot be looked into any more is another one than it was
        return []


def hidden(path: Path) -> bool:
    """Whether *path* is not meant to be read: editors and Kubernetes keep such files beside the real ones."""
    return path.name.startswith(".") or fnmatch.fnmatch(path.name, "*~")


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as exc:
        return exc.errno
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
