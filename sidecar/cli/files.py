"""Reading a configuration for a command."""

from pathlib import Path

from sidecar import config
from sidecar.cli import progress
from sidecar.config import Config


def read(file: Path) -> Config:
    """The configuration in *file*; a large one may take a while. Raises ConfigError."""
    with progress.waiting(f"reading {file}"):
        return config.read(file)
