"""Other people's programs, as judges and peers of tests."""

import os
import re
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

NODE = Path(__file__).parent / "node"


def program(name: str) -> str:
    """The path of the program *name*; without it the test is skipped, or fails when SIDECAR_REQUIRE names it.

    SIDECAR_REQUIRE is a list with commas or spaces: where everything is installed, nothing is skipped unnoticed.
    """
    path = shutil.which(name)
    if path is None:
        _missing(name, f"the program {name!r}", "is not installed")
    return path


def module(name: str) -> Path:
    """The folder of the module *name* of Node; without it the same, as SIDECAR_REQUIRE names `node`."""
    path = NODE / "node_modules" / name
    if not path.is_dir():
        _missing("node", f"the module {name!r}", "is not in tests/node, where `make test` puts it if there is npm")
    return path


def _missing(required: str, what: str, how: str) -> NoReturn:
    if required in re.split(r"[,\s]+", os.environ.get("SIDECAR_REQUIRE", "")):
        pytest.fail(f"{what} {how}, and SIDECAR_REQUIRE names {required!r}", pytrace=False)
    pytest.skip(f"{what} {how}")
