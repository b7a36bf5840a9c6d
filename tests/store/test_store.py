import math
from typing import Any

import pytest

from sidecar.model.labels import EMPTY, Labels
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.model.samples import STALE, Batch, Emit, Family, HistogramValue, Kind, Update, is_stale
from sidecar.promql.querier import Querier
from sidecar.store import Limits, Reason, Store

UP = Family("probe_success", Kind.GAUGE, "Whether it worked.")
STATUS = Family("probe_http_status_code", Kind.GAUGE, "What it said.")
ERRORS = Family("errors_total", Kind.COUNTER, "What went wrong.")
LATENCY = Family("latency_seconds", Kind.HISTOGRAM, "How long it took.", (0.1, 1.0))
RECORDED = Family("job:errors:rate5m", Kind.UNTYPED, "")
QUANTILE = Family("latency_quantile", Kind.SUMMARY, "")


def batch(at: float, *updates: Update, source: str = "check:a", write: bool = True, whole: bool = True) -> Batch:
    return Batch(source, at, updates, write=write, whole=whole)


def samples(store: Store, name: str, **labels: str) -> dict[float, Any]:
    """The samples of the one series of that name and labels, as {seconds: value}, the end being "stale"."""
    wanted = [Matcher("__name__", MatchOp.EQ, name), *(Matcher(k, MatchOp.EQ, v) for k, v in labels.items())]
    found = store.select(wanted)
    assert len(found) <= 1, f"{len(found)} series"
    return {
        ms / 1000: "stale" if is_stale(value) else value
        for series in found
        for ms, value in zip(series.times, series.values, strict=True)
    }


def values(store: Store) -> dict[str, Any]:
    """The current values by the text of their series."""
    return {
        str(labels.with_(__name__=family.name)): value
        for family, children in store.live()
        for labels, value in children
    }


def test_the_store_keeps_both_contracts():
    """The store takes batches as sources hand them out, and answers as queries ask."""
    store = Store()
    emit: Emit = store.append
    querier: Querier = store

    emit(batch(10.0, Update(UP, 1)))

    assert [list(series.values) for series in querier.select([])] == [[1.0]]


class TestWriting:
    def test_a_check_s_series_get_a_sample_at_the_probe_s_end(self):
        """A batch that writes gives each live series of its source a sample at its instant, to the millisecond."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1), Update(ERRORS, 2)))
        store.append(batch(12.3456, Update(UP, 0)))

        assert samples(store, "probe_success") == {10.0: 1, 12.346: 0}
        assert samples(store, "errors_total") == {10.0: 2, 12.346: 2}

    def test_a_batch_writes_only_its_own_source(self):
        """Another source's series get no sample from a batch."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1, Labels(check="a"))))
        store.append(batch(11.0, Update(UP, 1, Labels(check="b")), source="check:b"))

        assert samples(store, "probe_success", check="a") == {10.0: 1}

    def test_events_are_written_at_ticks_only(self):
        """A batch that does not write changes the current value; the tick writes it."""
        store = Store()
        for at in (10.0, 11.0, 12.0):
            store.append(batch(at, Update(UP, at), write=False))
        store.tick(15.0)

        assert samples(store, "probe_success") == {15.0: 12.0}

    def test_a_tick_writes_every_live_series_at_one_time(self):
        """A series whose source runs seldom is written at each tick all the same."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1)))
        store.append(batch(11.0, Update(ERRORS, 3), source="events", write=False))
        for at in (15.0, 30.0, 45.0):
            store.tick(at)

        assert samples(store, "probe_success") == {10.0: 1, 15.0: 1, 30.0: 1, 45.0: 1}
        assert samples(store, "errors_total") == {15.0: 3, 30.0: 3, 45.0: 3}

    def test_the_same_millisecond_replaces(self):
        """A second sample at one time takes the first one's place."""
        store = Store()
        store.append(batch(15.0, Update(UP, 1)))
        store.append(batch(15.0, Update(UP, 0)))
        assert samples(store, "probe_success") == {15.0: 0}
        store.append(batch(15.0, Update(UP, 7), write=False))
        store.tick(15.0)

        assert samples(store, "probe_success") == {15.0: 7}
        assert store.dropped() == {}

    def test_a_sample_before_the_last_is_refused_and_counted(self):
        """Time does not go back: the value changes, the sample is refused for each series."""
        store = Store()
        store.append(batch(20.0, Update(UP, 1), Update(ERRORS, 1)))
        store.append(batch(19.0, Update(UP, 0)))

        assert samples(store, "probe_success") == {20.0: 1}
        assert store.dropped() == {("check:a", Reason.OUT_OF_ORDER): 2}
        assert values(store)["probe_success"] == 0

    def test_a_tick_behind_a_newer_sample_is_no_loss(self):
        """A tick leaves series alone that have a later sample, and counts nothing."""
        store = Store()
        store.append(batch(15.01, Update(UP, 1)))
        store.tick(15.0)

        assert samples(store, "probe_success") == {15.01: 1}
        assert store.dropped() == {}

    def test_ticks_are_on_the_grid(self):
        """The grid is multiples of the tick since the epoch."""
        store = Store(tick=15.0)
        assert [store.grid(now) for now in (0.0, 14.999, 15.0, 1_700_000_001.5)] == [0, 0, 15, 1_699_999_995]

    def test_a_tick_at_no_time_is_a_mistake(self):
        """The clock's own mistake is not swallowed."""
        with pytest.raises(ValueError, match="nan"):
            Store().tick(math.nan)


