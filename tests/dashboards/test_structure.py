"""Dashboards that Grafana takes as they are, and that say what they mean."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations
from typing import Any

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import generate
from dashboards.source import limits, queries
from dashboards.source.boards import TAG
from sidecar.model import families
from sidecar.model.samples import Family
from sidecar.promql import compile_
from sidecar.store.live import names
from tests.dashboards import grafana

BOARDS = pytest.mark.parametrize("board", grafana.BOARDS.values(), ids=grafana.BOARDS)
ALERT = re.compile(r"`([A-Z]\w+)`")
OPEN = 22
"""Panels that load at once: more are a wall, and as many queries at each refresh."""
CATALOGUE = [family for family in vars(families).values() if isinstance(family, Family)]
RECORDED = {"claude:stop_reasons:share10m": "claude_stop_reasons_total"}
"""What rules record, and what it is made of."""
FOREIGN = ("litellm_", "gen_ai_")
"""Beginnings of names that are a gateway's own."""


@cache
def read() -> frozenset[str]:
    """The metrics that the panels read."""
    found: set[str] = set()
    for asked in grafana.queries():
        query = compile_(grafana.filled(asked.expr, grafana.everything(grafana.BOARDS[asked.board])))
        assert query.reads is not None, asked
        found |= query.reads
    return frozenset(found)


def described() -> Iterator[tuple[str, str]]:
    """Each panel's place and description."""
    for name, board in grafana.BOARDS.items():
        for panel in grafana.panels(board):
            yield f"{name} / {panel['title']}", panel["description"]


def test_the_files_are_what_the_sources_make():
    """What is committed is what the sources make, and nothing else lies beside it."""
    committed = {path.name: path.read_text("utf-8") for path in grafana.FOLDER.glob("*.json")}

    assert committed == generate.texts(), "run: python dashboards/generate.py"


def test_there_are_five_and_each_knows_the_others():
    """Their ids are stable and their own, and a link leads from each to all with its tag."""
    assert {board["uid"] for board in grafana.BOARDS.values()} == {f"{TAG}-{name}" for name in grafana.BOARDS}
    for board in grafana.BOARDS.values():
        assert board["tags"] == [TAG]
        (others,) = [link for link in board["links"] if link["type"] == "dashboards"]
        assert (others["tags"], others["includeVars"], others["keepTime"]) == ([TAG], True, True)


@BOARDS
def test_it_is_imported_as_it_is(board: dict[str, Any]):
    """Nothing in it belongs to one Grafana: no number of its own, no input, no data source but the chosen."""
    assert board.get("id") is None
    assert "__inputs" not in board
    assert board["schemaVersion"] >= 39
    first = board["templating"]["list"][0]
    assert (first["type"], first["name"], first["query"]) == ("datasource", "datasource", "prometheus")
    assert set(_sources(board)) == {("prometheus", "${datasource}")}
    assert Dashboard.from_json(board).uid == board["uid"]


@BOARDS
def test_panels_have_a_place_of_their_own(board: dict[str, Any]):
    """No two panels have a number in common, none covers another, and none leaves the grid."""
    numbered = [*board["panels"], *(panel for row in board["panels"] for panel in row.get("panels", ()))]
    assert len({panel["id"] for panel in numbered}) == len(numbered)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in numbered)
    for one, other in combinations(map(_cells, numbered), 2):
        assert not one & other


@BOARDS
def test_the_first_row_is_the_answer(board: dict[str, Any]):
    """It begins with a row of numbers across the whole width, and a laptop is not asked to show everything at once."""
    first = [panel for panel in board["panels"] if panel["gridPos"]["y"] == 0]
    assert {panel["type"] for panel in first} == {"stat"}
    assert sum(panel["gridPos"]["w"] for panel in first) == 24
    assert len([panel for panel in board["panels"] if panel["type"] != "row"]) <= OPEN
    assert all(row["collapsed"] == bool(row["panels"]) for row in board["panels"] if row["type"] == "row")


