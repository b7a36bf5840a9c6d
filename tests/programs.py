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
    if path is not None:
        return path
    _missing(name, f"no program {name!r} on the PATH")


def module(name: str) -> Path:
    """The folder of the module *name* of Node; without it the same, as SIDECAR_REQUIRE names `node`."""
    path = NODE / "node_modules" / name
    if path.is_dir():
        return path
    _missing("node", f"no module {name!r} in tests/node, where `make test` puts it if there is npm")


def _missing(required: str, what: str) -> NoReturn:
    if required in re.split(r"[,\s]+", os.environ.get("SIDECAR_REQUIRE", "")):
        pytest.fail(f"found {what}, and SIDECAR_REQUIRE names {required!r}", pytrace=False)
    pytest.skip(f"found {what}")
