"""The demo's load, for as long as one likes: a simulated Claude, a gateway with users, and the shipped rules."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import yaml

from sidecar.cli.demo import configuration
from sidecar.cli.demo.gateway import Gateway, Users
from sidecar.cli.demo.receivers import Addresses
from sidecar.simulator import Simulator, application
from tests.integration.harness import serve

KEY = "sk-ant-demo"


@asynccontextmanager
async def running(hook: str) -> AsyncIterator[dict[str, Any]]:
    """Everything but the daemon; yields the daemon's configuration, all of whose messages go to *hook*."""
    os.environ["DEMO_KEY"] = KEY
    async with AsyncExitStack() as stack:
        claude = await stack.enter_async_context(serve(application(Simulator())))
        gateway = await stack.enter_async_context(serve(Gateway(claude).application()))
        await stack.enter_async_context(Users(gateway, KEY, configuration.MODEL).at_work())
        places = configuration.Places(claude, gateway, Addresses(hook, hook, 25), "127.0.0.1:0")
        yield yaml.safe_load(configuration.text(places))
