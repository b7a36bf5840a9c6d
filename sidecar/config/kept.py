"""The last configuration that could be used, kept beside the database for a start with a broken one."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.config.files import Disk, Kept
from sidecar.config.settings import PREFIX
from sidecar.model.errors import SidecarError
from sidecar.yamlfile import load

_VERSION: Final = 1
_DATABASE: Final = re.compile(r"^database:[ \t]*([\"']?)([^\s\"'#$]+)\1[ \t]*(?:#.*)?$", re.MULTILINE)


class NothingKept(SidecarError):  # noqa: N818 -- says what there is
    """There is no configuration to fall back to."""


def place(database: str) -> Path | None:
    """Where the configuration of a daemon with this *database* is kept; None when it has no file."""
    return Path(f"{database}.last-good.json") if database else None


def save(path: Path, disk: Disk) -> None:
    """Keep what *disk* read, as it stands in the files, for nobody else to read; raises OSError.

    Variables and secret files are kept by name, not by value.
    """
    found = [[folder, pattern, paths] for (folder, pattern), paths in disk.found.items()]
    texts = {name: text.decode("utf-8", "replace") for name, text in disk.texts.items()}
    content = json.dumps({"version": _VERSION, "texts": texts, "found": found}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def restore(path: Path) -> Kept:
    """What was kept at *path*; raises NothingKept."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["version"] != _VERSION:
            raise NothingKept(f"{path} is of version {content['version']}, expected {_VERSION}")
        texts = {name: text.encode() for name, text in content["texts"].items()}
        return Kept(texts, {(folder, pattern): paths for folder, pattern, paths in content["found"]})
    except OSError as exc:
        raise NothingKept(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NothingKept(f"{path} is not what was kept: {type(exc).__name__}") from exc


def database_of(path: Path, flags: Mapping[str, Any]) -> str:
    """The database that the configuration at *path* names, even if the rest of it is broken; empty when it is not told.

    Flags and the environment say it as always. A file that is no YAML any more may still have the line.
    """
    said = flags.get("database") or os.environ.get(f"{PREFIX}DATABASE")
    if said:
        return str(said)
    try:
        text = path.read_bytes()
        value = load(text, str(path)).value
        found = value.get("database") if isinstance(value, dict) else None
    except OSError:
        return ""
    except SidecarError:
        line = _DATABASE.search(text.decode("utf-8", "replace"))
        found = line[2] if line else None
    return os.path.expandvars(found) if isinstance(found, str) else ""