class TestKinds:
    def test_gauges_are_set(self):
        """Gauges, recorded series and quantiles have the last value, be it negative, infinite or NaN."""
        store = Store()
        store.append(batch(1.0, Update(UP, 5), Update(RECORDED, 1), Update(QUANTILE, 2, Labels(quantile="0.5"))))
        store.append(
            batch(2.0, Update(UP, -3), Update(RECORDED, math.inf), Update(QUANTILE, 1, Labels(quantile="0.5")))
        )

        assert values(store) == {
            "probe_success": -3,
            "job:errors:rate5m": math.inf,
            'latency_quantile{quantile="0.5"}': 1,
        }
        store.append(batch(3.0, Update(RECORDED, math.nan)))
        assert math.isnan(samples(store, "job:errors:rate5m")[3.0])

    def test_counters_add(self):
        """A counter grows by each update, also within one batch."""
        store = Store()
        store.append(batch(1.0, Update(ERRORS, 2), Update(ERRORS, 1)))
        store.append(batch(2.0, Update(ERRORS, 0.5)))

        assert samples(store, "errors_total") == {1.0: 3, 2.0: 3.5}

    def test_histograms_observe(self):
        """Buckets are cumulative and closed above; sum and count stand beside them."""
        store = Store()
        for seconds in (0.05, 0.1, 0.5, 30.0):
            store.append(batch(1.0, Update(LATENCY, seconds, Labels(check="a"))))

        assert samples(store, "latency_seconds_bucket", check="a", le="0.1") == {1.0: 2}
        assert samples(store, "latency_seconds_bucket", check="a", le="1.0") == {1.0: 3}
        assert samples(store, "latency_seconds_bucket", check="a", le="+Inf") == {1.0: 4}
        assert samples(store, "latency_seconds_count", check="a") == {1.0: 4}
        assert samples(store, "latency_seconds_sum", check="a") == {1.0: pytest.approx(30.65)}
        assert values(store) == {
            'latency_seconds{check="a"}': HistogramValue((2, 3, 4), pytest.approx(30.65)),  # type: ignore[arg-type]  # equal to what it stands for
        }

    @pytest.mark.parametrize(
        ("family", "value", "reason"),
        [
            pytest.param(ERRORS, -1, Reason.NEGATIVE, id="a counter does not shrink"),
            pytest.param(ERRORS, math.nan, Reason.VALUE, id="a counter never becomes NaN"),
            pytest.param(ERRORS, math.inf, Reason.VALUE, id="a counter never becomes infinite"),
            pytest.param(LATENCY, -0.1, Reason.NEGATIVE, id="nothing takes less than no time"),
            pytest.param(LATENCY, math.nan, Reason.VALUE, id="a sum never becomes NaN"),
            pytest.param(UP, STALE, Reason.VALUE, id="the marker is not a value"),
            pytest.param(UP, 10**400, Reason.VALUE, id="an integer beyond all floats"),
            pytest.param(UP, "many", Reason.VALUE, id="a text"),
        ],
    )
    def test_what_a_kind_cannot_hold_is_refused(self, family, value, reason):
        """A value that makes no sense is counted, and changes nothing."""
        store = Store()
        store.append(batch(1.0, Update(family, value)))

        assert values(store) == {}
        assert store.dropped() == {("check:a", reason): 1}


