"""Every message arrives, or somebody knows that it did not."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import Field
from structlog.testing import capture_logs

from sidecar.alerts.book import AlertBook
from sidecar.alerts.record import Record
from sidecar.alerts.timeline import Event
from sidecar.alerts.turn import turn
from sidecar.channels import Channel, DeliveryError
from sidecar.clock import Clock
from sidecar.db import Database, history, outbox, records, state
from sidecar.model.notifications import Notification, NotifyKind
from sidecar.model.samples import Batch
from sidecar.services import delivery
from sidecar.services.delivery import Delivery
from tests.alerts.examples import NOON, around, firing, message

OPENING, REMINDER, RESOLVE, CLOSED = NotifyKind.OPENING, NotifyKind.REMINDER, NotifyKind.RESOLVE, NotifyKind.CLOSED
REFUSED = DeliveryError("HTTP 503", retryable=True)
FORBIDDEN = DeliveryError("HTTP 400: no such channel", retryable=False)
BROKEN = DeliveryError("connection reset", retryable=True, maybe=True)

Answer = BaseException | Callable[[Notification], Awaitable[str | None]] | None


class Scripted(Channel):
    """Answers as *answers* say, in order, and then as *always* says; what it took is in *heard*."""

    type: Literal["scripted"] = "scripted"
    script: Any = Field(default=None, exclude=True)

    async def send(self, notification: Notification, ctx: Any) -> str | None:
        said: str | None = await self.script.hear(notification)
        return said


@dataclass
class Script:
    """What one channel does, and what became of it."""

    answers: list[Answer] = field(default_factory=list)
    always: Answer = None
    tried: list[tuple[float, str]] = field(default_factory=list)
    heard: list[Notification] = field(default_factory=list)

    async def hear(self, notification: Notification) -> str | None:
        self.tried.append((asyncio.get_running_loop().time(), notification.id))
        answer = self.answers.pop(0) if self.answers else self.always
        if isinstance(answer, BaseException):
            raise answer
        said = await answer(notification) if answer else None
        self.heard.append(notification)
        return said

    def story(self) -> list[str]:
        return [notification.kind.value for notification in self.heard]


def after(seconds: float, error: BaseException | None = None) -> Callable[[Notification], Awaitable[str | None]]:
    """An answer that takes its time."""

    async def answer(_: Notification) -> str | None:
        await asyncio.sleep(seconds)
        if error:
            raise error
        return "ok"

    return answer


@dataclass
class Ctx:
    """The other end of a delivery."""

    clock: Clock
    outbound: Any = None
    external_url: str = ""
    external_labels: dict[str, str] = field(default_factory=dict)
    timezone: str = "UTC"


@dataclass
class Office:
    """A database, a book and a delivery over scripted channels."""

    database: Database
    clock: Clock
    scripts: dict[str, Script] = field(default_factory=lambda: {"hook": Script()})
    book: AlertBook = field(default_factory=AlertBook)
    emitted: list[Batch] = field(default_factory=list)
    chance: float = 0.5

    def __post_init__(self) -> None:
        channels = {name: Scripted(name=name, script=script) for name, script in self.scripts.items()}
        self.delivery = Delivery(
            self.database,
            channels,
            Ctx(self.clock),
            self.clock,
            emit=self.emitted.append,
            chance=lambda: self.chance,
            on_dead=self.book.on_dead,
        )

    @property
    def script(self) -> Script:
        return self.scripts["hook"]

    async def put(self, *messages: Notification) -> None:
        """Messages are decided."""
        await self.database.run(outbox.put, messages)
        self.delivery.wake()

    async def story(self, fingerprint: str = "") -> list[str]:
        """What the timeline says about an alert."""
        entries = await self.database.run(history.of_alert, fingerprint or firing().fingerprint)
        return [entry.event.value for entry in entries]

    def total(self, name: str) -> Counter[tuple[str, ...]]:
        """The counter *name*, by the values of its labels."""
        found: Counter[tuple[str, ...]] = Counter()
        for batch in self.emitted:
            for update in batch.updates:
                if update.family.name == name:
                    found[tuple(update.labels.values())] += update.value  # type: ignore[assignment]  # floats count too
        return found

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[asyncio.Task[None]]:
        """The delivery runs."""
        task = asyncio.create_task(self.delivery.run())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def database(clock):
    """A database in memory."""
    async with Database(None, clock) as database:
        yield database


@pytest.fixture
async def office(database, clock) -> Office:
    """One channel, `hook`, that takes everything."""
    return Office(database, clock)


def soon(connection: sqlite3.Connection) -> None:
    """What waits grows too old within ten minutes."""
    connection.execute("UPDATE outbox SET expires_at = ?", (NOON + 600,))


def spoil(connection: sqlite3.Connection) -> None:
    """What waits cannot be read any more."""
    connection.execute("UPDATE outbox SET body = '{}'")


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_message_is_delivered_at_once(office: Office):
    """What is put is sent without waiting, and then it is gone."""
    async with office.open():
        await asyncio.sleep(1)
        await office.put(message(OPENING))
        await asyncio.sleep(0.1)

    assert office.script.heard == [message(OPENING)]
    assert office.script.tried[0][0] == 1.0
    assert await office.database.run(outbox.waiting) == ()
    assert await office.story() == ["delivered"]


async def test_what_the_outbox_holds_is_sent_at_the_start(office: Office):
    """A start delivers what the daemon before it left, whatever it had tried."""
    await office.put(message(OPENING))
    row = await office.database.run(outbox.begin, message(OPENING).id)
    assert row is not None
    await office.database.run(outbox.failed, row, office.clock.time(), "503", maybe=False)

    async with office.open():
        await asyncio.sleep(0.1)

    assert office.script.heard == [message(OPENING)]


async def test_a_dead_channel_hears_each_thing_once_when_it_is_back(office: Office):
    """What became pointless is joined, the rest comes once and in order."""
    office.script.always = REFUSED
    async with office.open():
        await office.put(message(OPENING, "a"), message(OPENING, "b"), message(REMINDER, "c"))
        await asyncio.sleep(600)
        at = office.clock.time()
        await office.put(message(RESOLVE, "a", at=at), message(RESOLVE, "c", at=at), message(OPENING, "d", at=at))
        await asyncio.sleep(600)
        assert office.script.heard == []
        office.script.always = None
        await asyncio.sleep(301)

    told = [(n.kind.value, n.alerts[0].alert.labels["check"]) for n in office.script.heard]
    assert sorted(told) == [("closed", "a"), ("opening", "b"), ("opening", "d"), ("resolve", "c")]
    assert len(office.script.tried) < 40, "a dead channel is tried now and then, not all the time"


async def test_retry_after_is_honoured(office: Office):
    """429 with Retry-After 7, then 503, then 200: one delivery, not before seven seconds."""
    office.script.answers = [DeliveryError("HTTP 429", retryable=True, retry_after=7.0), REFUSED]
    async with office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(60)

    first, second, third = (at for at, _ in office.script.tried)
    assert 7.0 <= second - first <= 7.7
    assert 1.0 <= third - second <= 2.0
    assert office.script.story() == ["opening"]


async def test_what_asks_for_time_speaks_for_the_whole_channel(office: Office):
    """While the channel wants to be left alone, no other message is tried either."""
    office.script.answers = [DeliveryError("HTTP 429", retryable=True, retry_after=30.0)]
    async with office.open():
        await office.put(message(OPENING, "a"), message(OPENING, "b"))
        await asyncio.sleep(29)
        assert len(office.script.tried) == 1
        await asyncio.sleep(10)

    assert len(office.script.heard) == 2


async def test_a_slow_channel_holds_back_no_other(database, clock):
    """Each channel has its own worker."""
    office = Office(database, clock, {"slow": Script(always=after(9)), "hook": Script()})
    async with office.open():
        for check in "abc":
            await office.put(message(OPENING, check), message(OPENING, check, channel="slow"))
        await asyncio.sleep(1)
        assert len(office.scripts["hook"].heard) == 3
        assert office.scripts["slow"].heard == []
        await asyncio.sleep(27)

    assert len(office.scripts["slow"].heard) == 3


async def test_a_message_that_fails_waits_alone(office: Office):
    """Back-off is per message: others go on, in the order in which they were put."""
    bad = message(OPENING, "bad")

    async def picky(notification: Notification) -> str | None:
        if notification.id == bad.id and len(office.script.heard) < 3:
            raise DeliveryError("HTTP 500", retryable=True)
        return None

    office.script.always = picky
    async with office.open():
        await office.put(bad, message(RESOLVE, "x"), message(OPENING, "y"), message(OPENING, "z"))
        await asyncio.sleep(10)

    assert [n.alerts[0].alert.labels["check"] for n in office.script.heard] == ["x", "y", "z", "bad"]


async def test_a_breaker_spares_a_dead_channel(office: Office):
    """Five failures in a row leave the channel alone but for one try now and then; then everything goes at once."""
    office.script.always = REFUSED
    async with office.open():
        await office.put(*(message(OPENING, f"c{n}") for n in range(100)))
        await asyncio.sleep(3600)
        assert len(office.script.tried) < 40
        assert office.delivery.paces["hook"].open
        office.script.always = None
        await asyncio.sleep(301)

    assert len(office.script.heard) == 100
    assert not office.delivery.paces["hook"].open


async def test_an_answer_that_forbids_is_a_dead_letter(office: Office):
    """A message that is refused for good is not tried again, is listed and counted, and others go on."""
    office.script.answers = [FORBIDDEN]
    async with office.open():
        await office.put(message(OPENING, "a"), message(OPENING, "b"))
        await asyncio.sleep(60)

    assert [n.alerts[0].alert.labels["check"] for n in office.script.heard] == ["b"]
    (letter,) = await office.database.run(outbox.dead)
    assert (letter.notification, letter.reason) == (message(OPENING, "a"), "HTTP 400: no such channel")
    assert office.total("sidecar_notifications_total")["hook", "failed"] == 1
    assert office.total("sidecar_notification_failures_total")["hook", "refused"] == 1


async def test_a_lost_resolve_is_counted_as_lost(office: Office):
    """A resolve that cannot be delivered leaves somebody in error, which is counted apart."""
    office.script.answers = [FORBIDDEN]
    async with office.open():
        await office.put(message(RESOLVE))
        await asyncio.sleep(60)

    assert office.total("sidecar_notifications_total")["hook", "lost"] == 1


async def decide(office: Office, *alerts: Any) -> list[str]:
    """One turn of the daemon; the kinds of what was put."""
    async with office.database.lock:
        office.book.update(alerts, office.clock.time())
        found = turn(office.book, around(), office.clock.time())
        dropped = await office.database.run(state.commit, office.book.unsaved, found)
        office.book.apply(found, dropped)
    office.delivery.wake()
    return [notification.kind.value for notification in found.notifications]


async def test_a_dead_opening_is_told_anew_after_a_quarter_of_an_hour(office: Office):
    """Nobody holds an opening that was refused: no resolve is owed, and the next opening comes after 15 min."""
    office.script.answers = [FORBIDDEN]
    alert = firing()
    async with office.open():
        assert await decide(office, alert) == ["opening"]
        await asyncio.sleep(1)
        record = office.book.record(alert.fingerprint, "hook")
        assert record is not None
        assert (record.open, record.failed) == (False, True)
        assert await office.database.run(records.load) == (record,)
        assert await decide(office, alert) == []
        await asyncio.sleep(898)
        assert await decide(office, alert) == []
        await asyncio.sleep(2)
        await office.database.run(lambda connection: None)
        due = office.book.due(office.clock.time())
        assert [key.channel for key in due] == ["hook"]
        assert await decide(office, alert) == ["opening"]
        await asyncio.sleep(1)

    assert office.script.story() == ["opening"]
    assert await office.story() == ["state", "put", "dead", "nothing", "put", "delivered"]


async def test_an_opening_that_cannot_be_read_is_told_anew(office: Office):
    """What cannot be read is buried with one line of log and one count, others go on, and its alert is told anew."""
    alert = firing()
    assert await decide(office, alert) == ["opening"]
    await office.database.run(spoil)
    with capture_logs() as logs:
        async with office.open():
            await office.put(message(OPENING, "b"))
            await asyncio.sleep(120)
            (letter,) = await office.database.run(outbox.dead)
            assert (letter.reason, letter.maybe, letter.attempts) == ("unreadable", False, 0)
            record = office.book.record(alert.fingerprint, "hook")
            assert record is not None
            assert (record.open, record.failed) == (False, True)
            assert await decide(office, alert) == []
            await asyncio.sleep(900)
            assert await decide(office, alert) == ["opening"]
            await asyncio.sleep(1)

    assert office.script.story() == ["opening", "opening"]
    assert [entry["channel"] for entry in logs if entry["event"] == "notification.unreadable"] == ["hook"]
    assert office.total("sidecar_notifications_total")["hook", "failed"] == 1
    assert office.total("sidecar_notification_failures_total") == {}


async def test_what_cannot_be_read_says_nothing_about_its_channel(office: Office):
    """A burial does not make a channel that is down look up, nor does the message wait for ever if it is too old."""
    office.script.always = REFUSED
    async with office.open():
        await office.put(*(message(OPENING, f"c{n}") for n in range(6)))
        await asyncio.sleep(400)
        assert office.delivery.paces["hook"].open
        await office.put(message(RESOLVE))
        await office.database.run(spoil)
        await asyncio.sleep(61)
        assert office.delivery.paces["hook"].open
        await office.database.run(soon)
        await asyncio.sleep(300)

    assert {letter.reason for letter in await office.database.run(outbox.dead)} == {"unreadable"}
    assert office.total("sidecar_notifications_total")["hook", "lost"] == 1


async def test_an_opening_that_is_refused_after_a_step_back(office: Office):
    """A refusal that comes when the clock was set back during the attempt is still that of the opening."""
    office.script.answers = [after(5, FORBIDDEN)]
    alert = firing()
    async with office.open():
        assert await decide(office, alert) == ["opening"]
        await asyncio.sleep(1)
        async with office.database.lock:
            moved = office.book.step(-3600)
            await office.database.run(outbox.step, -3600)
            await office.database.run(records.save, moved)
        await asyncio.sleep(10)

    record = office.book.record(alert.fingerprint, "hook")
    assert record is not None
    assert (record.open, record.failed) == (False, True)


async def test_a_message_that_is_too_old_is_dead(office: Office, monkeypatch: pytest.MonkeyPatch):
    """After a day an opening is given up, and decided anew if it still fires."""
    monkeypatch.setattr(delivery, "REPORT", 3600.0)  # a day of looking every 15 s would be most of the work
    office.script.always = REFUSED
    alert = firing()
    async with office.open():
        assert await decide(office, alert) == ["opening"]
        await asyncio.sleep(86400 + 61)
        (letter,) = await office.database.run(outbox.dead)
        assert (letter.reason, letter.maybe) == ("too old", False)
        assert await decide(office, alert) == ["opening"]
        office.script.always = None
        await asyncio.sleep(301)

    assert office.script.story() == ["opening"]


async def test_an_opening_that_may_have_arrived_stays_open(office: Office):
    """An opening that was never answered is resolved even after it was given up."""
    office.script.always = BROKEN
    alert = firing()
    async with office.open():
        await decide(office, alert)
        await office.database.run(soon)
        await asyncio.sleep(900)
        record = office.book.record(alert.fingerprint, "hook")
        assert record is not None
        assert record.open
        (letter,) = await office.database.run(outbox.dead)
        assert letter.maybe


async def test_a_channel_that_left_keeps_its_messages_for_a_day(database, clock):
    """What waits for a channel that is not configured any more is delivered if it returns, and dies of age if not."""
    await database.run(outbox.put, [message(OPENING, channel="old")])
    without = Office(database, clock)
    async with without.open():
        await asyncio.sleep(600)
        assert without.total("sidecar_outbox_unserved")["old",] > 0
        for name in ("sidecar_outbox_depth", "sidecar_outbox_oldest_age_seconds"):
            assert set(without.total(name)) == {("hook",)}, "nobody is paged for what somebody decided"
    again = Office(database, clock, {"old": Script()})
    async with again.open():
        await asyncio.sleep(1)
    assert again.scripts["old"].story() == ["opening"]

    await database.run(outbox.put, [message(RESOLVE, channel="old")])
    await database.run(soon)
    async with without.open():
        await asyncio.sleep(60)
    assert await database.run(outbox.waiting) == ()
    counted = without.total("sidecar_notifications_total")
    assert {key: value for key, value in counted.items() if value} == {("old", "unserved"): 1}
    assert not [update for update in without.emitted[-1].updates if update.family.name == "sidecar_outbox_unserved"]


async def test_an_attempt_without_an_answer_is_repeated_with_its_id(office: Office):
    """After a timeout the message may have arrived: it goes again under its id, and what follows waits behind it."""
    office.script.answers = [after(60), after(60)]
    async with office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(5)
        await office.put(message(RESOLVE, at=office.clock.time()))
        await asyncio.sleep(60)

    assert [id_ for _, id_ in office.script.tried[:3]] == [message(OPENING).id] * 3
    assert office.script.story() == ["opening", "resolve"]
    assert await office.story() == ["unanswered", "unanswered", "delivered", "delivered"]
    assert office.total("sidecar_notification_failures_total") == {("hook", "timeout"): 2}


async def test_killed_between_sending_and_knowing(tmp_path, clock):
    """A message that arrived just before the process died arrives once more, with the same id."""
    office = Office(Database(tmp_path / "1.db", clock), clock)

    async def die(_: Notification) -> str | None:
        for suffix in ("", "-wal"):
            shutil.copy(f"{tmp_path}/1.db{suffix}", f"{tmp_path}/2.db{suffix}")
        return None

    office.script.always = die
    async with office.database, office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(1)
    next_life = Office(Database(tmp_path / "2.db", clock), clock)
    async with next_life.database:
        (row,) = await next_life.database.run(outbox.waiting)
        assert row.maybe
        async with next_life.open():
            await next_life.put(message(RESOLVE, at=clock.time()))
            await asyncio.sleep(60)

    assert [n.id for n in office.script.heard] == [message(OPENING).id]
    assert next_life.script.story() == ["opening", "resolve"], "what may have arrived is not joined"
    assert next_life.script.heard[0].id == message(OPENING).id


@pytest.mark.parametrize("crash", [ValueError("oops"), asyncio.CancelledError(), RecursionError()])
async def test_a_channel_that_crashes_is_a_failed_delivery(office: Office, crash: BaseException):
    """A plug-in's crash is logged with its traceback, and the message is tried again."""
    office.script.answers = [crash]
    with capture_logs() as logs:
        async with office.open():
            await office.put(message(OPENING))
            await asyncio.sleep(10)

    assert office.script.story() == ["opening"]
    (event,) = [entry for entry in logs if entry["event"] == "channel.crashed"]
    assert event["exc_info"] is crash
    assert office.total("sidecar_notification_failures_total") == {("hook", "crash"): 1}


