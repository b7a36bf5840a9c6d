"""What the workers of one run share: the compiling of the tests, half of a collection; and the machine."""

import contextlib
import importlib
import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def keep_bytecode() -> None:
    """Write what is compiled beside its source, whatever the environment says: many processes import it."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def bridle_programs() -> None:
    """Programs in Go take one core and collect their garbage seldom: they live for a second, and share with others."""
    os.environ.setdefault("GOMAXPROCS", "1")
    os.environ.setdefault("GOGC", "400")


def import_a_share(config: pytest.Config) -> None:
    """Import this worker's part of all test modules, so that each is compiled once and not once per worker.

    All workers collect everything, in the same order and at the same time; without this they would all compile it.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if not worker or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    for path in sorted(TESTS.rglob("test_*.py"))[int(worker) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]:
        if "node_modules" not in path.parts:
            # What goes wrong is raised again where it is reported: by the collection.
            with contextlib.suppress(Exception, pytest.skip.Exception, pytest.fail.Exception):
                importlib.import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))
