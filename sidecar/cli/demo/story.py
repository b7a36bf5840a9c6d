"""The demo's minute, from beginning to end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from sidecar.cli import progress
from sidecar.cli.demo import configuration
from sidecar.cli.demo.daemon import Daemon, free_port, run_daemon
from sidecar.cli.demo.gateway import Gateway, Users
from sidecar.cli.demo.ledger import Ledger
from sidecar.cli.demo.narrator import Narrator
from sidecar.cli.demo.reading import Seen
from sidecar.cli.demo.receivers import receivers
from sidecar.cli.demo.scenarios import Act, Scenario
from sidecar.cli.tables import Column
from sidecar.model import durations
from sidecar.simulator import KEY, Latency, Simulator, application, serve

_GRACE: Final = 25.0  # seconds beyond the scenario's end that we wait for what is still open
_COLUMNS: Final = (
    Column("alert"),
    Column("severity", keep=10),
    Column("check"),
    Column("told", keep=30, right=True),
    Column("after it broke", keep=70, right=True),
    Column("closed", keep=30, right=True),
    Column("because", keep=40),
    Column("open for", keep=60, right=True),
)
_REPORT: Final = 6.0  # seconds between two lines about the users


@dataclass(frozen=True, slots=True)
class _World:
    """Everything that runs."""

    simulator: Simulator
    gateway: Gateway
    users: Users
    daemon: Daemon
    session: aiohttp.ClientSession
    places: configuration.Places


class Story:
    """One telling of *scenario*; `tell` may be cancelled at any time and leaves nothing running."""

    def __init__(self, scenario: Scenario, narrator: Narrator, folder: Path) -> None:
        self._scenario, self._narrator, self._folder = scenario, narrator, folder
        self.ledger = Ledger()

    async def tell(self, stay: float | None) -> bool:
        """Tell it, then stay up until *stay* seconds of it are over; returns whether all went as it should."""
        narrator, scenario = self._narrator, self._scenario
        narrator.heading(f"claude-sidecar demo: {scenario.name}")
        narrator.say(
            f"{scenario.title[0].upper()}{scenario.title[1:]}. "
            "No key, no network: a simulated Claude API, a toy gateway with three users, a Slack, a mailbox and a "
            "webhook receiver, all on this machine, and beside the gateway the real daemon as a process of its own."
        )
        async with self._world() as world:
            narrator.heading("Where to look")
            narrator.addresses(_addresses(world))
            narrator.begin()
            try:
                async with asyncio.TaskGroup() as group:
                    await self._live(world, group, stay)
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None  # the daemon's last words are said once, without our own trace
        return self._as_it_should()

    async def _live(self, world: _World, group: asyncio.TaskGroup, stay: float | None) -> None:
        """The story itself, watched."""
        narrator = self._narrator
        watching = group.create_task(world.daemon.watch(world.session, self._check_changed))
        reporting = group.create_task(self._report(world.users))
        await self._perform(world)
        self._summary()
        if stay is not None and stay > narrator.now:
            narrator.heading(f"Staying up until {durations.show(stay)} are over; Ctrl-C ends it")
            await asyncio.sleep(stay - narrator.now)
        watching.cancel()
        reporting.cancel()

    @asynccontextmanager
    async def _world(self) -> AsyncIterator[_World]:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            simulator = Simulator(latency=Latency(first_token=0.25, tokens_per_second=120.0), control=True)
            claude = await enter(serve(application(simulator)))
            gateway = Gateway(claude)
            gateway_url = await enter(serve(gateway.application()))
            taken = await enter(receivers(self._hear))
            places = configuration.Places(claude, gateway_url, taken, f"127.0.0.1:{free_port()}")
            file = self._folder / "sidecar.yml"
            text = configuration.text(places)
            file.write_text(text, "utf-8")
            self._narrator.heading("The configuration: shipped rule packs, and what is different here")
            self._narrator.lines(text.splitlines())
            session = await enter(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)))
            users = Users(gateway_url, KEY, configuration.MODEL)
            await enter(users.at_work())
            daemon = await enter(run_daemon(file, f"http://{places.listen}", {"DEMO_KEY": KEY}))
            with progress.waiting("starting the daemon"):
                await daemon.ready(session)
            yield _World(simulator, gateway, users, daemon, session, places)

    async def _perform(self, world: _World) -> None:
        """The acts in their order, then the wait for what is still open."""
        for act in self._scenario.acts:
            await self._until(act.at)
            self._narrator.heading(act.title)
            self._narrator.say(act.text)
            self._apply(act, world)
        await self._until(self._scenario.end)
        if self._scenario.closes:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await self.ledger.closed()

    def _apply(self, act: Act, world: _World) -> None:
        world.simulator.faults = act.faults
        world.gateway.down = act.gateway_down
        self.ledger.trouble(self._narrator.now if act.is_trouble else None)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._narrator.now))

    def _hear(self, seen: Seen) -> None:
        whole = self.ledger.is_new(seen)
        self.ledger.hear(seen, self._narrator.now)
        self._narrator.message(seen, whole=whole)

    def _check_changed(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        was, now = old.get("state", "unknown"), new["state"]
        reason = f" – {new['error_type']}: {new['message']}" if now == "down" else ""
        self._narrator.event("sidecar", f"check {new['name']}: {was} → {now}{reason}", good=now == "up")

    async def _report(self, users: Users) -> None:
        while True:
            await asyncio.sleep(_REPORT)
            window = users.report()
            self._narrator.event("users", window.words, good=not window.failed)

    def _summary(self) -> None:
        narrator, ledger = self._narrator, self.ledger
        narrator.heading("What happened")
        if not ledger.incidents:
            narrator.say("Nobody was told anything" + (", as it should be." if not self._scenario.pages else "."))
        else:
            narrator.table(
                _COLUMNS,
                [
                    (
                        i.name,
                        i.severity,
                        i.check,
                        f"{i.told_at:.1f} s",
                        "" if i.after is None else f"{i.after:.1f} s",
                        "still open" if i.closed_at is None else f"{i.closed_at:.1f} s",
                        i.end,
                        "" if i.closed_at is None else f"{i.closed_at - i.told_at:.0f} s",
                    )
                    for i in ledger.incidents
                ],
            )
            counts = "; ".join(f"{name} {o} and {c}" for name, (o, c) in ledger.counts.items())
            narrator.say(f"Messages that opened and that closed something: {counts}.")
        narrator.heading("In real life")
        narrator.say(configuration.REAL_LIFE)
        narrator.heading("Try next")
        narrator.addresses(configuration.next_steps())

    def _as_it_should(self) -> bool:
        told = bool(self.ledger.incidents)
        closed = not self.ledger.still_open or not self._scenario.closes
        if told == self._scenario.pages and closed:
            return True
        expected = "people to be told" if self._scenario.pages else "nobody to be told"
        self._narrator.say(
            f"This is not how it should go: got {len(self.ledger.incidents)} alerts, {self.ledger.still_open} still "
            f"open; expected {expected} and everything closed."
        )
        return False


def _addresses(world: _World) -> list[tuple[str, str]]:
    daemon, places = world.daemon.url, world.places
    return [
        ("status page", f"{daemon}/"),
        ("in another terminal", f"{configuration.command()} status --watch --url {daemon}"),
        ("metrics", f"{daemon}/metrics"),
        ("health, each check", f"{daemon}/health"),
        ("the gateway's own health", f"{places.gateway}/health"),
        (
            "break it yourself",
            f'curl -X PUT {places.claude}/simulator/faults -d \'{{"faults": ["overloaded@0s-20s"]}}\'',
        ),
    ]