async def test_a_running_attempt_may_end_when_the_daemon_stops(office: Office):
    """A stop waits some seconds for what is being sent, and begins nothing new."""
    office.script.always = after(3)
    async with office.open():
        await office.put(message(OPENING, "a"), message(OPENING, "b"))
        await asyncio.sleep(1)
    assert now() == 3.0

    assert len(office.script.heard) == 1
    assert [row.maybe for row in await office.database.run(outbox.waiting)] == [False]


async def test_an_attempt_that_does_not_end_is_cut_off(office: Office):
    """A stop does not wait for ever, and what it cuts off may have arrived."""
    office.script.always = after(9)
    async with office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(1)
    assert now() == 6.0

    assert [row.maybe for row in await office.database.run(outbox.waiting)] == [True]


async def test_some_recipients_have_it(office: Office):
    """A message that some have is tried again for the others, and holds up nothing that follows."""
    partly = DeliveryError("accepted for 1 of 2", retryable=True, maybe=True, partly=True)
    office.script.answers = [partly, None, partly, None]
    async with office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(0.5)
        await office.put(message(RESOLVE, at=office.clock.time()))
        await asyncio.sleep(60)

    assert office.script.story() == ["resolve", "opening"]
    assert await office.database.run(outbox.waiting) == ()
    assert office.total("sidecar_notifications_total")["hook", "delivered"] == 2