class TestBirth:
    def test_the_first_error_is_an_increase(self):
        """A counter born after its source's start was 0 at the tick before."""
        store = Store(tick=15.0)
        store.begin("check:a", 1000.0)
        store.append(batch(1052.0, Update(ERRORS, 1)))

        assert samples(store, "errors_total") == {1050.0: 0, 1052.0: 1}

    def test_a_source_counts_from_its_start(self):
        """The 0 does not stand before the source's start."""
        store = Store(tick=15.0)
        store.begin("check:a", 1050.5)
        store.append(batch(1052.0, Update(ERRORS, 1)))

        assert samples(store, "errors_total") == {1050.5: 0, 1052.0: 1}

    def test_a_birth_on_the_tick_has_its_zero_one_tick_earlier(self):
        """An error at the very instant of a tick is an increase, too."""
        store = Store(tick=15.0)
        store.begin("check:a", 1000.0)
        store.tick(1050.0)
        store.append(batch(1050.0, Update(ERRORS, 1)))

        assert samples(store, "errors_total") == {1035.0: 0, 1050.0: 1}

    def test_a_source_that_never_began_begins_with_its_first_batch(self):
        """Nothing is known from before the first batch; what is born later has its 0."""
        store = Store(tick=15.0)
        store.append(batch(1052.0, Update(ERRORS, 1, Labels(error_type="dns"))))
        store.append(batch(1070.0, Update(ERRORS, 1, Labels(error_type="tls"))))

        assert samples(store, "errors_total", error_type="dns") == {1052.0: 1, 1070.0: 1}
        assert samples(store, "errors_total", error_type="tls") == {1065.0: 0, 1070.0: 1}

    def test_events_have_their_zero_before_the_tick_that_writes_them(self):
        """An event-fed counter has its 0 at the tick before its birth."""
        store = Store(tick=15.0)
        store.begin("events", 1000.0)
        store.append(batch(1052.0, Update(ERRORS, 4), source="events", write=False))
        store.tick(1065.0)

        assert samples(store, "errors_total") == {1050.0: 0, 1065.0: 4}

    def test_a_tick_that_is_written_late_leaves_the_zero(self):
        """What is handed in for a tick, some ms after its instant, was 0 at the tick before that."""
        store = Store(tick=15.0)
        store.begin("daemon", 1000.0)
        store.tick(1035.0)
        store.append(batch(1050.004, Update(ERRORS, 4), source="daemon", write=False))
        store.tick(1050.0)

        assert samples(store, "errors_total") == {1035.0: 0, 1050.0: 4}

    def test_a_histogram_begins_with_zeros(self):
        """Each series of a histogram has its 0."""
        store = Store(tick=15.0)
        store.begin("check:a", 1000.0)
        store.append(batch(1052.0, Update(LATENCY, 0.5)))

        assert [list(series.values) for series in store.select([])] == [[0, 0], [0, 1], [0, 1], [0, 0.5], [0, 1]]

    def test_gauges_have_no_zero(self):
        """A gauge was nothing before its first value."""
        store = Store(tick=15.0)
        store.begin("check:a", 1000.0)
        store.append(batch(1052.0, Update(UP, 1)))

        assert samples(store, "probe_success") == {1052.0: 1}


