"""Hands what is in the outbox to the channels, each message until it is there or dead."""

import asyncio
from collections.abc import Callable, Iterable, KeysView, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

import structlog

from sidecar.alerts.record import Record
from sidecar.channels import Channel, DeliveryError, SendContext, deliver
from sidecar.clock import Clock
from sidecar.db import Database, outbox, unreadable
from sidecar.model.families import (
    NOTIFICATION_FAILURES,
    NOTIFICATION_LATENCY,
    NOTIFICATIONS,
    OUTBOX_AGE,
    OUTBOX_DEPTH,
    OUTBOX_UNSERVED,
)
from sidecar.model.labels import Labels
from sidecar.model.notifications import Notification, NotifyKind
from sidecar.model.samples import Batch, Emit, Update
from sidecar.secrets import redact
from sidecar.services.pace import Pace
from sidecar.telemetry import tracing

log = structlog.get_logger(__name__)

SOURCE: Final = "delivery"
GRACE: Final = 5.0
"""Seconds that running attempts get to end when the service is stopped."""
LOOK: Final = 60.0
"""Seconds after which a channel looks into the outbox, even if nobody says that something is there."""
REPORT: Final = 15.0
"""Seconds between two looks at how much waits."""
TOO_OLD: Final = "too old"


class Result(StrEnum):
    """What became of a message at last."""

    DELIVERED = "delivered"
    FAILED = "failed"  # an opening or reminder that is not tried any more
    LOST = "lost"  # a resolve that is not: the channel goes on believing that something fires
    UNSERVED = "unserved"  # any that is not, because somebody took its channel out of the configuration


class OnDead(Protocol):
    """Hears that a message is not tried any more; answers with the records that changed by it.

    It is called with the database's lock held, and its answer is written in the same transaction.
    """

    def __call__(self, notification: Notification, /, *, maybe: bool) -> Iterable[Record]: ...