async def test_the_others_are_given_up_with_age(office: Office):
    """When the last recipients stay out of reach for a day, the message counts as delivered."""
    office.script.always = DeliveryError("accepted for 1 of 2", retryable=True, maybe=True, partly=True)
    async with office.open():
        await office.put(message(OPENING))
        await office.database.run(soon)
        await asyncio.sleep(900)

    assert await office.database.run(outbox.dead) == ()
    assert office.total("sidecar_notifications_total")["hook", "delivered"] == 1


async def test_an_equal_channel_keeps_its_breaker_over_a_reload(office: Office):
    """A dead channel is not stormed because something was reloaded."""
    office.script.always = REFUSED
    await office.put(*(message(OPENING, f"c{n}") for n in range(20)))
    async with office.open():
        await asyncio.sleep(600)
        tried = len(office.script.tried)

        office.delivery.replace({"hook": Scripted(name="hook", script=office.script)}, Ctx(office.clock))
        await asyncio.sleep(1)

    assert len(office.script.tried) - tried <= 1


async def test_a_changed_channel_goes_on_when_the_attempt_of_the_old_one_is_over(office: Office):
    """A reload cuts off no attempt, sends nothing twice, and what waited goes the new way."""
    office.script.answers = [after(5)]
    new = Script()
    async with office.open():
        await office.put(message(OPENING, "a"))
        await asyncio.sleep(1)
        office.delivery.replace({"hook": Scripted(name="hook", timeout="20s", script=new)}, Ctx(office.clock))
        await office.put(message(OPENING, "b"))
        await asyncio.sleep(1)
        assert (office.script.heard, new.heard) == ([], [])
        await asyncio.sleep(10)

    assert [n.alerts[0].alert.labels["check"] for n in office.script.heard] == ["a"]
    assert [n.alerts[0].alert.labels["check"] for n in new.heard] == ["b"]


