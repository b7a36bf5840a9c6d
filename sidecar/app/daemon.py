"""One daemon: its parts, and what they tell each other."""

import asyncio
import random
import socket
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog
from aiohttp import web

from sidecar.alerts.book import AlertBook
from sidecar.alerts.facts import NOT_MUTED, Circumstances, Mute, Mutes, Policy
from sidecar.alerts.quieting import Quieting
from sidecar.alerts.record import Record
from sidecar.api import health
from sidecar.api.evaluations import Evaluations
from sidecar.api.exposition import Live
from sidecar.api.turns import Turns
from sidecar.app import serving
from sidecar.app.itself import Itself
from sidecar.app.knowing import blind, gone, joined, names, relabelled, sources_of, surroundings
from sidecar.app.listening import listening
from sidecar.app.reloading import Origin, Reloader
from sidecar.app.sending import Sending, unsent
from sidecar.app.telemetry import Telemetry
from sidecar.clock import SLEW_LIMIT, SystemClock
from sidecar.config import Config
from sidecar.db import Database, alerts, meta, quieting, records, state, uptime
from sidecar.db import heartbeats as table
from sidecar.model.alerts import Alert, EndReason, RuleKey
from sidecar.model.families import ALERTS, HEALTH_STATUS
from sidecar.model.labels import Labels
from sidecar.model.notifications import Blame, Notification
from sidecar.model.samples import Batch
from sidecar.outbound import Outbound
from sidecar.rules.compiled import Alerting, Recording
from sidecar.rules.engine import Engine, Result
from sidecar.services import probing
from sidecar.services.connectivity import Connectivity, Reach, reach
from sidecar.services.culprits import Culprits
from sidecar.services.delivery import REPORT, Delivery, delivery_of
from sidecar.services.details import Details
from sidecar.services.dispatcher import Dispatcher
from sidecar.services.evaluator import Evaluator
from sidecar.services.events import Events
from sidecar.services.evidence import advice, evidence
from sidecar.services.heartbeats import Heartbeats
from sidecar.services.prober import TURN, Prober
from sidecar.services.quieting import Quieter
from sidecar.services.start import Start
from sidecar.services.uptime import Uptimes
from sidecar.services.web import Web
from sidecar.store import Store
from sidecar.telemetry.process import ProcessReader

log = structlog.get_logger(__name__)

_LOOK = 5.0  # seconds after which what is muted because we are cut off is looked at again
_MOST_NAMES = 20_000  # of a check's metrics that are remembered; what is scraped may have others each time