@BOARDS
def test_everything_has_a_name_a_meaning_and_a_unit(board: dict[str, Any]):
    """Each panel has a title, a sentence on what it means, a unit, and names for its lines."""
    for panel in grafana.panels(board):
        assert panel["title"]
        assert panel["description"].endswith((".", "?"))
        assert panel["fieldConfig"]["defaults"]["unit"]
        if panel["type"] in ("timeseries", "state-timeline", "bargauge"):
            assert "__auto" not in [target["legendFormat"] for target in panel["targets"]]


@BOARDS
def test_variables_that_are_used_are_there(board: dict[str, Any]):
    """Each `$name` of a query, a legend or a link is a variable or one of Grafana's own."""
    known = {*grafana.everything(board), "__field", "__data"}
    texts = [link["url"] for link in board["links"]]
    for panel in grafana.panels(board):
        texts += [text for target in panel["targets"] for text in (target["expr"], target["legendFormat"])]
        texts += [link["url"] for link in panel["fieldConfig"]["defaults"].get("links", ())]

    used = {found for text in texts for found in re.findall(r"\$\{?(\w+)", text)}

    assert used <= known


def test_every_metric_exists():
    """Whatever a panel reads is in the catalogue, or a gateway's own."""
    ours = {name for family in CATALOGUE for name in names(family)}
    ours |= {
        f"{family.name}{end}" for family in CATALOGUE if family.percentiles for end in ("_quantile", "_window_count")
    }

    assert {metric for metric in read() if not metric.startswith(FOREIGN)} <= ours


@pytest.mark.parametrize("alert", limits.rules())
def test_every_rule_is_on_a_panel(alert: str):
    """What a shipped rule judges is shown somewhere, so that whoever is paged finds the curve behind it."""
    rule = limits.rules()[alert]
    judged = compile_(re.sub(r"\$\{(\w+)\}", lambda found: str(rule.vars[found[1]]), rule.expr)).reads

    assert judged is not None
    assert judged - {"ALERTS"} - RECORDED.keys() <= read()
    assert {RECORDED[name] for name in judged & RECORDED.keys()} <= read()


def test_every_alert_is_named():
    """Each shipped alert is in the description of a panel, and no other name is."""
    named = {name for _, text in described() for name in ALERT.findall(text)}

    assert named == set(limits.rules())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param(lambda: limits.above("ClaudeFirstTokenSlow", "p99"), "expected one of: p95", id="a var"),
        pytest.param(lambda: limits.above("Nonsense", "p95"), "expected one of the shipped packs", id="an alert"),
        pytest.param(lambda: queries.rate(families.CHECK_UP), "a gauge, expected a counter", id="a rate of a gauge"),
        pytest.param(lambda: queries.bucket(families.CHECK_UP), "expected a histogram", id="buckets of a gauge"),
        pytest.param(
            lambda: queries.percentile(families.PROBE_LATENCY), "whose percentiles are kept", id="percentiles"
        ),
    ],
)
def test_a_source_that_no_longer_fits_is_told(wrong: Callable[[], object], told: str):
    """A metric of another kind, a var or an alert that was renamed: the dashboards cannot be made."""
    with pytest.raises(ValueError, match=told):
        wrong()


def test_limits_are_the_rules():
    """A threshold is the rule's own, in the colour of its severity; too little is coloured below it."""
    panels = {panel["title"]: panel["fieldConfig"] for panel in grafana.panels(grafana.BOARDS["claude"])}
    rules = limits.rules()

    def steps(title: str) -> list[tuple[float | None, str]]:
        return [(step["value"], step["color"]) for step in panels[title]["defaults"]["thresholds"]["steps"]]

    assert steps("Failures") == [(None, "green"), (rules["ClaudeErrorRateHigh"].vars["ratio"], "red")]
    assert steps("Left of the rate limits") == [
        (None, "orange"),
        (rules["ClaudeRateLimitLow"].vars["ratio"], "transparent"),
    ]


def _sources(value: Any) -> Iterator[tuple[str, str]]:
    """Every data source that is named anywhere within *value*."""
    if isinstance(value, dict):
        if isinstance(value.get("datasource"), dict):
            yield value["datasource"]["type"], value["datasource"]["uid"]
        for inner in value.values():
            yield from _sources(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sources(inner)


def _cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    """The squares of the grid that *panel* covers."""
    at = panel["gridPos"]
    return {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