class TestEnd:
    def test_gauges_that_a_whole_batch_does_not_name_end(self):
        """A gauge that a probe did not measure again is marked stale at once; counters stay."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1), Update(STATUS, 200), Update(RECORDED, 1), Update(ERRORS, 1)))
        store.append(batch(20.0, Update(UP, 0)))

        assert samples(store, "probe_http_status_code") == {10.0: 200, 20.0: "stale"}
        assert samples(store, "job:errors:rate5m") == {10.0: 1, 20.0: "stale"}
        assert samples(store, "errors_total") == {10.0: 1, 20.0: 1}
        assert list(values(store)) == ["errors_total", "probe_success"]

    def test_a_partial_batch_ends_nothing(self):
        """A batch that is not whole leaves what it does not name."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1), Update(STATUS, 200)))
        store.append(batch(20.0, Update(UP, 0), whole=False))

        assert samples(store, "probe_http_status_code") == {10.0: 200, 20.0: 200}

    def test_a_whole_batch_ends_only_its_own_source(self):
        """Another source's gauges do not end."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1, Labels(check="a"))))
        store.append(batch(20.0, source="check:b"))

        assert samples(store, "probe_success", check="a") == {10.0: 1}

    def test_a_source_that_is_gone_takes_its_series_along(self):
        """Each series of a removed source is marked stale and no tick writes it again."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1), Update(LATENCY, 0.5)))
        store.end("check:a", 12.0)
        store.tick(15.0)

        assert all(list(s.times) == [10_000, 12_000] and is_stale(s.values[-1]) for s in store.select([]))
        assert values(store) == {}

    def test_a_lapsed_check_keeps_its_counters(self):
        """Ending the gauges leaves what was counted."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1), Update(ERRORS, 1)))
        store.end_gauges("check:a", 12.0)

        assert samples(store, "probe_success") == {10.0: 1, 12.0: "stale"}
        assert values(store) == {"errors_total": 1}

    def test_a_series_that_returns_goes_on_where_it_was(self):
        """A series that comes back is the same series; a counter begins at 0 again."""
        store = Store(tick=15.0)
        store.append(batch(10.0, Update(ERRORS, 7)))
        store.end("check:a", 12.0)
        generation = store.generation
        store.begin("check:a", 20.0)
        store.append(batch(31.0, Update(ERRORS, 1)))

        assert samples(store, "errors_total") == {10.0: 7, 12.0: "stale", 30.0: 0, 31.0: 1}
        assert store.generation == generation

    def test_an_end_is_marked_once(self):
        """Ending what has ended, or what never was, changes nothing."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1)))
        for at in (12.0, 13.0):
            store.end("check:a", at)
            store.end_gauges("check:b", at)

        assert samples(store, "probe_success") == {10.0: 1, 12.0: "stale"}

    @pytest.mark.parametrize("at", [9.0, 10.0, math.nan])
    def test_an_end_before_the_last_sample_takes_its_place(self, at):
        """What is over never looks alive: the marker stands at the last sample at the earliest."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1)))
        store.end("check:a", at)

        assert samples(store, "probe_success") == {10.0: "stale"}

    def test_a_series_without_samples_leaves_nothing(self):
        """What ended before any tick wrote it is forgotten at once."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1), write=False))
        store.end("check:a", 12.0)

        assert list(store.select([])) == []

    def test_a_removed_source_may_be_another_s_successor(self):
        """What a source gave up, another may own."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1)))
        store.end("check:a", 12.0)
        store.append(batch(13.0, Update(UP, 0), source="check:b"))

        assert samples(store, "probe_success") == {10.0: 1, 12.0: "stale", 13.0: 0}


class TestRetention:
    def test_old_samples_go(self):
        """Samples outlive the retention by a sixteenth of it at most."""
        store = Store(tick=10.0, retention=160.0)
        for at in range(0, 1010, 10):
            store.append(batch(float(at), Update(UP, at)))
            store.tick(float(at))

        first = min(samples(store, "probe_success"))
        assert 1000 - 160 - 10 <= first <= 1000 - 160

    def test_an_ended_series_is_forgotten_with_its_last_sample(self):
        """A series without samples within the retention is not there any more, and the generation says so."""
        store = Store(tick=10.0, retention=160.0)
        store.append(batch(0.0, Update(UP, 1)))
        store.end("check:a", 1.0)
        store.tick(100.0)
        assert len(store.select([])) == 1
        generation = store.generation
        store.tick(200.0)

        assert list(store.select([])) == []
        assert store.generation > generation

    def test_a_longer_range_keeps_more(self):
        """The retention is raised by whoever needs more, and never lowered."""
        store = Store(tick=10.0, retention=100.0)
        store.retain(1000.0)
        store.retain(500.0)
        for at in range(0, 1000, 10):
            store.append(batch(float(at), Update(UP, at)))
            store.tick(float(at))

        assert store.retention == 1000.0
        assert min(samples(store, "probe_success")) == 0.0

    def test_a_restart_of_time_drops_samples_and_keeps_values(self):
        """After the clock went back, earlier times are taken and nothing from the future is left."""
        store = Store()
        store.append(batch(5000.0, Update(UP, 1), Update(ERRORS, 3)))
        store.append(batch(5000.0, Update(UP, 1, Labels(check="gone")), source="check:b"))
        store.end("check:b", 5001.0)
        store.clear()
        assert samples(store, "errors_total") == {}
        store.tick(1500.0)
        store.append(batch(1501.0, Update(UP, 0), Update(ERRORS, 1), Update(ERRORS, 1, Labels(error_type="dns"))))

        assert samples(store, "probe_success") == {1500.0: 1, 1501.0: 0}
        assert samples(store, "errors_total", error_type="") == {1500.0: 3, 1501.0: 4}
        assert samples(store, "errors_total", error_type="dns") == {1500.0: 0, 1501.0: 1}
        assert store.dropped() == {}


class TestOwnership:
    def test_a_series_has_one_owner(self):
        """The second source that names a series is refused and counted; the first goes on."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1)))
        store.append(batch(11.0, Update(UP, 0), source="check:b"))

        assert values(store) == {"probe_success": 1}
        assert store.dropped() == {("check:b", Reason.OWNED): 1}

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            pytest.param(UP, Family("probe_success", Kind.COUNTER, ""), id="another kind"),
            pytest.param(LATENCY, Family("latency_seconds", Kind.HISTOGRAM, "", (0.5,)), id="other buckets"),
            pytest.param(LATENCY, Family("latency_seconds_count", Kind.GAUGE, ""), id="a part of a histogram"),
            pytest.param(Family("latency_seconds_sum", Kind.GAUGE, ""), LATENCY, id="a histogram over a gauge"),
            pytest.param(UP, Family("x", Kind.HISTOGRAM, "", (2.0, 1.0)), id="bounds that do not ascend"),
            pytest.param(UP, Family("x", Kind.HISTOGRAM, "", (1.0, math.inf)), id="a bound that is always there"),
        ],
    )
    def test_a_name_means_one_thing(self, first, second):
        """A metric that contradicts a live one is refused, from any source."""
        store = Store()
        store.append(batch(10.0, Update(first, 1, Labels(check="a"))))
        store.append(batch(11.0, Update(second, 1, Labels(check="b")), source="check:b"))

        assert store.dropped() == {("check:b", Reason.KIND): 1}

    def test_a_rule_may_record_beside_a_gauge(self):
        """An untyped series and a gauge may share a metric; the first one's kind is shown."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1, Labels(check="a"))))
        store.append(
            batch(10.0, Update(Family("probe_success", Kind.UNTYPED, ""), 1, Labels(check="b")), source="rules:x/0")
        )

        assert [(family, len(children)) for family, children in store.live()] == [(UP, 2)]

    def test_a_name_is_free_again_when_its_last_series_ended(self):
        """A metric may come back as another kind."""
        store = Store()
        store.append(batch(10.0, Update(LATENCY, 1)))
        store.end("check:a", 11.0)
        store.append(batch(12.0, Update(Family("latency_seconds_count", Kind.GAUGE, ""), 5)))

        assert values(store) == {"latency_seconds_count": 5}


class TestLimits:
    @pytest.mark.parametrize(
        ("family", "labels", "reason"),
        [
            pytest.param(Family("", Kind.GAUGE, ""), EMPTY, Reason.NAME, id="no name"),
            pytest.param(Family("n" * 201, Kind.GAUGE, ""), EMPTY, Reason.NAME, id="a long metric name"),
            pytest.param(UP, Labels({"n" * 201: "x"}), Reason.NAME, id="a long label name"),
            pytest.param(UP, Labels({"": "x"}), Reason.NAME, id="a label without a name"),
            pytest.param(UP, Labels({"__name__": "y"}), Reason.NAME, id="a second name"),
            pytest.param(LATENCY, Labels(le="1"), Reason.NAME, id="a histogram's own label"),
            pytest.param(UP, Labels(a="x" * 1025), Reason.LABELS, id="a long value"),
            pytest.param(UP, Labels(a="\ud800"), Reason.LABELS, id="half a surrogate pair"),
            pytest.param(UP, Labels({f"l{i}": "x" for i in range(33)}), Reason.LABELS, id="many labels"),
        ],
    )
    def test_bounded_names_and_values(self, family, labels, reason):
        """A series whose names or values are out of bounds is refused; the rest of the batch is taken."""
        store = Store()
        store.append(batch(10.0, Update(family, 1, labels), Update(STATUS, 200)))

        assert list(values(store)) == ["probe_http_status_code"]
        assert store.dropped() == {("check:a", reason): 1}

    def test_no_more_series_than_allowed(self):
        """New series beyond the limit are refused; a histogram is taken whole or not at all."""
        store = Store(limits=Limits(series=6))
        store.append(batch(10.0, *(Update(UP, 1, Labels(n=str(n))) for n in range(4)), Update(LATENCY, 1)))
        store.append(batch(11.0, *(Update(UP, 2, Labels(n=str(n))) for n in range(9))))

        assert len(store.select([])) == 6
        assert store.dropped() == {("check:a", Reason.LIMIT): 1 + 3}
        assert values(store)['probe_success{n="0"}'] == 2

    def test_guests_that_fill_the_store_do_not_silence_us(self):
        """What is said of checks and of ourselves has room that scraped and recorded series cannot take."""
        store = Store(limits=Limits(series=6, reserved=2))
        scraped = Family("gateway_requests", Kind.UNTYPED, "Scraped.")
        store.append(batch(10.0, *(Update(scraped, 1, Labels(n=str(n))) for n in range(9)), source="check:scrape"))

        store.append(batch(10.0, Update(UP, 1), Update(Family("sidecar_check_up", Kind.GAUGE, ""), 1)))

        assert len(values(store)) == 6
        assert store.dropped() == {("check:scrape", Reason.LIMIT): 5}

    def test_what_ended_makes_room_for_what_lives(self):
        """At the limit the series that ended first is forgotten first; one that returns needs no room."""
        store = Store(limits=Limits(series=3))
        for n in range(3):
            store.append(batch(10.0 + n, Update(UP, 1, Labels(n=str(n))), source=f"check:{n}"))
            store.end(f"check:{n}", 10.5 + n)
        store.append(batch(20.0, Update(UP, 1, Labels(n="0")), Update(UP, 1, Labels(n="new"))))

        assert sorted(series.labels["n"] for series in store.select([])) == ["0", "2", "new"]
        assert store.dropped() == {}

    @pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf, 1e300, 1.7e18])
    def test_a_batch_at_no_time_is_refused(self, at):
        """A batch without a usable time is counted by its updates and changes nothing."""
        store = Store()
        store.begin("check:a", at)
        store.append(batch(at, Update(UP, 1), Update(ERRORS, 1)))

        assert values(store) == {}
        assert store.dropped() == {("check:a", Reason.TIME): 3}

    def test_the_store_reports_on_itself(self):
        """Live series and what was refused since the last report become metrics."""
        store = Store()
        store.append(batch(10.0, Update(UP, 1), Update(ERRORS, -1)))

        assert store.report() == (
            Update(Family("sidecar_store_series", Kind.GAUGE, "Live series in the store."), 1),
            Update(
                Family(
                    "sidecar_samples_refused_total", Kind.COUNTER, "Samples that were refused, by source and reason."
                ),
                1,
                Labels(source="check:a", reason="negative"),
            ),
        )
        assert len(store.report()) == 1
