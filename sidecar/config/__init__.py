"""The configuration: what is in the files, the environment and the flags, checked all at once."""

from sidecar.config.files import Disk, Files, packs
from sidecar.config.reading import RESERVED_LABELS, Config, parse, read
from sidecar.config.settings import HttpSettings, LogSettings, RulesEntry, Settings

__all__ = [
    "RESERVED_LABELS",
    "Config",
    "Disk",
    "Files",
    "HttpSettings",
    "LogSettings",
    "RulesEntry",
    "Settings",
    "packs",
    "parse",
    "read",
]
