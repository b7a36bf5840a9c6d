"""`include:` — the rest of a configuration, in files of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sidecar.config.files import Files, hidden
from sidecar.model.errors import ConfigError, Mistake
from sidecar.yamlfile import Document, join, load, merge

_ENDINGS = ("*.yml", "*.yaml")


def whole(document: Document, folder: Path, files: Files) -> Document:
    """*document* and what its `include` names, as one; relative paths begin in *folder*.

    Each name is a folder, whose `*.yml` and `*.yaml` are meant, or the path or pattern of files. Raises ConfigError.
    """
    names = document.value.get("include")
    if names is None:
        return document
    mistakes: list[Mistake] = []
    documents = [document]
    seen = {Path(document.file)}  # `*.yml` means the others
    for path, name in _names(names):
        problem = f"which names no file in {folder}"
        try:
            found = _paths(name, folder, files) if isinstance(name, str) and name else []
        except (OSError, ValueError) as exc:
            found, problem = [], f"which cannot be looked for: {getattr(exc, 'strerror', None) or exc}"
        if not found:
            expected = "expected a folder with *.yml files, or the path or pattern of files"
            mistakes.append(document.mistake(path, f"got {_shown(name)}, {problem}: {expected}"))
        for file in found:
            if file in seen:
                continue
            seen.add(file)
            try:
                documents += _read(file, files)
            except ConfigError as exc:
                mistakes += exc.mistakes
    if mistakes:
        raise ConfigError(*mistakes)
    return merge(documents)


def _names(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        yield from ((join("include", index), name) for index, name in enumerate(value))
    else:
        yield "include", value


def _shown(name: Any) -> str:
    text = repr(name)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _paths(name: str, folder: Path, files: Files) -> list[Path]:
    given = Path(name)
    place, inside = (Path(given.anchor), given.relative_to(given.anchor)) if given.anchor else (folder, given)
    found: list[Path] = []
    for path in files.glob(place, str(inside)) if inside.parts else [place]:
        within = sorted(inner for ending in _ENDINGS for inner in files.glob(path, ending))
        found += within or [path]
    return [path for path in found if not hidden(path)]


def _read(path: Path, files: Files) -> list[Document]:
    """The file's document; none of an empty one, as templates leave it, nor of an empty folder."""
    if _is_empty(path, files):
        return []
    try:
        text = files.read(path)
    except IsADirectoryError as exc:
        said = "holds other files, but no *.yml and no *.yaml; `include` names it"
        raise ConfigError(Mistake(str(path), 0, "", said)) from exc
    except OSError as exc:
        raise ConfigError(Mistake(str(path), 0, "", f"cannot be read: {exc.strerror}; `include` names it")) from exc
    document = load(text, str(path))
    if document.value is None:
        return []
    if not isinstance(document.value, dict):
        raise ConfigError(Mistake(str(path), 1, "", "holds no keys, expected some such as `checks:`"))
    if "include" in document.value:
        raise ConfigError(document.mistake("include", "stands in a file that is included; only the first may include"))
    return [document]


def _is_empty(path: Path, files: Files) -> bool:
    """Whether it is a folder into which nobody has put anything yet; only folders have a parent inside."""
    return bool(files.glob(path, "..")) and all(map(hidden, files.glob(path, "*")))
