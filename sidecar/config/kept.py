"""The last configuration that could be used, kept beside the database for a start with a broken one."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.config.files import Disk, Kept
from sidecar.config.settings import PREFIX
from sidecar.config.variables import expanded
from sidecar.model.errors import SidecarError
from sidecar.yamlfile import load

_VERSION: Final = 1
_LONGEST: Final = 64 * 1024 * 1024
_BYTES: Final = "surrogateescape"  # a text that is not UTF-8 is kept, too, byte by byte
_DATABASE: Final = re.compile(r"^database:[ \t]*([\"']?)([^\s\"'#]+)\1[ \t]*(?:#.*)?$", re.MULTILINE)


class NothingKept(SidecarError):  # noqa: N818 -- says what there is
    """There is no configuration to fall back to."""


def place(database: str) -> Path | None:
    """Where the configuration of a daemon with this *database* is kept; None when it has no file."""
    return Path(f"{database}.last-good.json") if database else None


def save(path: Path, disk: Disk) -> None:
    """Keep what *disk* read, as it stands in the files, for nobody else to read; raises OSError.

    Variables and secret files are kept by name, not by value.
    """
    found = [
        [str(Path(folder).absolute()), pattern, [str(Path(path).absolute()) for path in paths]]
        for (folder, pattern), paths in disk.found.items()
    ]
    texts = {str(Path(name).absolute()): text.decode("utf-8", _BYTES) for name, text in disk.texts.items()}
    content = json.dumps({"version": _VERSION, "texts": texts, "found": found}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    # Anew, and not through a link: what lies there may be open to others, or be another file.
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def restore(path: Path) -> Kept:
    """What was kept at *path*; raises NothingKept."""
    try:
        content = json.loads(_text(path))
        if content["version"] != _VERSION:
            raise NothingKept(f"{path} is of version {content['version']}, expected {_VERSION}")
        texts = {str(name): text.encode("utf-8", _BYTES) for name, text in content["texts"].items()}
        found = {(str(folder), str(pattern)): list(map(str, paths)) for folder, pattern, paths in content["found"]}
        return Kept(texts, found)
    except OSError as exc:
        raise NothingKept(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise NothingKept(f"{path} is not what was kept: {type(exc).__name__}") from exc


def _text(path: Path) -> bytes:
    if not path.is_file():  # a pipe would be waited for for ever
        raise FileNotFoundError(2, "is no file", str(path))
    with path.open("rb") as stream:
        text = stream.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise NothingKept(f"{path} has more than {_LONGEST} bytes, which was not kept by us")
    return text


def database_of(disk: Disk, flags: Mapping[str, Any]) -> str:
    """The database that the files which *disk* read name, even if they are broken; empty when none is told.

    Flags and the environment say it as always. A file that is no YAML any more may still have the line.
    """
    said = flags.get("database") or os.environ.get(f"{PREFIX}DATABASE")
    if said:
        return str(said)
    named = (_named(text, file) for file, text in disk.texts.items())
    return next((expanded(name) for name in named if name), "")


def _named(text: bytes, file: str) -> str:
    try:
        value = load(text, file).value
        found = value.get("database") if isinstance(value, dict) else None
    except SidecarError:
        line = _DATABASE.search(text.decode("utf-8", "replace"))
        found = line[2] if line else None
    return found if isinstance(found, str) else ""