def _no_records(_: Notification, /, *, maybe: bool) -> Iterable[Record]:  # noqa: ARG001 -- as OnDead has it
    return ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt."""

    text: str = ""
    reason: str = ""  # a word for the metric; empty when it was delivered
    retryable: bool = False
    maybe: bool = False
    partly: bool = False
    retry_after: float | None = None


@dataclass(slots=True, eq=False)
class _Worker:
    """What works for one channel, with its back-off and breaker."""

    channel: Channel
    pace: Pace
    predecessor: "asyncio.Task[None] | None" = None  # of the same name, which has to end first
    task: "asyncio.Task[None] | None" = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False

    def stop(self) -> None:
        """End after the attempt that is running."""
        self.stopping = True
        self.wake.set()


class Delivery:
    """Works for *channels* until it is cancelled: one worker each, so that a slow one holds back no other.

    *chance* gives random numbers in [0, 1). *turned* is called every few seconds, for whoever watches over the
    services.
    """

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        ctx: SendContext,
        clock: Clock,
        *,
        emit: Emit,
        chance: Callable[[], float],
        on_dead: OnDead = _no_records,
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._ctx = ctx
        self._clock = clock
        self._emit = emit
        self._chance = chance
        self._on_dead = on_dead
        self._turned = turned
        self._workers = {name: _Worker(channel, Pace(chance)) for name, channel in channels.items()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._latest: dict[str, asyncio.Task[None]] = {}  # of each channel, also of one that was taken out
        self._broken: asyncio.Future[None] | None = None

    @property
    def paces(self) -> Mapping[str, Pace]:
        """The circuit breaker and back-off of each channel."""
        return {name: worker.pace for name, worker in self._workers.items()}

    @property
    def _channels(self) -> KeysView[str]:
        return self._workers.keys()

    def wake(self) -> None:
        """Something was put into the outbox."""
        for worker in self._workers.values():
            worker.wake.set()

    def replace(self, channels: Mapping[str, Channel], ctx: SendContext) -> None:
        """Work for *channels* from now on.

        An equal channel keeps its back-off and its breaker. One that changed or is gone finishes its attempt first;
        what waits for it stays in the outbox, for its successor or until it is too old.
        """
        self._ctx = ctx
        before, self._workers = self._workers, {}
        for name, channel in channels.items():
            old = before.get(name)
            if old is not None and old.channel == channel:
                self._workers[name] = before.pop(name)
            else:
                self._workers[name] = _Worker(channel, Pace(self._chance), self._latest.get(name))
        for worker in before.values():
            worker.stop()
        if self._broken is not None:
            for worker in self._workers.values():
                if worker.task is None:
                    self._begin(worker)

    async def run(self) -> None:
        """Deliver for ever.

        When cancelled, running attempts get a few seconds to end; one that is cut off stays `maybe`.
        """
        self._broken = asyncio.get_running_loop().create_future()
        for worker in self._workers.values():
            self._begin(worker)
        watch = asyncio.create_task(self._watch())
        watch.add_done_callback(self._ended)
        try:
            await self._broken  # a service's own crash ends the process
        finally:
            await self._stop(watch)

    def _begin(self, worker: "_Worker") -> None:
        name = worker.channel.name
        results = [result for result in Result if result is not Result.UNSERVED]
        counts = (Update(NOTIFICATIONS, 0.0, Labels(channel=name, result=result.value)) for result in results)
        # The zeros are written now: at the next tick the first messages may have gone, and would be no increase.
        self._count(name, *counts, write=True)
        worker.task = asyncio.create_task(self._serve(worker), name=f"channel {name}")
        self._tasks.add(worker.task)
        self._latest[name] = worker.task
        worker.task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._latest = {name: latest for name, latest in self._latest.items() if latest is not task}
        if not task.cancelled() and (exc := task.exception()) and self._broken and not self._broken.done():
            self._broken.set_exception(exc)

    async def _stop(self, watch: "asyncio.Task[None]") -> None:
        for worker in self._workers.values():
            worker.stop()
        watch.cancel()
        tasks = [watch, *self._tasks]
        try:
            await asyncio.wait(tasks, timeout=GRACE)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        """How much waits; and what waits for channels that nobody serves any more grows old."""
        while True:
            if unserved := await self._report():
                for name in unserved:
                    await self._bury_old(name)
                await self._report()
            self._turned()
            await asyncio.sleep(REPORT)

    async def _serve(self, worker: "_Worker") -> None:
        if worker.predecessor is not None:
            await asyncio.wait([worker.predecessor])  # two of one name would send in no order
            worker.predecessor = None
        channel, pace = worker.channel, worker.pace
        while not worker.stopping:
            worker.wake.clear()
            await self._bury_old(channel.name)
            ids = await self._database.run(outbox.heads, channel.name)
            now = self._clock.monotonic()
            id_, due = pace.choose(ids, now)
            if id_ is not None:
                await self._attempt(channel, pace, id_)
                await self._report()
            elif not worker.stopping:
                await _wait(worker.wake, LOOK if due is None else min(LOOK, due - now))

    async def _attempt(self, channel: Channel, pace: Pace, id_: str) -> None:
        row = await self._database.run(outbox.begin, id_)
        if row is None:
            return  # joined with another one meanwhile
        if row.error:
            pace.forget(id_)
            await self._give_up(id_, unreadable.REASON, maybe=row.maybe)
            return
        if not (channel.send_resolved or row.notification.firing):
            # Put while the channel was configured in another way.
            text = "the channel does not take resolves"
            await self._database.run(outbox.drop, row, self._clock.time(), text)
            return
        about: dict[str, tracing.Value] = {
            "sidecar.channel.name": channel.name,
            "sidecar.channel.type": channel.type,
            "sidecar.notification.id": id_,
            "sidecar.notification.kind": row.notification.kind.value,
            "sidecar.notification.attempt": row.attempts + 1,
        }
        with tracing.span(f"deliver {channel.type}", about, role="client") as span:
            await self._deliver(channel, pace, row, span)

    async def _deliver(self, channel: Channel, pace: Pace, row: outbox.Row, span: tracing.Span) -> None:
        id_ = row.id
        outcome = await self._send(channel, row.notification)
        if outcome.reason:
            span.fail(outcome.reason, outcome.text)
        now = self._clock.time()
        if not outcome.reason or (row.partly and not outcome.retryable):
            pace.answered(id_)
            await self._finish(row, now, outcome.text)
            return
        self._count(
            channel.name, Update(NOTIFICATION_FAILURES, 1.0, Labels(channel=channel.name, reason=outcome.reason))
        )
        facts = {"channel": channel.name, "id": id_, "attempt": row.attempts + 1, "error": outcome.text}
        if not outcome.retryable:
            pace.answered(id_)
            log.error("notification.refused", kind=row.notification.kind.value, **facts)
            await self._give_up(id_, outcome.text, maybe=row.maybe or outcome.maybe)
            return
        monotonic = self._clock.monotonic()
        again = pace.failed(id_, monotonic, outcome.retry_after, alone=outcome.partly)
        log.warning("notification.failed", reason=outcome.reason, again_in=round(again - monotonic, 1), **facts)
        await self._database.run(outbox.failed, row, now, outcome.text, maybe=outcome.maybe, partly=outcome.partly)

    async def _send(self, channel: Channel, notification: Notification) -> Outcome:
        """One attempt; whatever the channel does, it ends in time and in an Outcome."""
        try:
            async with asyncio.timeout(channel.timeout):
                text = await deliver(channel, notification, self._ctx)
            return Outcome(redact(text or ""))
        except DeliveryError as exc:
            reason = "refused" if not exc.retryable else "unanswered" if exc.maybe else "failed"
            return Outcome(redact(str(exc)), reason, exc.retryable, exc.maybe, exc.partly, exc.retry_after)
        except TimeoutError:
            text = f"no answer within {channel.timeout:g} s"
            return Outcome(text, "timeout", retryable=True, maybe=True)
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._crashed(channel, notification, exc)
        except Exception as exc:  # noqa: BLE001 -- the plug-in boundary: its crash is a failed delivery
            return self._crashed(channel, notification, exc)

    def _crashed(self, channel: Channel, notification: Notification, exc: BaseException) -> Outcome:
        log.error("channel.crashed", channel=channel.name, type=channel.type, id=notification.id, exc_info=exc)
        text = redact(f"the channel crashed: {type(exc).__name__}: {exc}")
        return Outcome(text, "crash", retryable=True, maybe=True)  # nobody knows how far it came

    async def _finish(self, row: outbox.Row, now: float, text: str) -> None:
        """The channel has it."""
        await self._database.run(outbox.delivered, row, now, text)
        notification = row.notification
        took = max(0.0, now - notification.created_at)
        labels = Labels(channel=notification.channel)
        self._count(
            notification.channel,
            Update(NOTIFICATIONS, 1.0, labels.with_(result=Result.DELIVERED.value)),
            Update(NOTIFICATION_LATENCY, took, labels),
        )
        log.info(
            "notification.delivered",
            channel=notification.channel,
            id=row.id,
            kind=notification.kind.value,
            attempt=row.attempts + 1,
            after=round(took, 3),
        )

    async def _bury_old(self, channel: str) -> None:
        if not await self._database.run(outbox.expired, channel, self._clock.time()):
            return
        async with self._database.lock:
            now = self._clock.time()
            for row in await self._database.run(outbox.expired, channel, now):
                if row.error:
                    await self._bury(row, now, unreadable.REASON, maybe=row.maybe)
                elif row.partly:
                    await self._finish(row, now, "given up for the other recipients")
                else:
                    expired = log.error if channel in self._channels else log.warning
                    expired("notification.expired", channel=channel, id=row.id, attempts=row.attempts)
                    await self._bury(row, now, TOO_OLD, maybe=row.maybe)

    async def _give_up(self, id_: str, reason: str, *, maybe: bool) -> None:
        """Bury a message as it is by now: its times, and the records that go with it, may have changed meanwhile."""
        async with self._database.lock:
            row = await self._database.run(outbox.get, id_)
            if row is not None:
                await self._bury(row, self._clock.time(), reason, maybe=maybe)

    async def _bury(self, row: outbox.Row, now: float, reason: str, *, maybe: bool) -> None:
        """Not tried any more; the caller holds the database's lock, since what is decided depends on it."""
        notification = row.notification
        if row.error:
            kind = notification.kind.value
            log.error("notification.unreadable", channel=notification.channel, id=row.id, kind=kind, error=row.error)
        changed = tuple(self._on_dead(notification, maybe=maybe))
        await self._database.run(outbox.bury, row, now, reason, maybe=maybe, changed=changed)
        if notification.channel not in self._channels:
            result = Result.UNSERVED  # nobody is to be woken for what somebody decided
        elif notification.kind in (NotifyKind.RESOLVE, NotifyKind.CLOSED):
            result = Result.LOST
        else:
            result = Result.FAILED
        name = notification.channel
        self._count(name, Update(NOTIFICATIONS, 1.0, Labels(channel=name, result=result.value)))

    async def _report(self) -> list[str]:
        """Tell how much waits; the channels of which nobody takes what waits."""
        depths = await self._database.run(outbox.depths)
        now = self._clock.time()
        updates = []
        for name in sorted(self._workers):
            depth, labels = depths.get(name), Labels(channel=name)
            updates.append(Update(OUTBOX_DEPTH, depth.rows if depth else 0, labels))
            updates.append(Update(OUTBOX_AGE, max(0.0, now - depth.since) if depth else 0.0, labels))
        unserved = sorted(depths.keys() - self._channels)
        updates += [Update(OUTBOX_UNSERVED, depths[name].rows, Labels(channel=name)) for name in unserved]
        self._emit(Batch(SOURCE, now, tuple(updates), write=False, whole=True))
        return unserved

    def _count(self, channel: str, *updates: Update, write: bool = False) -> None:
        self._emit(Batch(delivery_of(channel), self._clock.time(), updates, write=write, whole=False))


def delivery_of(channel: str) -> str:
    """Under whose name the counters of *channel* live."""
    return f"{SOURCE}:{channel}"


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass
