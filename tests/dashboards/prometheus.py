"""A real Prometheus that remembers what was written down for it."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.programs import program

_CALM = {**os.environ, "GOMAXPROCS": "1"}


@dataclass(frozen=True)
class Prometheus:
    """Asks over HTTP."""

    url: str
    begin: float
    end: float

    def range(self, expr: str, step: int = 60) -> list[dict[str, Any]]:
        """The series that *expr* yields within the story, every *step* seconds; a bad one raises ValueError."""
        times = {"start": f"{self.begin}", "end": f"{self.end}", "step": f"{step}"}
        found: list[dict[str, Any]] = self._get("query_range", query=expr, **times)["result"]
        return found

    def values(self, label: str, selector: str) -> list[str]:
        """The values of *label* that the series of *selector* have."""
        found: list[str] = self._get(
            f"label/{label}/values", **{"match[]": selector, "start": f"{self.begin}", "end": f"{self.end}"}
        )
        return found

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as exc:
            raise ValueError(json.load(exc).get("error")) from exc


@contextmanager
def remembering(lines: Sequence[str], begin: float, end: float, folder: Path) -> Iterator[Prometheus]:
    """A server whose past is *lines*, OpenMetrics with times."""
    text = folder / "metrics.txt"
    text.write_text("\n".join(lines) + "\n# EOF\n")
    subprocess.run(
        [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", text, folder / "data"],
        check=True, capture_output=True, env=_CALM,
    )  # fmt: skip
    (folder / "prometheus.yml").write_text("{}")
    process = subprocess.Popen(
        [
            program("prometheus"), f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}", "--storage.tsdb.retention.time=100y",
            "--web.listen-address=127.0.0.1:0", "--log.format=json",
        ],
        stderr=subprocess.PIPE, text=True, env=_CALM,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        said: dict[str, dict[str, str]] = {}
        while not {"Listening on", "Server is ready to receive web requests."} <= said.keys():
            line = json.loads(process.stderr.readline())
            said[line.get("msg", "")] = line
        yield Prometheus(f"http://{said['Listening on']['address']}", begin, end)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
