"""How long the loop is held while /metrics of five thousand series is written, beside prometheus-client's own text."""

import asyncio
import gc
from collections.abc import Iterator
from time import perf_counter, thread_time

from prometheus_client import generate_latest
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from sidecar.api.exposition import Exposition, negotiate
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Family, Kind, Update
from sidecar.store import Store
from tests.bench.wires import quantile

SERIES, METRICS, GOAL = 5000, 50, 0.010


class _Theirs:
    def collect(self) -> Iterator[Metric]:
        for number in range(METRICS):
            family = GaugeMetricFamily(f"m{number}", "A metric.", labels=["check", "target"])
            for n in range(SERIES // METRICS):
                family.add_metric([f"check-{n}", "https://api.example/v1"], n / 7)
            yield family


def _store() -> Store:
    store = Store()
    store.append(
        Batch(
            "bench",
            1.0,
            tuple(
                Update(
                    Family(f"m{number}", Kind.GAUGE, "A metric."),
                    n / 7,
                    Labels(check=f"check-{n}", target="https://api.example/v1"),
                )
                for number in range(METRICS)
                for n in range(SERIES // METRICS)
            ),
        )
    )
    return store


async def measure(rounds: int = 100) -> str:
    """The longest turn of the loop in each scrape, in processor time, and what one whole text costs."""
    gc.collect()
    gc.freeze()  # as the daemon does: what is loaded for good is not looked at again
    store, exposition, form = _store(), Exposition(), negotiate("")
    gaps: list[float] = []
    totals: list[float] = []
    for number in range(rounds + 1):
        writing = asyncio.create_task(exposition.text(store.live(), form))
        began, last = perf_counter(), thread_time()
        longest = 0.0
        while not writing.done():
            await asyncio.sleep(0)
            now = thread_time()
            longest, last = max(longest, now - last), now
        if number == 0:
            first = longest
            continue
        gaps.append(longest)
        totals.append(perf_counter() - began)
    registry = CollectorRegistry()
    registry.register(_Theirs())
    theirs = []
    for _ in range(rounds):
        began = thread_time()
        generate_latest(registry)
        theirs.append(thread_time() - began)
    ours, other = quantile(gaps, 0.99), quantile(theirs, 0.99)
    verdict = "met" if ours <= GOAL else "missed"
    held = f"held {1000 * quantile(gaps, 0.5):.1f} ms, p99 {1000 * ours:.1f} ms, at first {1000 * first:.1f} ms"
    theirs_held = f"{1000 * quantile(theirs, 0.5):.1f} ms, p99 {1000 * other:.1f} ms"
    return "\n".join(
        [
            f"{SERIES} series: the loop is {held}   (goal: p99 <= {1000 * GOAL:.0f} ms: {verdict})",
            f"a whole text takes {1000 * quantile(totals, 0.5):.1f} ms; generate_latest holds the loop {theirs_held}",
        ]
    )