async def test_a_channel_that_returns_waits_for_its_last_attempt(office: Office):
    """Taken out and brought back within one attempt, it sends nothing twice."""
    office.script.answers = [after(5)]
    async with office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(1)
        office.delivery.replace({}, Ctx(office.clock))
        await asyncio.sleep(1)
        office.delivery.replace({"hook": Scripted(name="hook", script=office.script)}, Ctx(office.clock))
        await asyncio.sleep(60)

    assert len(office.script.tried) == 1


async def test_what_waits_for_a_channel_that_is_gone_waits_for_its_return(office: Office):
    """A channel that leaves the configuration leaves its messages in the outbox, and gets them when it is back."""
    office.script.always = REFUSED
    async with office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(1)
        office.delivery.replace({}, Ctx(office.clock))
        await asyncio.sleep(60)
        tried = len(office.script.tried)
        assert tried <= 2
        office.script.always = None
        office.delivery.replace({"hook": Scripted(name="hook", script=office.script)}, Ctx(office.clock))
        await asyncio.sleep(60)

    assert office.script.story() == ["opening"]


async def test_secrets_of_an_answer_are_not_kept(office: Office):
    """What is written into the history has been through the redaction."""
    from sidecar.secrets import remember

    remember("s3cr3t-t0ken")
    office.script.answers = [DeliveryError("said s3cr3t-t0ken", retryable=True), ValueError("s3cr3t-t0ken")]
    async with office.open():
        await office.put(message(OPENING))
        await asyncio.sleep(60)

    entries = await office.database.run(history.of_alert, firing().fingerprint)
    assert [entry.event for entry in entries] == [Event.FAILED, Event.UNANSWERED, Event.DELIVERED]
    assert not [entry for entry in entries if "s3cr3t" in entry.text]