class App:
    """One daemon with one configuration."""

    def __init__(
        self,
        config: Config,
        clock: SystemClock,
        outbound: Outbound,
        database: Database,
        saved: state.State,
        *,
        origin: Origin | None = None,
        reach: Reach = reach,
        dry: bool = False,
    ) -> None:
        config = unsent(config) if dry else config
        settings, now = config.settings, clock.time()
        self.config = config
        self.clock = clock
        self.database = database
        self._outbound = outbound
        self._dry = dry
        self._pod = settings.pod or socket.gethostname()
        self.reloader = Reloader(config, origin, clock, self.apply, keeps=not dry)
        self.store = Store(tick=settings.tick, retention=max(3900.0, config.rules.reach + 300.0))
        self.events = Events(settings.events, clock, self.store, self._recorded)
        self.turns = Turns(clock.monotonic)
        self.evaluations = Evaluations()
        self.connectivity = Connectivity(
            settings.connectivity, clock, emit=self.store.append, changed=self._cut_off, reach=reach
        )
        self.heartbeats = Heartbeats(
            config.checks,
            clock,
            database,
            run_now=lambda name: self.prober.run_now(name),  # noqa: PLW0108 -- the prober comes after
            remembered=saved.heartbeats,
            away_since=saved.saved_at,
        )
        self.uptimes = Uptimes(
            config.checks,
            clock,
            database,
            emit=self.store.append,
            remembered=saved.uptime,
        )
        self.prober = Prober(
            config.checks,
            clock,
            outbound,
            emit=self._probed,
            lapse=self.store.end_gauges,
            on_change=self._changed,
            turned=self.turns.expect("prober", TURN),
            pod=self._pod,
            timezone=settings.timezone,
            heard=self.heartbeats.heard,
            learned=self.uptimes.learn,
            offline=self.connectivity.suspect,
        )
        self.engine = Engine(config.rules, now, surroundings(config))
        self.book = AlertBook(saved.alerts, saved.records)
        set_back = self._take_up(saved, now)
        groups = [group.name for group in config.rules.groups]
        self.start = Start(now, saved.saved_at, config.checks, groups, self.prober.states)
        self.delivery = Delivery(
            database,
            {channel.name: channel for channel in config.channels},
            Sending.under(config, clock, outbound),
            clock,
            emit=self.store.append,
            chance=random.random,
            on_dead=self._dead,
            turned=self.turns.expect("delivery", REPORT),
        )
        self.quieter = Quieter(Quieting(saved.silences, saved.acks), self.book, database, clock, self._wake)
        details = Details(self.engine, self.store, self.blame_of)
        self._culprits = Culprits()
        self.dispatcher = Dispatcher(
            database, self.book, self._circumstances(), self.start, self.delivery.wake, details=details
        )
        if set_back:
            self.dispatcher.step(set_back)
            self.quieter.step(set_back)
        self.evaluator = Evaluator(
            self.engine,
            self.store,
            clock,
            tick=settings.tick,
            collect=self._collect,
            announce=self.dispatcher.announce,
            ready=self._ready,
            blind=self._blind,
            stepped=self._stepped,
            turned=self.turns.expect("evaluator", settings.tick),
            evaluated=self.evaluations.note,
        )
        self._telemetry = Telemetry(settings, clock, outbound, live=self.live, pod=self._pod, dry=dry)
        self._web: Web | None = None  # while it listens
        self._process = ProcessReader()
        self._itself = Itself()
        self._names: dict[str, frozenset[str]] = {}  # of each check's series, for the groups that read them
        self._began_deciding = False
        for check in config.checks:
            self.store.begin(probing.source(check), now)
        database.rebuild = self._remember

    def _take_up(self, saved: state.State, now: float) -> float:
        """Go on with the alerts of the daemon before us; by how much the clock was set back meanwhile, or 0."""
        downtime = now - saved.saved_at if saved.saved_at is not None else 0.0
        orphans = self.engine.restore(saved.alerts, max(0.0, downtime), now, self._gone)
        set_back = downtime if downtime < -SLEW_LIMIT else 0.0  # while nobody looked
        if set_back:
            self.engine.restart(now, set_back)
        for channel, at in saved.put:
            if at <= now:  # else the clock was set back, and nobody knows
                self.book.allowance.put([channel], at)
        self.book.update((*self.engine.alerts, *orphans), now)
        self.book.update((), now, {alert.rule for alert in orphans})  # nobody else will ever let go of them
        return set_back

    def _circumstances(self) -> Circumstances:
        policies = {
            rule.key: Policy(rule.spec.channels, rule.spec.cooldown, rule.spec.repeat)
            for rule in self.config.rules.alerting
        }
        channels = {channel.name: channel for channel in self.config.channels}
        mutes = partial(self._mutes, self.config.rules.by_key)
        return Circumstances(channels, policies, mutes, self.quieter.state.acked, self.evidence_of, self.advice_of)

    def _mutes(self, rules: Mapping[RuleKey, Alerting], alert: Alert, channel: str, now: float) -> Mutes:
        rule = rules.get(alert.rule)
        unseen = rule is not None and self._blind(rule, alert.labels)
        away = Mutes(frozenset({Mute.OFFLINE}), now + _LOOK) if unseen else NOT_MUTED
        return away | self.start.mutes(alert, channel, now) | self.quieter.state.mutes(alert, channel, now)

    def evidence_of(self, alert: Alert) -> str:
        """What the check that *alert* names said last, when it failed."""
        name = alert.labels.text("check")
        check = next((check for check in self.config.checks if check.name == name), None)
        return evidence(alert, check, self.prober.states()[name]) if check else ""

    def blame_of(self, alert: Alert) -> Blame | None:
        """Whose fault it is that the check fails of which *alert* tells, where the checks know it together."""
        rule = self.config.rules.by_key.get(alert.rule)
        return self._culprits.of(alert, rule, self.config.checks, self.prober.states())

    def advice_of(self, alert: Alert) -> str:
        """What to do about the failed probe that speaks for *alert*, as the probe itself knows it."""
        return advice(alert, self.config.checks, self.prober.states())

    async def run(self, *, listen: bool = True) -> None:
        """Watch and tell until cancelled; then finish what is under way, within seconds."""
        log.info(
            "daemon.started",
            version=version("claude-sidecar"),
            checks=len(self.config.checks),
            rules=sum(len(group.rules) for group in self.config.rules.groups),
            channels=len(self.config.channels),
            database=self.config.settings.database or "memory",
        )
        self.turns.loaded()
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self._telemetry.running())
                if listen:
                    self._web = await stack.enter_async_context(listening(self.config.settings, self.routes))
                await self._serve()
        except asyncio.CancelledError:  # asked to end; whatever else ends us is a crash
            await self.database.run(meta.stopped, self.clock.time())
            raise

    async def _serve(self) -> None:
        try:
            async with asyncio.TaskGroup() as services:
                for name, service in (
                    ("prober", self.prober.run()),
                    ("evaluator", self.evaluator.run()),
                    ("delivery", self.delivery.run()),
                    ("connectivity", self.connectivity.run()),
                    ("heartbeats", self.heartbeats.run()),
                    ("uptimes", self.uptimes.run()),
                    ("housekeeping", self._keep_house()),
                    ("reloader", self.reloader.watch(self._look)),
                ):
                    services.create_task(service, name=name)
        finally:
            self.turns.stopping()
            log.info("daemon.stopping")

    def routes(self, bound: Callable[[], bool]) -> list[web.AbstractRouteDef]:
        """Everything that is served; *bound* says whether the listeners are."""
        return serving.routes(self, lambda: self.turns.ready(listening=bound()), self.turns.alive)

    # Another configuration.

    async def apply(self, config: Config) -> None:
        """Go on with *config*; returns when it is in use and what it ended is told."""
        config = unsent(config) if self._dry else config
        await self.evaluator.between(partial(self._swap, config))

    def _swap(self, config: Config, now: float) -> list[Result]:
        """Make it so, between two turns and in one piece: nobody sees half of it."""
        before, old, self.config = self.config, self._labels(), config
        new = self._labels()
        self.heartbeats.replace(config.checks)
        self.uptimes.replace(config.checks)
        replaced = self.prober.replace(config.checks, timezone=config.settings.timezone)
        for name in (*replaced.gone, *replaced.relabelled):
            self.store.end(f"check:{name}", now)
            self._names.pop(f"check:{name}", None)
        for name in (*replaced.added, *replaced.relabelled):
            self.store.begin(f"check:{name}", now)
        gone_rules = {rule.key for rule in before.rules.alerting} - {rule.key for rule in config.rules.alerting}
        for source in sources_of(before.rules) - sources_of(config.rules):
            self.store.end(source, now)
        for name in {one.name for one in before.channels} - {one.name for one in config.channels}:
            self.store.end(delivery_of(name), now)
        self.engine.around = surroundings(config)
        results = [
            *self.engine.replace(config.rules, now, self.book.told),
            *self.engine.forget(now, lambda labels: labels.text("check") not in new and self._gone(labels)),
            *self.engine.forget(now, lambda labels: relabelled(labels, old, new), EndReason.REPLACED),
        ]
        self.store.retain(config.rules.reach + 300.0)
        self.evaluations.keep(group.name for group in config.rules.groups)
        self.start.replace(config.checks, [group.name for group in config.rules.groups], now)
        self.delivery.replace(
            {channel.name: channel for channel in config.channels}, Sending.under(config, self.clock, self._outbound)
        )
        self.dispatcher.replace(self._circumstances(), gone_rules)
        self.connectivity.replace(config.settings.connectivity)
        self._telemetry.replace(config.settings)
        self.events.replace(config.settings.events)
        return joined(results)

    def _look(self) -> float | None:
        reload = self.config.settings.reload
        return reload.every if reload.watch else None

    # What services tell each other.

    def _probed(self, batch: Batch) -> None:
        # What a batch does not name any more has ended with it, which is a change, too.
        before = self._names.get(batch.source, frozenset())
        self._names[batch.source] = (before if len(before) <= _MOST_NAMES else frozenset()).union(names(batch))
        self.store.append(batch)

    def _changed(self, check: str, at: float, changed: bool) -> None:
        if changed:
            self.store.append(health.batch(self.health()))  # what is said of all follows at once, too
            self.evaluator.changed({HEALTH_STATUS.name, *self._names.get(f"check:{check}", ())}, at)
        if not self._began_deciding and self.start.decided(at):
            self._began_deciding = True
            self.evaluator.everything(at)

    def _dead(self, notification: Notification, /, *, maybe: bool) -> tuple[Record, ...]:
        changed = self.book.on_dead(notification, maybe=maybe)
        if changed:
            self.evaluator.wake()
        return changed

    def _cut_off(self, offline: bool) -> None:
        """We found the network again: what was kept meanwhile is not judged before windows are full again."""
        if not offline:
            self.engine.restart(self.clock.time())
            self.start.again(self.clock.time())

    def _wake(self) -> None:
        self.evaluator.wake()

    def _blind(self, rule: Alerting, labels: Labels) -> bool:
        return blind(rule, labels, self.config.rules.groups, self.prober.states(), self._names)

    def _ready(self, labels: Labels) -> bool:
        return self.start.known(labels.text("check"), self.clock.time())

    def _gone(self, labels: Labels) -> bool:
        return gone(labels, self._labels().values())

    def _labels(self) -> dict[str, Labels]:
        """What the series of each check carry, by its name."""
        return {check.name: probing.labels(check, self._pod) for check in self.config.checks}

    def _remember(self, connection: sqlite3.Connection) -> None:
        """Write down what a file that cannot be read any more held."""
        alerts.save(connection, self.book.alerts())
        records.save(connection, self.book.records())
        table.save(connection, self.heartbeats.rows())
        uptime.save(connection, self.uptimes.rows())
        quieting.save(connection, self.quieter.state)

    def _stepped(self, seconds: float, now: float) -> None:
        self.heartbeats.step(seconds, now)
        self.uptimes.step(seconds, now)
        self.prober.rebase()
        self.start.step(seconds)
        if seconds < 0:
            self.dispatcher.step(seconds)
            self.quieter.step(seconds)
            log.warning("state.moved", seconds=round(seconds, 3), now=now)

    # What the daemon knows of itself.

    def health(self) -> health.Health:
        """Overall health now."""
        states = self.prober.states()
        views = [
            health.CheckView(check.name, check.type, check.target, check.critical, states[check.name])
            for check in self.config.checks
        ]
        return health.health(views, self.clock.time())

    def live(self) -> Live:
        """Current values; `ALERTS` alone stays out, so that nobody who scrapes us alerts on our alerts."""
        return [(family, children) for family, children in self.store.live() if family.name != ALERTS.name]

    def _collect(self, now: float) -> None:
        """Hand in what is known of the daemon itself, before each tick."""
        self.store.append(health.batch(self.health()))
        facts = self._itself.facts(self.reloader.facts(), self.book.alerts(), writable=self.database.writable)
        for source, updates in (
            ("process", self._process.updates()),
            ("store", self.store.report()),
            ("prober", self.prober.report()),
            ("ingest", self.events.updates(now)),
            ("database", self.database.updates()),
            ("telemetry", self._telemetry.updates()),
            ("web", self._web.updates() if self._web else ()),
            ("daemon", tuple(facts)),
        ):
            self.store.append(Batch(source, now, updates, write=False))

    def _recorded(self) -> set[str]:
        """The names that rules write."""
        return {rule.name for rule in self.config.rules.rules if isinstance(rule, Recording)}

    async def _keep_house(self) -> None:
        """Say in the database that we live, so that a start knows how long we did not."""
        while True:
            await self.database.run(meta.alive, self.clock.time())
            await self.quieter.tend()
            await asyncio.sleep(self.config.settings.tick)
