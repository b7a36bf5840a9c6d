"""The demo's load, for as long as one likes: a simulated Claude, a gateway with users, people to tell, its incident."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import yaml

from sidecar.cli.demo import configuration
from sidecar.cli.demo.gateway import Gateway, Users
from sidecar.cli.demo.receivers import receivers
from sidecar.cli.demo.scenarios import SCENARIOS, Scenario
from sidecar.simulator import KEY, Simulator, application, serve

ENVIRONMENT = {"DEMO_KEY": KEY}
"""What the daemon needs to find."""


@asynccontextmanager
async def running() -> AsyncIterator[dict[str, Any]]:
    """Everything but the daemon; yields its configuration."""
    async with AsyncExitStack() as stack:
        simulator = Simulator()
        claude = await stack.enter_async_context(serve(application(simulator)))
        gateway = Gateway(claude)
        url = await stack.enter_async_context(serve(gateway.application()))
        told = await stack.enter_async_context(receivers(lambda _: None))
        await stack.enter_async_context(Users(url, KEY, configuration.MODEL).at_work())
        places = configuration.Places(claude, url, told, "127.0.0.1:0")
        again = asyncio.create_task(_perform(SCENARIOS["incident"], simulator, gateway))
        stack.callback(again.cancel)
        yield yaml.safe_load(configuration.text(places))


async def _perform(scenario: Scenario, simulator: Simulator, gateway: Gateway) -> None:
    """The same minute again and again."""
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        for act in scenario.acts:
            await asyncio.sleep(began + act.at - loop.time())
            simulator.faults, gateway.down = act.faults, act.gateway_down
        await asyncio.sleep(began + scenario.end - loop.time())
