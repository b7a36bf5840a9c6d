"""Takes in what a gateway tells of its traffic, in turns that nobody has to wait for."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from sidecar.clock import Clock
from sidecar.model.durations import Duration
from sidecar.model.events import EventsRefused, Receipt, RejectedEvent, Why
from sidecar.model.families import EVENT_SENDERS, EVENTS
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Update
from sidecar.store import Claim, Reason, Store

if TYPE_CHECKING:
    from sidecar.ingest.effects import Effect, Effects
    from sidecar.ingest.events import Decoder

SOURCE: Final = "events"
"""Who owns what is counted; a sender's gauges belong to `events:<sender>`."""

_SLICE: Final = 50  # events between two turns of the loop: some 1 ms
_SENDERS: Final = 32
_EXAMPLES: Final = 100  # rejected events that are named in an answer
_AT_A_TIME: Final = 4  # requests whose bodies are in memory


class EventSettings(BaseModel):
    """What gateways may send to `POST /api/v1/events`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(True, description="Whether events are taken in.")
    rate: float = Field(10_000, description="Events a second that one sender may send; twice as many at once.", gt=0)
    series: int = Field(5_000, description="Series that all events together may have.", ge=1)
    series_per_metric: int = Field(2_000, description="Series that one metric of the events may have.", ge=1)
    quiet: Duration = Field(300.0, description="Silence of a sender after which its gauges end.", ge=1)


@dataclass(slots=True)
class _Sender:
    """Who sends: heard when, and how much it may send now."""

    heard_at: float
    looked_at: float
    budget: float  # events; below 0 it has sent more than it may

    def refill(self, now: float, rate: float) -> None:
        self.budget = min(2 * rate, self.budget + max(0.0, now - self.looked_at) * rate)
        self.looked_at = now


@dataclass(slots=True)
class _Tally:
    """What became of a request so far."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    examples: list[RejectedEvent] = field(default_factory=list)

    def reject(self, index: int, reason: str, message: str) -> None:
        self.rejected += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(RejectedEvent(index, reason, message))

    def receipt(self) -> Receipt:
        examples = tuple(sorted(self.examples, key=lambda one: one.index))
        return Receipt(self.accepted, self.duplicates, self.rejected, examples)


