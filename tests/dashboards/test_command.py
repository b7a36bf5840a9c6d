"""`sidecar dashboards`."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sidecar.cli import cli
from tests.dashboards import grafana


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["dashboards", *words])


def test_it_lists_what_there_is():
    """Each dashboard with what it answers, for people and for machines."""
    told = json.loads(run("--json").output)

    assert [board["name"] for board in told["dashboards"]] == sorted(grafana.BOARDS)
    assert all(board["name"] in run().output for board in told["dashboards"])
    assert {board["uid"] for board in told["dashboards"]} == {board["uid"] for board in grafana.BOARDS.values()}


def test_it_writes_them_as_they_are(tmp_path: Path):
    """Into a folder that is made, and again over what is there."""
    folder = tmp_path / "grafana" / "dashboards"
    for _ in range(2):
        assert run("--output", str(folder)).exit_code == 0

    written = {path.stem.removeprefix("claude-sidecar-"): json.loads(path.read_text()) for path in folder.iterdir()}
    assert written == grafana.BOARDS


def test_links_lead_where_things_are(tmp_path: Path):
    """The status page is the variable's value, and alerts in descriptions link to their headings in the runbooks."""
    run("--output", str(tmp_path), "--status-page", "https://s.example/", "--runbooks", "https://r.example/runbooks.md")

    board = json.loads((tmp_path / "claude-sidecar-overview.json").read_text())
    variable = grafana.variables(board)["status_page"]
    assert (variable["query"], variable["current"]["value"]) == ("https://s.example", "https://s.example")
    (down,) = [panel for panel in grafana.panels(board) if panel["title"] == "Checks down"]
    assert "[ClaudeDown](https://r.example/runbooks.md#claudedown)" in down["description"]


def test_a_configmap_for_each():
    """Each is small enough for `kubectl apply`, labelled for Grafana's sidecar, and holds one dashboard."""
    printed = run("--configmap", "--namespace", "monitoring", "--folder", "LLM", "--label", "team=llm").output
    found = list(yaml.load_all(printed, Loader=yaml.CSafeLoader))  # the other takes a second

    assert [json.loads(next(iter(one["data"].values()))) for one in found] == [
        grafana.BOARDS[name] for name in sorted(grafana.BOARDS)
    ]
    for one in found:
        assert (one["apiVersion"], one["kind"]) == ("v1", "ConfigMap")
        assert one["metadata"] | {"name": ""} == {
            "name": "", "labels": {"team": "llm"}, "namespace": "monitoring", "annotations": {"grafana_folder": "LLM"},
        }  # fmt: skip
        assert len(json.dumps(one)) < 200_000
    first, *_ = yaml.safe_load_all(run("--configmap").output)
    assert first["metadata"]["labels"] == {"grafana_dashboard": "1"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--status-page", "javascript:alert(1)"], "expected an address", id="an address that is none"),
        pytest.param(["--label", "team"], "expected NAME=VALUE", id="a label without a value"),
        pytest.param(["--namespace", "x"], "add --configmap", id="a namespace of nothing"),
        pytest.param(["--configmap", "--json"], "without --output and --json", id="two forms at once"),
        pytest.param(["--output", "/dev/null/x"], "choose a folder that can be written", id="no folder"),
    ],
)
def test_wrong_use_is_told(words: list[str], told: str):
    """What was found and what was expected, and exit code 2."""
    result: Any = run(*words)

    assert result.exit_code == 2
    assert told in result.output
