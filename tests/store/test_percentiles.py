from typing import Any

import pytest

from sidecar.model.families import CLAUDE_DURATION
from sidecar.model.labels import EMPTY, Labels
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.model.samples import Batch, Family, HistogramValue, Kind, Update, is_stale
from sidecar.store import Claim, Reason, Store
from sidecar.store.percentiles import Percentiles

NAME = "claude_request_duration_seconds"
TRAFFIC = Labels(model="claude-opus-5", target="api", source="traffic")


def observe(
    store: Store, at: float, *values: float, labels: Labels = TRAFFIC, family: Family = CLAUDE_DURATION
) -> None:
    updates = tuple(Update(family, value, labels) for value in values)
    store.append(Batch("events", at, updates, write=False, whole=False))


def live(store: Store, name: str) -> dict[Labels, float | HistogramValue]:
    return {labels: value for family, children in store.live() if family.name == name for labels, value in children}


def test_percentiles_are_written_at_ticks():
    """At a tick each rank of each window has a value, and how many observations are behind it."""
    store = Store()
    observe(store, 100.0, *(n / 100 for n in range(1, 101)))
    store.tick(105.0)

    found = live(store, f"{NAME}_quantile")
    assert len(found) == 12
    assert found[TRAFFIC.with_(window="5m", quantile="0.95")] == pytest.approx(0.95, rel=0.01)
    assert found[TRAFFIC.with_(window="1m", quantile="0.5")] == pytest.approx(0.5, rel=0.01)
    assert live(store, f"{NAME}_window_count") == {TRAFFIC.with_(window=w): 100.0 for w in ("1m", "5m", "1h")}


def test_an_empty_window_has_no_series():
    """What was observed leaves the shorter windows first; their series end, and none says 0."""
    store = Store()
    observe(store, 100.0, 1.0)
    store.tick(105.0)
    store.tick(180.0)

    assert set(live(store, f"{NAME}_window_count")) == {TRAFFIC.with_(window="5m"), TRAFFIC.with_(window="1h")}
    name = Matcher("__name__", MatchOp.EQ, f"{NAME}_quantile")
    (ended,) = store.select([name, Matcher("window", MatchOp.EQ, "1m"), Matcher("quantile", MatchOp.EQ, "0.5")])
    assert is_stale(ended.values[-1])
    store.tick(100.0 + 4000)
    assert live(store, f"{NAME}_quantile") == {}
    assert live(store, NAME) != {}


def test_what_observes_again_after_an_empty_hour_is_counted():
    """A histogram whose percentiles had ended gets them back."""
    store = Store()
    observe(store, 100.0, 1.0)
    store.tick(105.0)
    store.tick(5000.0)
    observe(store, 5001.0, 2.0)
    store.tick(5010.0)

    assert live(store, f"{NAME}_window_count")[TRAFFIC.with_(window="1m")] == 1.0


def test_probes_and_traffic_are_kept_apart_and_other_labels_together():
    """Percentiles are kept by model, target and source alone, whatever else the histogram is labelled with."""
    store = Store()
    probe = TRAFFIC.with_(source="probe")
    observe(store, 100.0, 1.0, labels=probe.with_(check="a", type="claude.messages"))
    observe(store, 100.0, 2.0, labels=probe.with_(check="b", type="claude.messages"))
    observe(store, 100.0, 9.0)
    store.tick(105.0)

    counts = live(store, f"{NAME}_window_count")
    assert counts[probe.with_(window="1m")] == 2.0
    assert counts[TRAFFIC.with_(window="1m")] == 1.0


def test_only_histograms_that_want_percentiles_have_them():
    """A plain histogram stays one."""
    store = Store()
    observe(store, 100.0, 1.0, labels=EMPTY, family=Family("h_seconds", Kind.HISTOGRAM, "", (1.0,)))
    store.tick(105.0)

    assert {family.name for family, _ in store.live()} == {"h_seconds"}


