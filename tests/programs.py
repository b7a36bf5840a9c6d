"""Other people's programs, as judges and peers of tests."""

import os
import re
import shutil

import pytest


def program(name: str) -> str:
    """The path of the program *name*; without it the test is skipped, or fails when SIDECAR_REQUIRE names it.

    SIDECAR_REQUIRE is a list with commas or spaces: where everything is installed, nothing is skipped unnoticed.
    """
    path = shutil.which(name)
    if path is not None:
        return path
    if name in re.split(r"[,\s]+", os.environ.get("SIDECAR_REQUIRE", "")):
        pytest.fail(f"found no program {name!r} on the PATH, and SIDECAR_REQUIRE names it", pytrace=False)
    pytest.skip(f"the program {name!r} is not installed")
