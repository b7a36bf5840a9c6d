"""Every panel and every variable has something to show."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from dashboards.source import queries
from sidecar.model.families import PROBE_FAILURES
from tests.dashboards import grafana, story
from tests.dashboards.prometheus import Prometheus, remembering

SLOW = "in virtual time no machine is too slow"
EMPTY = {"alerts / Turns that were missed": SLOW, "sidecar / Probes missed": SLOW}
"""Panels of what does not happen in the story, with the reason; they show a zero."""


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """What it knows is the story, scraped from two pods."""
    with capture_logs():  # of a day on which everything went wrong
        scraped = story.told(tmp_path)
    with remembering(scraped.lines, scraped.times[0], scraped.times[-1], tmp_path) as prometheus:
        yield prometheus


@pytest.mark.realtime
def test_whatever_is_asked_is_answered(prometheus: Prometheus):
    """Each query yields data, for everything and for what a reader ticks; legends are filled in, and counts add up."""
    wrong: list[str] = []
    for name, board in grafana.BOARDS.items():
        everything = grafana.everything(board)
        ticked = everything | dict(_ticked(prometheus, board, everything))
        for asked in (*grafana.queries(name), *grafana.annotations(name)):
            wrong += _wrong(prometheus, asked, everything)
            wrong += _wrong(prometheus, asked, ticked | {"by": "instance", "pod": ".*"})
            wrong += _wrong(prometheus, asked, ticked)
    assert not wrong, "\n".join(wrong)
    _adds_up(prometheus)


def _ticked(
    prometheus: Prometheus, board: Mapping[str, Any], everything: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The variables' values when a reader ticks one pod, and everything there is elsewhere."""
    for name, variable in grafana.variables(board).items():
        if variable["type"] == "query":
            values = _values(prometheus, variable["query"]["query"], everything)
            assert values, f"the variable {name} of {board['title']} has no values"
            yield name, grafana.ticked(values[:1] if name == "pod" else values)


def _adds_up(prometheus: Prometheus) -> None:
    """The bars of a counter that was born with its first failure are all the failures that there were."""
    values = grafana.everything(grafana.BOARDS["overview"])
    gateway = 'check="gateway"'
    (bars,) = prometheus.range(grafana.filled(f"sum({queries.events(PROBE_FAILURES, gateway)})", values), step=120)
    (total,) = prometheus.range(grafana.filled(f"sum({queries.of(PROBE_FAILURES, gateway)})", values))

    assert sum(float(bar) for _, bar in bars["values"]) == pytest.approx(max(float(n) for _, n in total["values"]))


def _wrong(prometheus: Prometheus, asked: grafana.Asked, values: Mapping[str, str]) -> Iterator[str]:
    for expr in _parts(asked.expr):
        query = grafana.filled(expr, values)
        try:
            found = prometheus.range(query)
        except ValueError as exc:
            yield f"{asked.place}: {exc}: {query}"
            continue
        if not found and asked.place not in EMPTY:
            yield f"{asked.place}: no data: {query}"
        for label in re.findall(r"{{(\w+)}}", grafana.filled(asked.legend, values)):
            if label != "le" and not all(series["metric"].get(label) for series in found):
                yield f"{asked.place}: no label {label}: {query}"


def _parts(expr: str) -> Iterator[str]:
    """What stands before "or 0 * …" has to be there as well: a zero is no proof."""
    yield expr
    if " or 0 * " in expr:
        yield expr.rpartition(" or 0 * ")[0].removeprefix("(" if ") / " in expr else "")


def _values(prometheus: Prometheus, query: str, values: Mapping[str, str]) -> list[str]:
    """Of a variable's `label_values(selector, label)`."""
    found = re.fullmatch(r"label_values\((.*), ([$\w]+)\)", grafana.filled(query, values))
    assert found, query
    return prometheus.values(found[2], found[1])
