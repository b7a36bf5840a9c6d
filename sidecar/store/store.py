"""Where samples live."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from sidecar.model.families import SAMPLES_REFUSED, SERIES
from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher
from sidecar.model.samples import Batch, Family, HistogramValue, Kind, Update, is_stale
from sidecar.store import percentiles
from sidecar.store.claims import Claim, Claims
from sidecar.store.index import Index
from sidecar.store.limits import NEVER, Limits, Reason, Refusals, milliseconds
from sidecar.store.live import SET, Catalogue, Child, Source, identities
from sidecar.store.percentiles import Percentiles
from sidecar.store.series import Series


class Store:
    """The current value of every live series, and the recent samples of every remembered one.

    A series belongs to the source that first named it, and lives until that source ends it with a staleness marker.
    It gets a sample when a batch of its source says so, and at every tick: the daemon scrapes itself. Nothing that a
    source hands in raises; what cannot be taken is counted.

    `append` is an `Emit`, and the store is a `Querier`. Times are seconds outside and whole ms inside.
    """

    def __init__(self, *, tick: float = 15.0, retention: float = 3900.0, limits: Limits | None = None) -> None:
        self._tick = round(tick * 1000)
        self._retention = round(retention * 1000)
        self._limits = limits or Limits()
        self._index = Index()
        self._catalogue = Catalogue()
        self._claims = Claims()
        self._percentiles = Percentiles()
        self._sources: dict[str, Source] = {}
        self._refusals = Refusals()
        self._ended: OrderedDict[Series, None] = OrderedDict()  # remembered but not live, the earliest end first
        self._ticking: list[Series] | None = None  # every live series; None when it must be gathered anew
        self._pruned: int | None = None  # when samples were last pruned
        self._ticked: int | None = None  # the latest tick that was written

    # What sources do.

    def begin(self, source: str, at: float) -> None:
        """*source* starts: what it counts from now on was 0 then."""
        started = milliseconds(at)
        if started is None:
            self._refusals.count(source, Reason.TIME)
        elif source in self._sources:
            self._sources[source].started = started
        else:
            self._sources[source] = Source(source, started)

    def append(self, batch: Batch, /) -> None:
        """Take in what a source found out."""
        self.take(batch)

    def take(self, batch: Batch, /) -> Sequence[tuple[int, Reason]]:
        """Take in what a source found out; which of the updates were refused, and why."""
        at = milliseconds(batch.at)
        if at is None:
            self._refusals.count(self._claims.name(batch.source), Reason.TIME, max(1, len(batch.updates)))
            return [(number, Reason.TIME) for number in range(len(batch.updates))]
        source = self._sources.get(batch.source)
        if source is None:
            source = self._sources[batch.source] = Source(batch.source, at)
        source.batches += 1
        refused = []
        for number, update in enumerate(batch.updates):
            reason = self._apply(source, update, at)
            if reason is not None:
                self._refusals.count(self._claims.name(source.name), reason)
                refused.append((number, reason))
        if batch.whole:
            for child in [child for child in source.gauges if child.named != source.batches]:
                self._end(child, at)
        if batch.write:
            late = sum(not series.write(at, series.value) for series in source.series())
            if late:
                self._refusals.count(source.name, Reason.OUT_OF_ORDER, late)
        return refused

    def refuse(self, source: str, reason: Reason, samples: int = 1) -> None:
        """Count samples that *source* had and that never came here."""
        self._refusals.count(source, reason, samples)

    def bound(self, kind: str, claim: Claim, at: float) -> None:
        """From now on, sources of that *kind* have no more than *claim* says; what is reserved now ends at *at*."""
        self._claims.bound(kind, claim)
        ms = milliseconds(at)
        for source in self._sources.values():
            for child in [child for child in source.children if not self._claims.allows(child)]:
                self._end(child, NEVER if ms is None else ms)

    def end(self, source: str, at: float) -> None:
        """*source* is gone, and its series with it."""
        self._end_all(source, at, only_gauges=False)
        self._sources.pop(source, None)

    def end_gauges(self, source: str, at: float) -> None:
        """What *source* measured last is not true any more; what it counted is."""
        self._end_all(source, at, only_gauges=True)

    # What the clock does.

    def grid(self, now: float) -> float:
        """The latest tick that is not after *now*: ticks are multiples of their interval since the epoch."""
        ms = round(now * 1000)
        return (ms - ms % self._tick) / 1000

    def tick(self, at: float) -> None:
        """Write the current value of every live series at one time; now and then forget what is too old.

        A series that has a later sample already is left alone.
        """
        ms = milliseconds(at)
        if ms is None:
            raise ValueError(f"got a tick at {at!r}, expected seconds since the epoch")
        self.append(Batch(percentiles.SOURCE, at, tuple(self._percentiles.updates(ms)), write=False))
        if self._ticking is None:
            self._ticking = [series for source in self._sources.values() for series in source.series()]
        for series in self._ticking:
            if ms > series.last:  # Series.write in place: this loop is what a tick costs
                series.times.append(ms)
                series.values.append(series.value)
                series.last = ms
            elif ms == series.last:
                series.values[-1] = series.value
        self._ticked = ms
        # Sixteen times per retention: each sample is looked at rarely, and outlives its time by a sixteenth at most.
        if self._pruned is None or ms - self._pruned >= self._retention // 16:
            self._prune(ms)

    def clear(self) -> None:
        """Drop every sample and keep the current values: the clock went back, and time begins anew."""
        for source in self._sources.values():
            source.started = 0  # it has begun, whatever the clock says
            for series in source.series():
                series.clear()
        self._index.forget(list(self._ended))
        self._ended.clear()
        self._percentiles.clear()
        self._pruned = self._ticked = None

    def retain(self, seconds: float) -> None:
        """Keep samples for at least *seconds*; never for less than before."""
        self._retention = max(self._retention, round(seconds * 1000))

    # What readers do.

    @property
    def generation(self) -> int:
        """Grows whenever a series is born or forgotten; new samples leave it alone."""
        return self._index.generation

    @property
    def retention(self) -> float:
        """How long samples are kept, in seconds."""
        return self._retention / 1000

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """Every remembered series that satisfies all *matchers*; see `Querier`."""
        return self._index.select(matchers)

    def live(self) -> Iterable[tuple[Family, list[tuple[Labels, float | HistogramValue]]]]:
        """The current values, by metric in the order of their names."""
        for _, metric in sorted(self._catalogue.metrics.items()):
            yield metric.family, [(labels, child.read()) for labels, child in metric.children.items()]

    def dropped(self) -> Mapping[tuple[str, Reason], int]:
        """Samples that were refused since the start, by source and reason."""
        return self._refusals.total()

    def report(self) -> tuple[Update, ...]:
        """The store's own metrics; what was refused since this was asked last."""
        refused = (
            Update(SAMPLES_REFUSED, count, Labels(source=source, reason=reason))
            for (source, reason), count in self._refusals.fresh()
        )
        return Update(SERIES, len(self._index) - len(self._ended)), *refused

    # How it is done.

    def _apply(self, source: Source, update: Update, at: int) -> Reason | None:
        """Change one current value; the reason, when it is refused."""
        kind = update.family.kind
        try:
            value = float(update.value)
        except (TypeError, ValueError, OverflowError):
            return Reason.VALUE
        if kind in SET:
            if is_stale(value):
                return Reason.VALUE  # ending is the store's to say
        elif not math.isfinite(value):
            return Reason.VALUE  # a sum would never be a number again
        elif value < 0:
            return Reason.NEGATIVE
        child = self._child(source, update, at)
        if isinstance(child, Reason):
            return child
        child.named = source.batches
        if kind in SET:
            child.series[0].value = value
        elif kind is Kind.COUNTER:
            child.series[0].value += value
        else:
            child.observe(value)
            if update.family.percentiles:
                self._percentiles.observe(child, value, at)
        return None

    def _child(self, source: Source, update: Update, at: int) -> Child | Reason:
        """The live child that *update* is about, born now if it has to be."""
        family, labels = update.family, update.labels
        if not self._catalogue.fits(family):
            return Reason.KIND
        metric = self._catalogue.metrics.get(family.name)
        child = metric.children.get(labels) if metric else None
        if child is not None:
            return child if child.source is source else Reason.OWNED
        reason = self._limits.refuse(family, labels)
        if reason is not None:
            return reason
        wanted = tuple(identities(family, labels))
        reason = self._claims.refuse(source.name, family, len(wanted))
        if reason is not None:
            return reason
        if not self._room(wanted, self._limits.of(family)):
            return Reason.LIMIT
        child = Child(source, family, labels, tuple(self._series(identity) for identity in wanted))
        source.children[child] = None
        self._catalogue.add(child)
        self._claims.count(child)
        self._ticking = None
        if family.kind in SET:
            source.gauges[child] = None
        else:
            self._zero(child, at)
        return child

    def _series(self, identity: Labels) -> Series:
        """The series of that name, back from its end or new."""
        series = self._index.get(identity)
        if series is None:
            series = Series(identity)
            self._index.add(series)
        else:
            del self._ended[series]
            series.value = 0.0
        return series

    def _room(self, wanted: Sequence[Labels], most: int) -> bool:
        """Whether these series fit into *most*; what has ended makes room for what lives, the earliest end first."""
        new = sum(self._index.get(identity) is None for identity in wanted)
        excess = len(self._index) + new - most
        if excess <= 0:
            return True
        # More than is needed, because forgetting many costs little more than forgetting one.
        many = max(excess, len(self._ended) // 8)
        spare = list(islice((series for series in self._ended if series.labels not in wanted), many))
        if len(spare) < excess:
            return False
        for series in spare:
            del self._ended[series]
        self._index.forget(spare)
        return True

    def _zero(self, child: Child, at: int) -> None:
        """Let what is counted begin with a 0 before its first sample, so that the first error is an increase.

        It was 0 at the tick before, or when its source started, whichever is later.
        """
        tick_before = (at - 1) - (at - 1) % self._tick
        if self._ticked is not None and self._ticked < tick_before:
            tick_before -= self._tick  # that one is yet to be written, a little late, and would replace the 0
        zero = max(child.source.started, tick_before)
        if zero < at:
            for series in child.series:
                if zero > series.last:
                    series.write(zero, 0.0)

    def _end_all(self, name: str, at: float, *, only_gauges: bool) -> None:
        source = self._sources.get(name)
        if source is None:
            return
        ms = milliseconds(at)
        for child in list(source.gauges if only_gauges else source.children):
            self._end(child, NEVER if ms is None else ms)  # what is over ends, at its last sample if need be

    def _end(self, child: Child, at: int) -> None:
        del child.source.children[child]
        child.source.gauges.pop(child, None)
        self._catalogue.remove(child)
        self._claims.count(child, -1)
        self._ticking = None
        for series in child.series:
            series.end(at)
            if series.times:
                self._ended[series] = None
        self._index.forget([series for series in child.series if not series.times])

    def _prune(self, now: int) -> None:
        self._pruned = now
        before = now - self._retention
        for series in self._ticking or ():
            series.trim(before)
        forgotten = [series for series in self._ended if series.last < before]
        for series in forgotten:
            del self._ended[series]
        self._index.forget(forgotten)