class Events:
    """Counts events into *store*. *recorded*: the names that rules write.

    Whatever is needed to read events is imported with the first of them.
    """

    def __init__(
        self,
        settings: EventSettings,
        clock: Clock,
        store: Store,
        recorded: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._recorded = recorded
        self._decoder: Decoder | None = None
        self._senders: dict[str, _Sender] = {}
        self._results: Counter[str] = Counter()
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        store.begin(SOURCE, clock.time())  # what nobody has reported yet was 0

    def replace(self, settings: EventSettings) -> None:
        """Go on with other settings, and other rules."""
        self._settings = settings
        if self._decoder is not None:
            self._decoder.replaced()
            self._bound()

    async def take(self, sender: str, content_type: str, body: Callable[[], Awaitable[bytes]]) -> Receipt:
        """Take in one request of *sender*, whose *body* is read when it is its turn; raises EventsRefused."""
        if not self._settings.enabled:
            raise EventsRefused(Why.OFF, "events are switched off; set `events.enabled` to true to send them")
        decoder = self._reader()
        lines = _lines(content_type)
        who = self._admitted(sender)
        async with self._slots:
            events = _events(await body(), lines=lines)
            tally = _Tally()
            place = 0
            while some := list(islice(events, _SLICE)):
                now = self._clock.time()
                who.refill(now, self._settings.rate)
                who.heard_at = now
                who.budget -= len(some)
                self._count(decoder.decode(some, place, now, sender), len(some), now, sender, tally)
                place += len(some)
                await asyncio.sleep(0)
        if not place:
            raise EventsRefused(Why.UNREADABLE, "got no event, expected at least one")
        return tally.receipt()

    def updates(self, now: float) -> tuple[Update, ...]:
        """What the metrics say of it; ends the gauges of senders that are quiet."""
        if self._decoder is None:
            return ()
        for name, sender in list(self._senders.items()):
            if now - sender.heard_at > self._settings.quiet:
                del self._senders[name]
                self._store.end(f"{SOURCE}:{name}", now)
        results, self._results = self._results, Counter()
        counted = (Update(EVENTS, count, Labels(result=result)) for result, count in results.items() if count)
        return (Update(EVENT_SENDERS, len(self._senders)), *counted)

    def _reader(self) -> "Decoder":
        if self._decoder is None:
            from sidecar.ingest.events import Decoder

            self._decoder = Decoder(self._recorded)
            self._bound()
        return self._decoder

    def _bound(self) -> None:
        from sidecar.ingest import names

        free = partial(names.free, recorded=self._recorded())
        claim = Claim(free, self._settings.series, self._settings.series_per_metric)
        self._store.bound(SOURCE, claim, self._clock.time())

    def _admitted(self, name: str) -> _Sender:
        from sidecar.ingest.events import is_sender

        if not is_sender(name):
            raise EventsRefused(
                Why.UNREADABLE, "got an unusable `sender`, expected up to 60 letters, digits and any of . _ : / -"
            )
        now = self._clock.time()
        sender = self._senders.get(name)
        if sender is None:
            if len(self._senders) >= _SENDERS:
                self._refuse_all()
                raise EventsRefused(
                    Why.TOO_FAST,
                    f"there are {_SENDERS} senders already, expected no more; give those of one kind the same name",
                    retry_after=self._settings.quiet,
                )
            sender = self._senders[name] = _Sender(now, now, 2 * self._settings.rate)
        sender.refill(now, self._settings.rate)
        if sender.budget <= 0:
            self._refuse_all()
            raise EventsRefused(
                Why.TOO_FAST,
                f"more than {self._settings.rate:g} events a second; raise `events.rate`, or send counts as counters",
                retry_after=-sender.budget / self._settings.rate + 1,
            )
        return sender

    def _refuse_all(self) -> None:
        self._store.refuse(SOURCE, Reason.RATE)  # a request; nobody knows how many events it has

    def _count(self, found: "Effects", many: int, now: float, sender: str, tally: _Tally) -> None:
        """Take in what one slice came to."""
        for rejection in found.rejected:
            self._store.refuse(SOURCE, rejection.reason)
            tally.reject(rejection.index, rejection.reason, rejection.message)
        lost = dict(self._append(SOURCE, found.counted, now))
        lost |= dict(self._append(f"{SOURCE}:{sender}", found.measured, now))
        for index, reason in lost.items():
            tally.reject(index, reason, _meaning(reason))
        rejected = len(found.rejected) + len(lost)
        accepted = many - rejected - found.duplicates
        tally.accepted += accepted
        tally.duplicates += found.duplicates
        self._results.update(accepted=accepted, duplicate=found.duplicates, rejected=rejected)

    def _append(self, source: str, effects: "list[Effect]", now: float) -> Iterator[tuple[int, Reason]]:
        """Hand *effects* in; the events that the store did not take."""
        if not effects:
            return
        updates = tuple(effect.update for effect in effects)
        for number, reason in self._store.take(Batch(source, now, updates, write=False, whole=False)):
            for index in effects[number].events:
                yield index, reason


def _lines(content_type: str) -> bool:
    """Whether a body of that type has an event a line; raises EventsRefused when nobody can tell."""
    from sidecar.ingest.reading import JSON, NDJSON

    if content_type in NDJSON:
        return True
    if content_type in JSON:
        return False
    expected = "application/json or application/x-ndjson"
    raise EventsRefused(Why.UNSUPPORTED, f"got a body of the type {content_type[:60]!r}, expected {expected}")


def _events(body: bytes, *, lines: bool) -> Iterator[object]:
    from sidecar.ingest.reading import TooMany, Unreadable, read

    try:
        return read(body, lines=lines)
    except TooMany as exc:
        raise EventsRefused(Why.TOO_LARGE, str(exc)) from None
    except Unreadable as exc:
        raise EventsRefused(Why.UNREADABLE, str(exc)) from None


def _meaning(reason: Reason) -> str:
    from sidecar.ingest.rejecting import MEANING

    return MEANING.get(reason, str(reason))
