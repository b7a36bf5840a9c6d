"""Every async test runs in virtual time, unless it is marked `realtime`."""

import asyncio
import gc
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from hypothesis import settings

from sidecar.clock import Clock, SystemClock
from sidecar.secrets import redaction
from sidecar.testing import VirtualTimeLoop, Wire
from tests import sharing

sharing.keep_bytecode()
sharing.bridle_programs()

# A busy machine is not a bug: examples have no deadline, the test as a whole has pytest's. Each run tries other ones.
settings.register_profile("sidecar", deadline=None, max_examples=30)
settings.load_profile("sidecar")

PATIENCE = 45.0
"""Real seconds for one test in virtual time; less than pytest-timeout's, whose exception a background task may eat."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """The workers share the compiling."""
    sharing.import_a_share(session.config)


def pytest_collection_finish() -> None:
    """What the collection made lives until the end: no garbage collection needs to look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def secrets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test calls a secret is an ordinary word in the next; what its module's daemon holds stays one."""
    own = redaction.Registry()
    for value in redaction._registry.all():
        own.hold(value)
    monkeypatch.setattr(redaction, "_registry", own)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The event loop of an async test and of its async fixtures."""
    if request.node.get_closest_marker("realtime"):
        return "asyncio", {}
    return "asyncio", {"loop_factory": partial(VirtualTimeLoop, patience=PATIENCE)}


@pytest.fixture
async def clock() -> Clock:
    """The daemon's clock on the test's own loop; in virtual time it begins at `sidecar.testing.START`."""
    return SystemClock(monotonic=asyncio.get_running_loop().time)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A network in memory: `wire.serve(host, app)`, then `Outbound(connector=wire.connector)`."""
    wire = Wire()
    yield wire
    await wire.close()
