"""Whether we are cut off ourselves."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from sidecar.clock import SystemClock
from sidecar.model.samples import Batch
from sidecar.services.connectivity import Connectivity, ConnectivitySettings, reach


@dataclass
class Network:
    """Addresses that answer, or do not, or hang."""

    down: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    asked: list[float] = field(default_factory=list)
    said: list[bool] = field(default_factory=list)
    emitted: list[Batch] = field(default_factory=list)

    async def reach(self, host: str, _: int) -> None:
        self.asked.append(asyncio.get_running_loop().time())
        if host in self.hanging:
            await asyncio.sleep(3600)
        if host in self.down:
            raise ConnectionRefusedError

    def watch(self, *addresses: str) -> Connectivity:
        clock = SystemClock(monotonic=asyncio.get_running_loop().time)
        settings = ConnectivitySettings(addresses=addresses)
        return Connectivity(settings, clock, emit=self.emitted.append, changed=self.said.append, reach=self.reach)

    def last(self) -> list[float]:
        return [update.value for update in self.emitted[-1].updates]


async def test_one_address_that_answers_is_enough() -> None:
    """We are cut off only when nothing answers, a hanging address included."""
    network = Network(down={"a"}, hanging={"b"})
    watch = network.watch("a:1", "b:1", "c:1")
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(5)
    assert (watch.offline, network.last()) == (False, [1.0])

    network.down.add("c")
    await asyncio.sleep(15)
    assert (watch.offline, network.last(), network.said) == (True, [0.0], [True])

    network.down.clear()
    await asyncio.sleep(15)
    assert (watch.offline, network.said) == (False, [True, False])
    task.cancel()


async def test_whoever_fails_has_it_looked_at_at_once() -> None:
    """A failed probe does not wait for the next look, and a hundred of them make one."""
    network = Network()
    watch = network.watch("a:1")
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(5)
    network.down.add("a")

    assert [watch.suspect() for _ in range(100)] == [False] * 100
    await asyncio.sleep(0.1)

    assert watch.suspect()
    assert network.asked == [0.0, 5.0]
    task.cancel()


async def test_nothing_is_judged_without_addresses() -> None:
    """Who does not configure it is never offline, and has no metric that says so."""
    network = Network()
    watch = network.watch()
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(60)

    assert (watch.suspect(), network.last(), network.asked) == (False, [], [])
    task.cancel()


async def test_other_addresses_are_looked_at_at_once() -> None:
    """A reload takes effect at once."""
    network = Network(down={"a"})
    watch = network.watch("a:1")
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(1)
    assert network.said == [True]

    watch.replace(ConnectivitySettings(addresses=("b:1",)))
    await asyncio.sleep(0.1)

    assert network.said == [True, False]
    task.cancel()


@pytest.mark.parametrize("address", ["a", "a:", ":1", "a:b", "a:0", "a:70000"])
def test_an_address_has_a_host_and_a_port(address: str) -> None:
    """What is no address is refused with an example of one."""
    with pytest.raises(ValidationError, match=r"such as 1\.1\.1\.1:443"):
        ConnectivitySettings(addresses=(address,))


@pytest.mark.realtime
async def test_a_real_connection() -> None:
    """A listening port is reached, a closed one is not."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await reach("127.0.0.1", port)
    server.close()
    await server.wait_closed()

    with pytest.raises(OSError, match=r"refused|Connect"):
        await reach("127.0.0.1", port)