async def test_what_waits_is_measured(office: Office):
    """How much waits and for how long is said per channel, and counters begin with 0."""
    async with office.open():
        await asyncio.sleep(0.1)
        assert set(office.total("sidecar_notifications_total")) == {
            ("hook", "delivered"),
            ("hook", "failed"),
            ("hook", "lost"),
        }
        office.script.always = REFUSED
        await office.put(message(OPENING))
        await asyncio.sleep(100)
        gauges = {u.family.name: u.value for batch in office.emitted[-1:] for u in batch.updates}
        office.script.always = None
        await asyncio.sleep(301)

    assert gauges["sidecar_outbox_depth"] == 1
    assert gauges["sidecar_outbox_oldest_age_seconds"] > 80
    gauges = {u.family.name: u.value for batch in office.emitted[-1:] for u in batch.updates}
    assert gauges == {"sidecar_outbox_depth": 0, "sidecar_outbox_oldest_age_seconds": 0}
    latency = [
        u.value for b in office.emitted for u in b.updates if u.family.name == "sidecar_notification_latency_seconds"
    ]
    assert len(latency) == 1
    assert 100 < latency[0] < 410
    assert {batch.source for batch in office.emitted} == {"delivery", "delivery:hook"}


async def test_resolves_for_a_channel_that_takes_none_any_more(office: Office):
    """A resolve that was put before the channel was told not to take any is dropped."""
    await office.put(message(RESOLVE))
    office.delivery = Delivery(
        office.database,
        {"hook": Scripted(name="hook", send_resolved=False, script=office.script)},
        Ctx(office.clock),
        office.clock,
        emit=office.emitted.append,
        chance=lambda: 0.5,
    )
    async with office.open():
        await asyncio.sleep(1)

    assert office.script.tried == []
    assert await office.story() == ["dropped"]
    assert await office.database.run(outbox.waiting) == ()


async def test_the_records_of_a_dead_letter_are_written_with_it(office: Office):
    """What a dead letter changes is in the database in the same transaction, and nothing else is changed."""
    other = Record("other", "hook", open=True, opened_at=1.0, told_at=1.0)
    await office.database.run(records.save, [other])
    office.script.answers = [FORBIDDEN]
    async with office.open():
        await decide(office, firing())
        await asyncio.sleep(1)

    found = await office.database.run(records.load)
    assert other in found
    assert sorted(record.failed for record in found) == [False, True]
