"""The store against a model of it: lists, and no cleverness."""

import math
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model.labels import Labels
from sidecar.model.samples import STALE, Batch, Family, Kind, Update, is_stale
from sidecar.store import Store

GAUGE = Family("g", Kind.GAUGE, "")
UNTYPED = Family("u", Kind.UNTYPED, "")
COUNTER = Family("c_total", Kind.COUNTER, "")
HISTOGRAM = Family("h", Kind.HISTOGRAM, "", (1.0, 3.0))
SERIES_OF: dict[str, list[tuple[str, str, Callable[[float], float]]]] = {
    "g": [("g", "", float)],
    "u": [("u", "", float)],
    "c_total": [("c_total", "", float)],
    "h": [
        ("h_bucket", "1.0", lambda v: float(v <= 1)),
        ("h_bucket", "3.0", lambda v: float(v <= 3)),
        ("h_bucket", "+Inf", lambda v: 1.0),
        ("h_sum", "", float),
        ("h_count", "", lambda v: 1.0),
    ],
}
TICK = 5_000


class Naive:
    """What the store promises, in the plainest words: every series a list of [ms, value], nothing pruned."""

    def __init__(self) -> None:
        self.samples: dict[Labels, list[list[Any]]] = {}
        self.values: dict[Labels, float] = {}
        self.owner: dict[tuple[str, Labels], str] = {}
        self.started: dict[str, int] = {}
        self.refused = 0
        self.ticked: int | None = None

    def series(self, child: tuple[str, Labels]) -> list[Labels]:
        name, labels = child
        return [labels.with_(__name__=n, le=bound) for n, bound, _ in SERIES_OF[name]]

    def mine(self, source: str, *, gauges: bool = False) -> list[tuple[str, Labels]]:
        return [c for c, owner in self.owner.items() if owner == source and (not gauges or c[0] in "gu")]

    def write(self, series: Labels, at: int, value: float) -> bool:
        kept = self.samples.setdefault(series, [])
        if kept and kept[-1][0] > at:
            return False
        if kept and kept[-1][0] == at:
            kept.pop()
        kept.append([at, value])
        return True

    def append(self, batch: Batch) -> None:
        at = round(batch.at * 1000)
        self.started.setdefault(batch.source, at)
        named = set()
        for update in batch.updates:
            child = update.family.name, update.labels
            if self.owner.get(child, batch.source) != batch.source:
                self.refused += 1
                continue
            named.add(child)
            if child not in self.owner:
                self.owner[child] = batch.source
                self.birth(child, at, counted=update.family.kind in (Kind.COUNTER, Kind.HISTOGRAM))
            for series, (_, _, step) in zip(self.series(child), SERIES_OF[child[0]], strict=True):
                before = self.values[series] if child[0] not in "gu" else 0.0
                self.values[series] = before + step(update.value)
        if batch.whole:
            for child in self.mine(batch.source, gauges=True):
                if child not in named:
                    self.end(child, at)
        if batch.write:
            for child in self.mine(batch.source):
                self.refused += sum(not self.write(series, at, self.values[series]) for series in self.series(child))

    def birth(self, child: tuple[str, Labels], at: int, *, counted: bool) -> None:
        before = math.ceil(at / TICK) * TICK - TICK
        late = self.ticked is not None and self.ticked < before
        zero = max(self.started[self.owner[child]], before - TICK if late else before)
        for series in self.series(child):
            self.values[series] = 0.0
            kept = self.samples.setdefault(series, [])
            if counted and zero < at and (not kept or kept[-1][0] < zero):
                kept.append([zero, 0.0])

    def end(self, child: tuple[str, Labels], at: int) -> None:
        del self.owner[child]
        for series in self.series(child):
            kept = self.samples[series]
            if kept and not is_stale(kept[-1][1]):
                self.write(series, max(at, kept[-1][0]), STALE)

    def tick(self, at: int) -> None:
        self.ticked = at
        for child in self.owner:
            for series in self.series(child):
                self.write(series, at, self.values[series])


def readable(samples: dict[Labels, list[list[Any]]]) -> dict[str, list[tuple[int, Any]]]:
    return {
        str(labels): [(at, "stale" if is_stale(value) else value) for at, value in kept]
        for labels, kept in samples.items()
        if kept
    }


children = st.tuples(st.sampled_from([GAUGE, UNTYPED, COUNTER, HISTOGRAM]), st.sampled_from([Labels(), Labels(x="1")]))
updates = st.builds(lambda child, value: Update(child[0], value, child[1]), children, st.integers(0, 5))
sources = st.sampled_from(["a", "b"])
steps = st.tuples(
    st.integers(-4, 16).map(lambda halves: halves * 500),  # ms: time may stand still, go back a little, meet a tick
    st.one_of(
        st.tuples(st.just("append"), sources, st.lists(updates, max_size=4), st.booleans(), st.booleans()),
        st.tuples(st.just("tick")),
        st.tuples(st.sampled_from(["begin", "end", "end_gauges"]), sources),
    ),
)


@settings(max_examples=100)
@given(st.lists(steps, max_size=25))
def test_the_store_does_what_the_naive_model_does(history):
    """Whatever sources, ticks and ends come in whatever order, samples and refusals are the model's."""
    store, model = Store(tick=TICK / 1000), Naive()
    now = 1_000_000
    for passed, (what, *rest) in history:
        now += passed
        at = now / 1000
        if what == "append":
            source, changes, write, whole = rest
            batch = Batch(source, at, tuple(changes), write=write, whole=whole)
            store.append(batch)
            model.append(batch)
        elif what == "tick":
            store.tick(at)
            model.tick(now)
        elif what == "begin":
            store.begin(rest[0], at)
            model.started[rest[0]] = now
        else:
            getattr(store, what)(rest[0], at)
            for child in model.mine(rest[0], gauges=what == "end_gauges"):
                model.end(child, now)
            if what == "end":
                model.started.pop(rest[0], None)

        found = {s.labels: [list(pair) for pair in zip(s.times, s.values, strict=True)] for s in store.select([])}
        assert readable(found) == readable(model.samples)
        assert sum(store.dropped().values()) == model.refused
        assert sum(len(values) for _, values in store.live()) == len(model.owner)
