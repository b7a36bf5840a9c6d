import asyncio
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sidecar.api.exposition import Exposition, Live, Value, negotiate
from sidecar.model.labels import EMPTY, Labels
from sidecar.model.samples import Batch, Family, HistogramValue, Kind, Update
from sidecar.store import Store
from sidecar.store.live import le

ANYTHING = "*/*"
PLAIN_1 = "text/plain;version=1.0.0;escaping=allow-utf-8"
OPENMETRICS = "application/openmetrics-text;version=1.0.0;escaping=underscores"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
ACCEPTS = [
    pytest.param(ANYTHING, id="plain text"),
    pytest.param(PLAIN_1, id="plain text with UTF-8 names"),
    pytest.param(OPENMETRICS, id="OpenMetrics"),
    pytest.param(PROMETHEUS_3, id="what Prometheus 3 asks for"),
    pytest.param("application/openmetrics-text", id="OpenMetrics of no version"),
    pytest.param("text/plain;version=1.0.0;escaping=values", id="names as values"),
    pytest.param("text/plain;version=1.0.0;escaping=dots", id="names with dots"),
]

GAUGE = Family("g", Kind.GAUGE, 'One "gauge"\nover two lines \\ with a backslash.')
COUNTER = Family("c_total", Kind.COUNTER, "A counter.")
HISTOGRAM = Family("h_seconds", Kind.HISTOGRAM, "A histogram.", (0.1, 1.0, 1e7))
UNTYPED = Family("u", Kind.UNTYPED, "Something.")
SUMMARY = Family("s_quantile", Kind.SUMMARY, "Quantiles.")
DOTTED = Family("dotted.name", Kind.GAUGE, "A name of the new character set.")


@dataclass
class Client:
    """The same families in the client library's words: a registry to its encoders."""

    live: list[tuple[Family, list[tuple[Labels, Value]]]]
    external: Mapping[str, str] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        for family, children in self.live:
            metric = self.metric(family)
            for labels, value in children:
                self.add(metric, family, {**self.external, **labels}, value)
            yield metric

    @staticmethod
    def metric(family: Family) -> Metric:
        if family.kind is Kind.COUNTER:
            return CounterMetricFamily(family.name, family.help)
        if family.kind is Kind.HISTOGRAM:
            return HistogramMetricFamily(family.name, family.help)
        if family.kind is Kind.GAUGE:
            return GaugeMetricFamily(family.name, family.help)
        return Metric(family.name, family.help, family.kind)

    @staticmethod
    def add(metric: Metric, family: Family, labels: dict[str, str], value: Value) -> None:
        if isinstance(value, HistogramValue):
            for bound, count in zip((*family.buckets, math.inf), value.counts, strict=True):
                metric.add_sample(f"{family.name}_bucket", {**labels, "le": le(bound)}, count)
            metric.add_sample(f"{family.name}_count", labels, value.count)
            metric.add_sample(f"{family.name}_sum", labels, value.sum)
        else:
            metric.add_sample(family.name, labels, value)


def by_client(live: Any, accept: str, external: Mapping[str, str] | None = None) -> str:
    encoder, _ = choose_encoder(accept)
    return encoder(Client(list(live), external or {})).decode()


async def ours(live: Live, accept: str, external: Mapping[str, str] | None = None) -> str:
    return (await Exposition(external).text(live, negotiate(accept))).decode()


def some_of_everything() -> list[tuple[Family, list[tuple[Labels, Value]]]]:
    return [
        (GAUGE, [(EMPTY, 1.0), (Labels(a='quoted "x"', b="two\nlines", c="\\"), math.nan), (Labels(z="ü"), -math.inf)]),
        (COUNTER, [(Labels(check="a"), 12345678.0), (Labels(check="b", type="http"), 1e300)]),
        (HISTOGRAM, [(EMPTY, HistogramValue((1, 2, 2, 3), 7.25)), (Labels(a="1"), HistogramValue((0, 0, 0, 0), 0.0))]),
        (UNTYPED, [(Labels(le="1"), 0.1)]),
        (SUMMARY, [(Labels(quantile="0.5", window="5m"), 0.25)]),
        (DOTTED, [(Labels({"label.with.dots": "x"}), 3.0), (EMPTY, 4.0)]),
    ]


@pytest.mark.parametrize("accept", ACCEPTS)
async def test_the_text_is_the_client_library_s(accept):
    """Each format has, to the byte, what Prometheus' own client writes for the same families."""
    live = some_of_everything()

    assert await ours(live, accept) == by_client(live, accept)


@pytest.mark.parametrize("accept", ACCEPTS)
async def test_external_labels_are_added_on_the_way_out(accept):
    """Every series carries the external labels, and its own where both have one."""
    live = some_of_everything()
    external = {"cluster": "eu", "check": "never"}

    text = await ours(live, accept, external)

    assert text == by_client(live, accept, external)
    assert 'check="a",cluster="eu"' in text