def test_label_sets_beyond_the_limit_are_folded():
    """The 51st label set of a metric goes into `other`, and is counted."""
    store = Store()
    for n in range(60):
        observe(store, 100.0, 1.0, labels=TRAFFIC.with_(model=f"m{n}"))
    store.tick(105.0)
    counts = live(store, f"{NAME}_window_count")

    assert len(counts) == 3 * 51
    assert counts[Labels(model="other", target="other", source="traffic", window="1m")] == 10.0
    assert live(store, "sidecar_percentiles_folded_total") == {Labels(metric=NAME): 10.0}


def test_all_metrics_together_have_a_limit():
    """When there are too many sketches altogether, further metrics have none, and that is counted."""
    store = Store()
    store._percentiles = Percentiles(altogether=2)
    for name in ("a_seconds", "b_seconds", "c_seconds"):
        observe(store, 100.0, 1.0, labels=EMPTY, family=Family(name, Kind.HISTOGRAM, "", (1.0,), percentiles=True))
    store.tick(105.0)

    assert live(store, "c_seconds_quantile") == {}
    assert live(store, "b_seconds_window_count") != {}
    assert live(store, "sidecar_percentiles_folded_total") == {Labels(metric="c_seconds"): 1.0}


def test_clamped_values_are_counted_once():
    """Values outside of the range are told by metric."""
    store = Store()
    observe(store, 100.0, 0.0, 1e6, 1.0)
    store.tick(105.0)
    store.tick(120.0)

    assert live(store, "sidecar_percentiles_clamped_total") == {Labels(metric=NAME): 2.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "x"])
def test_what_is_no_observation_reaches_no_percentile(value: Any):
    """NaN, infinities, negative values and text are refused before they count."""
    store = Store()
    observe(store, 100.0, 1.0, value)
    store.tick(105.0)

    assert live(store, f"{NAME}_window_count")[TRAFFIC.with_(window="1m")] == 1.0
    assert sum(store.dropped().values()) == 1


def test_a_clock_set_back_begins_percentiles_anew():
    """After `clear` nothing observed before counts, and new values do."""
    store = Store()
    observe(store, 10_000.0, 1.0)
    store.tick(10_005.0)
    store.clear()
    observe(store, 100.0, 5.0)
    store.tick(105.0)

    assert live(store, f"{NAME}_window_count")[TRAFFIC.with_(window="1h")] == 1.0


class TestClaims:
    def test_a_bounded_kind_cannot_take_reserved_names(self):
        """A name that is not free to a kind of source is refused to it, and to it alone."""
        store = Store()
        store.bound("events", _claim(), 0.0)
        mine = Update(Family("mine", Kind.GAUGE, ""), 1.0)
        sidecar = Update(Family("sidecar_x", Kind.GAUGE, ""), 1.0)

        assert store.take(Batch("events:a", 1.0, (mine, sidecar))) == [(1, Reason.RESERVED)]
        assert store.take(Batch("daemon", 1.0, (sidecar,))) == []

    def test_a_bounded_kind_has_its_own_limits(self):
        """One metric, and all together, have a limit; what ends makes room."""
        store = Store()
        store.bound("events", _claim(series=4, series_per_metric=3), 0.0)

        def take(name: str, n: int) -> list[Reason]:
            update = Update(Family(name, Kind.GAUGE, ""), 1.0, Labels(n=str(n)))
            return [reason for _, reason in store.take(Batch("events", 1.0, (update,), whole=False))]

        assert [take("a", n) for n in range(4)] == [[], [], [], [Reason.LIMIT]]
        assert [take("b", n) for n in range(2)] == [[], [Reason.LIMIT]]
        store.end_gauges("events", 2.0)
        assert take("a", 9) == []

    def test_a_name_reserved_later_ends_what_has_it(self):
        """When a name becomes reserved, live series of that name that should not have it end."""
        store = Store()
        store.bound("events", _claim(), 0.0)
        store.append(Batch("events", 1.0, (Update(Family("mine", Kind.GAUGE, ""), 1.0),)))
        store.bound("events", _claim(prefix="mine"), 2.0)

        assert list(store.live()) == []


def _claim(prefix: str = "sidecar_", **limits: int) -> Claim:
    return Claim(lambda name: not name.startswith(prefix), **limits)
