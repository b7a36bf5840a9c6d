"""What Grafana asks for a dashboard: its panels' and variables' queries, with the variables' values put in."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "dashboards"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
RATE_INTERVAL = "4m0s"  # four scrapes
RANGE = "1200s"
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


@dataclass(frozen=True)
class Asked:
    """One query of a panel, and how its answers are called."""

    board: str
    panel: str
    expr: str
    legend: str

    @property
    def place(self) -> str:
        return f"{self.board} / {self.panel}"


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel, those of closed rows as well; not the rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def queries(*names: str) -> Iterator[Asked]:
    """Every query of every panel of the dashboards of these names; of all without a name."""
    for name in names or BOARDS:
        for panel in panels(BOARDS[name]):
            for target in panel["targets"]:
                yield Asked(name, panel["title"], target["expr"], target["legendFormat"])


def annotations(name: str) -> Iterator[Asked]:
    """What is marked on every graph of the dashboard *name*."""
    for annotation in BOARDS[name]["annotations"]["list"]:
        yield Asked(name, annotation["name"], annotation["expr"], annotation["titleFormat"])


def variables(board: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def everything(board: Mapping[str, Any]) -> dict[str, str]:
    """The values of the variables where "All" is chosen wherever it can be."""
    found = {"__rate_interval": RATE_INTERVAL, "__range": RANGE, "__interval": "2m0s"}
    for name, variable in variables(board).items():
        found[name] = variable.get("allValue") or variable.get("current", {}).get("value", "")
    return found


def ticked(values: Sequence[str]) -> str:
    """What several ticked values become within a matcher; backslashes twice, as PromQL's strings have them."""
    quoted = [re.sub(r"([$^*{}\[\]'+?.()|])", r"\\\\\1", value) for value in values]
    return quoted[0] if len(quoted) == 1 else f"({'|'.join(quoted)})"


def filled(text: str, values: Mapping[str, str]) -> str:
    """*text* with the variables' values; one that is not known stays, and Prometheus refuses it."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)