label_values = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
label_sets = st.dictionaries(st.sampled_from(["a", "b", "le", "x.y"]), label_values, max_size=3).map(Labels)
gauges = st.tuples(st.just(GAUGE), st.lists(st.tuples(label_sets, st.floats()), max_size=3, unique_by=lambda c: c[0]))
counters = st.tuples(
    st.just(COUNTER), st.lists(st.tuples(label_sets, st.floats(0)), max_size=3, unique_by=lambda c: c[0])
)


@given(st.tuples(gauges, counters), st.sampled_from([ANYTHING, PLAIN_1, OPENMETRICS, PROMETHEUS_3]))
def test_whatever_is_in_labels_and_values(live, accept):
    """No label value and no number is written differently from the client library."""
    text = Exposition()._lines(list(live), negotiate(accept), {})
    end = "# EOF\n" if "openmetrics" in accept else ""

    assert "".join(text) + end == by_client(live, accept)


async def test_what_is_remembered_is_what_would_be_written_anew():
    """A second scrape with other numbers, other series and other metrics is as right as the first."""
    exposition = Exposition()
    form = negotiate(ANYTHING)
    first = some_of_everything()
    second: list[tuple[Family, list[tuple[Labels, Value]]]] = [
        (GAUGE, [(EMPTY, 2.0), (Labels(new="1"), 1.0)]),
        (Family("h_seconds", Kind.GAUGE, "Once a histogram."), [(EMPTY, 1.0)]),
    ]

    for live in (first, second, first):
        assert (await exposition.text(live, form)).decode() == by_client(live, ANYTHING)
    assert len(exposition._known[form]) == len(first)


async def test_not_every_format_is_remembered():
    """Asking for all formats in turn does not fill the memory."""
    exposition = Exposition()
    for param in ACCEPTS:
        await exposition.text(some_of_everything(), negotiate(str(param.values[0])))

    assert len(exposition._known) == 2


async def test_a_large_text_is_one_moment():
    """While a large text is built the loop goes on, and what changes meanwhile is not in it."""
    store = Store()
    store.append(Batch("a", 1.0, tuple(Update(GAUGE, 1.0, Labels(n=str(n))) for n in range(3000))))
    text = asyncio.create_task(ours(store.live(), ANYTHING))
    turns = 0
    while not text.done():
        store.append(Batch("a", 2.0, tuple(Update(GAUGE, 2.0, Labels(n=str(n))) for n in range(3000))))
        turns += 1
        await asyncio.sleep(0)

    values = {line.rpartition(" ")[2] for line in text.result().splitlines() if not line.startswith("#")}
    assert len(values) == 1
    assert turns > 3


async def test_alerts_stay_inside():
    """ALERTS is for rules; a Prometheus that scraped it would have it twice."""
    alerts = Family("ALERTS", Kind.GAUGE, "Active alerts.")

    assert await ours([(alerts, [(Labels(alertname="X"), 1.0)]), (UNTYPED, [(EMPTY, 1.0)])], ANYTHING) == (
        "# HELP u Something.\n# TYPE u untyped\nu 1.0\n"
    )


async def test_recorded_names_keep_their_colons():
    """A recorded series has its colons in OpenMetrics too, where the client library writes underscores in one place."""
    text = await ours([(Family("job:x:rate5m", Kind.UNTYPED, ""), [(EMPTY, 1.0)])], OPENMETRICS)

    assert text == "# HELP job:x:rate5m \n# TYPE job:x:rate5m unknown\njob:x:rate5m 1.0\n# EOF\n"


async def test_what_the_store_shows_can_be_read_back():
    """Both formats of a live store parse to the same samples."""
    store = Store()
    store.begin("a", 0.0)
    labels = Labels(check="a", target="https://api.anthropic.com/v1/messages")
    store.append(
        Batch("a", 1.0, (Update(GAUGE, 1.5, labels), Update(COUNTER, 2, labels), Update(HISTOGRAM, 0.3, labels)))
    )

    plain = parse_text(await ours(store.live(), ANYTHING))
    open_ = parse_openmetrics(await ours(store.live(), OPENMETRICS))

    def samples(metrics: Any) -> dict[str, float]:
        return {f"{s.name}{s.labels}": s.value for metric in metrics for s in metric.samples}

    assert samples(plain) == samples(open_)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("", "text/plain; version=0.0.4; charset=utf-8", id="nothing"),
        pytest.param("text/html", "text/plain; version=0.0.4; charset=utf-8", id="a browser"),
        pytest.param(PLAIN_1, "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8", id="text 1.0.0"),
        pytest.param(
            PROMETHEUS_3,
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            id="Prometheus 3",
        ),
        pytest.param(
            "application/openmetrics-text;version=9.9.9",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            id="a version of the future",
        ),
        pytest.param("text/plain;version=abc", "text/plain; version=0.0.4; charset=utf-8", id="no version at all"),
        pytest.param("text/plain;version=1.0.0;escaping=x;;=,;", None, id="garbage"),
        pytest.param(",;=;" * 500, "text/plain; version=0.0.4; charset=utf-8", id="much garbage"),
    ],
)
def test_negotiation(accept, content_type):
    """The answer's type is one that we can write, whatever was asked."""
    found = negotiate(accept)

    assert content_type is None or found.content_type == content_type
    assert found.escaping in ("underscores", "dots", "values", "allow-utf-8")
